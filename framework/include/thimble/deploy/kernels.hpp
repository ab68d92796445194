#pragma once

#include <string_view>

namespace thimble {

/// The text of src/deploy/kernels/NAME.c, which the build puts into the library.
std::string_view kernel_source(std::string_view name);

}  // namespace thimble
