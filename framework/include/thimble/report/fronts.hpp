#pragma once

#include <cstdint>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/report/tables.hpp>

namespace thimble {

/// What a search had found when it had scored so many networks, against the best front known: that
/// of everything that all points of its seed found together, in the objectives they are compared
/// in. Sides are scaled to the extent of the best front.
struct FrontProgress {
  std::int64_t scored = 0;
  double hypervolume = 0;  ///< as a share of the best front's
  double igd = 0;  ///< inverted generational distance: from each network of the best front to the
                   ///< nearest that was found, on average
};

/// For each point its progress, in 20 to 50 steps and at the end; nothing for a point that found no
/// network within the limits. Exact, and slow for thousands of networks in many objectives.
THIMBLE_EXPORT std::vector<std::vector<FrontProgress>> front_progress(
    const std::vector<PointOutcome>& outcomes);

/// Fills the quantities `hypervolume` and `igd` from what each search ended with.
THIMBLE_EXPORT void add_fronts(std::vector<PointOutcome>& outcomes,
                               const std::vector<std::vector<FrontProgress>>& progress);

/// One row for each step of each point.
THIMBLE_EXPORT Table progress_table(const std::vector<PointOutcome>& outcomes,
                                    const std::vector<std::vector<FrontProgress>>& progress);

}  // namespace thimble
