#include "torch_config.hpp"

#include <cstring>

namespace thimble {

std::string stated(const std::string& config, const char* before, const char* ends) {
  const auto found = config.find(before);
  if (found == std::string::npos) return "";
  const auto begin = found + std::strlen(before);
  return config.substr(begin, config.find_first_of(ends, begin) - begin);
}

std::string built_in_blas(const std::string& config) {
  if (const std::string mkl = stated(config, "Math Kernel Library Version ", "- \n"); !mkl.empty())
    return "MKL " + mkl;
  const std::string name = stated(config, "BLAS_INFO=", ",\n");
  return name == "generic" || name == "open" ? "" : name;
}

}  // namespace thimble
