#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

struct Study;

/// What the tables of points, candidates and selected networks begin with.
THIMBLE_EXPORT const std::vector<std::string>& result_columns();
THIMBLE_EXPORT const std::vector<std::string>& candidate_columns();
THIMBLE_EXPORT const std::vector<std::string>& selection_columns();

/// What stands behind a cost's name: "latency_ms.error", its relative error, and
/// "latency_ms.origin".
inline constexpr const char* kErrorColumns[] = {".error", ".origin"};
THIMBLE_EXPORT bool is_error_column(const std::string& name);

/// Whether tables have a column of this name whatever metrics there are; then no metric can be
/// called so.
THIMBLE_EXPORT bool is_fixed_column(const std::string& name);

/// The columns that a report of this study can have, and those that it has by default.
THIMBLE_EXPORT std::vector<std::string> known_columns(const Study& study);
THIMBLE_EXPORT std::vector<std::string> default_columns(const Study& study);

/// Durations differ between equal runs: they are kept apart.
THIMBLE_EXPORT bool is_duration(const std::string& column);

}  // namespace thimble
