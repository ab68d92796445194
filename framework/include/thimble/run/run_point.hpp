#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/experiment/study.hpp>

namespace thimble {

/// One point of the sweep, from its study to its outcome. `setup` is the study's, with all that the
/// run adds. Its quantities are left to measure(). Throws Error, also for what a plugin throws.
THIMBLE_EXPORT PointOutcome run_point(const Study& study, const SweepPoint& point,
                                      ScoringSetup setup);

/// Of each proxy that lacks values, how many and why: what has none should not be found in a table
/// only.
THIMBLE_EXPORT std::vector<std::string> missing_values(const PointOutcome& outcome);

}  // namespace thimble
