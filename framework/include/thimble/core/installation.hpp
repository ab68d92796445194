#pragma once

#include <filesystem>

#include <thimble/core/export.hpp>

namespace thimble {

/// The folder that thimble is installed in, or its build folder: both have lib/ and share/.
THIMBLE_EXPORT std::filesystem::path installed_prefix();

}  // namespace thimble
