#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>

namespace thimble {

/// What a file of text says: without the byte order mark that some editors write. Throws InputError
/// at the first byte that is not UTF-8 text. Every reader of text that people write starts here.
THIMBLE_EXPORT std::string_view plain_text(std::string_view text, const std::string& file,
                                           const std::string& note = "save the file as UTF-8");

/// Where the byte with this index stands in a file's text.
THIMBLE_EXPORT Location place_of(std::size_t byte, std::string_view text, const std::string& file);

}  // namespace thimble
