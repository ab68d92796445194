#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <thimble/core/export.hpp>

namespace thimble {

/// The whole file; InputError when it cannot be read, is a folder, or exceeds `limit_bytes`.
THIMBLE_EXPORT std::string read_file(const std::filesystem::path& file,
                                     std::size_t limit_bytes = std::size_t{1} << 30);

/// Writes beside the file and renames over it, so that no reader ever sees half of it.
THIMBLE_EXPORT void write_file(const std::filesystem::path& file, std::string_view text);

}  // namespace thimble
