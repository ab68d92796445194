#pragma once

#include <filesystem>

namespace thimble {

/// The folder that thimble is installed in, or its build folder: both have lib/ and share/.
std::filesystem::path installed_prefix();

}  // namespace thimble
