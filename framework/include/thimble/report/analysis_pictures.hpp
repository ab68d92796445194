#pragma once

#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/report/analysis.hpp>
#include <thimble/report/gnuplot.hpp>

namespace thimble {

/// What there is to see of an analysis; the three lists are by point.
///
/// scatter_METRIC: a proxy or aggregate against the first accuracy.
/// agreement: Kendall's tau of all metrics and accuracies with each other.
/// sweep_METRIC: tau against the one number that is swept, where the metric depends on it, with the
/// deviation over seeds, or the interval of a single point.
///
/// Of several rows, the first point of each is shown, and its number stands behind the name.
THIMBLE_EXPORT std::vector<Picture> analysis_pictures(const std::vector<PointOutcome>& outcomes,
                                                      const std::vector<Sample>& samples,
                                                      const std::vector<Analysis>& analyses);

}  // namespace thimble
