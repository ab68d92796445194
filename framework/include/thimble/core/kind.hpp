#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// The kinds of plugin there are. The names stand in folder names, YAML and the command line.
enum class Kind { proxy, searchspace, searcher, hardware, dataset, task };

THIMBLE_EXPORT const char* name_of(Kind kind);
THIMBLE_EXPORT const std::vector<Kind>& all_kinds();
THIMBLE_EXPORT std::optional<Kind> kind_named(std::string_view name);

}  // namespace thimble
