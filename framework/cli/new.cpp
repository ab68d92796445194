#include "cli.hpp"

namespace thimble::cli {
int create(const std::string&, const std::string&, const std::string&) { return 0; }
int complete(const std::string&) { return 0; }
}  // namespace thimble::cli
