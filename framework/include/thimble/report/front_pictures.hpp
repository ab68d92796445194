#pragma once

#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/report/fronts.hpp>
#include <thimble/report/gnuplot.hpp>

namespace thimble {

/// Of each point with a selection, its front in every objective against the first cost metric
/// among them (else the first objective), with all networks known of, the selected ones, the knee
/// and the ends marked: front_METRIC.
THIMBLE_EXPORT std::vector<Picture> front_pictures(const std::vector<PointOutcome>& outcomes);

/// hypervolume and igd against the networks scored: of each row the median over its points, with
/// the quartiles.
THIMBLE_EXPORT std::vector<Picture> progress_pictures(
    const std::vector<PointOutcome>& outcomes,
    const std::vector<std::vector<FrontProgress>>& progress);

}  // namespace thimble
