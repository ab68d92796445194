#include <thimble/core/installation.hpp>

#include <dlfcn.h>

#include <thimble/core/error.hpp>

namespace thimble {

std::filesystem::path installed_prefix() {
  static const char kSomethingOfOurs = 0;
  Dl_info info{};
  if (::dladdr(&kSomethingOfOurs, &info) == 0) throw Error{"cannot tell where libthimble.so lies"};
  return std::filesystem::canonical(info.dli_fname).parent_path().parent_path();
}

}  // namespace thimble
