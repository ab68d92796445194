#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include <thimble/core/export.hpp>
#include <thimble/core/value.hpp>

namespace thimble {

/// Reads one strict YAML document. Duplicate keys, anchors, aliases, tags, merges (`<<`), several
/// documents, keys that are not plain text and anything that is not UTF-8 are errors with their
/// place. Throws InputError with all of them that could be found. Thread safe.
THIMBLE_EXPORT Value parse_yaml(std::string_view text, const std::string& file);

/// The same for a file; one that is missing, unreadable or larger than 4 MiB is an InputError.
THIMBLE_EXPORT Value read_yaml(const std::filesystem::path& file);

/// YAML that parse_yaml reads back as the same value.
THIMBLE_EXPORT std::string to_yaml(const Value& value);

}  // namespace thimble
