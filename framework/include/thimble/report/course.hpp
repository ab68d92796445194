#pragma once

#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/table.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/report/gnuplot.hpp>

namespace thimble {

/// How searches went that tell of it: a row for each epoch of each point.
THIMBLE_EXPORT Table course_table(const std::vector<PointOutcome>& outcomes);
/// A picture for each column, a line a point.
THIMBLE_EXPORT std::vector<Picture> course_pictures(const std::vector<PointOutcome>& outcomes);

}  // namespace thimble
