#pragma once

#include <string>

#include <thimble/core/export.hpp>

namespace thimble {

/// What stands in LibTorch's at::show_config() behind a text, up to the first of some characters;
/// nothing where that text is not.
THIMBLE_EXPORT std::string stated(const std::string& config, const char* before, const char* ends);

/// The BLAS that LibTorch brings along ("MKL 2024.2"); nothing when it takes the system's, as
/// Debian's does, or OpenBLAS, which can be asked itself.
THIMBLE_EXPORT std::string built_in_blas(const std::string& config);

}  // namespace thimble
