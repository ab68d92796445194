#pragma once

#include <cstddef>
#include <string>

#include "cli.hpp"

namespace thimble::cli {

/// Of what is new: files are called after it.
inline constexpr std::size_t kLongestName = 100;

/// A file that `thimble new` fills in.
std::string template_text(const World& world, const std::string& file);

/// The text with `value` for every `hole`.
std::string filled(std::string text, const std::string& hole, const std::string& value);

}  // namespace thimble::cli
