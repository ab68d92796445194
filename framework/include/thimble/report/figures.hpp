#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/report/analysis.hpp>
#include <thimble/report/fronts.hpp>

namespace thimble {

/// A gnuplot script that holds its data and writes NAME.png where it runs.
struct Picture {
  std::string name;
  std::string script;
};

/// What there is to see of an analysis; the three lists are by point.
///
/// scatter_METRIC: a proxy or aggregate against the first accuracy.
/// agreement: Kendall's tau of all metrics and accuracies with each other.
/// sweep_METRIC: tau against the one number that is swept, with the deviation over seeds, or the
/// interval of a single point.
///
/// Of several rows, the first point of each is shown, and its number stands behind the name.
THIMBLE_EXPORT std::vector<Picture> pictures_of(const std::vector<PointOutcome>& outcomes,
                                                const std::vector<Sample>& samples,
                                                const std::vector<Analysis>& analyses);

/// Of each point with a selection, its front in every objective against the first cost metric
/// among them (else the first objective), with all networks known of, the selected ones, the knee
/// and the ends marked: front_METRIC.
THIMBLE_EXPORT std::vector<Picture> front_pictures(const std::vector<PointOutcome>& outcomes);

/// hypervolume and igd against the networks scored: of each row the median over its points, with
/// the quartiles.
THIMBLE_EXPORT std::vector<Picture> progress_pictures(
    const std::vector<PointOutcome>& outcomes,
    const std::vector<std::vector<FrontProgress>>& progress);

/// Writes NAME.gp and, with gnuplot, NAME.png for each into the folder; a picture is there whole
/// or not at all. Never throws for gnuplot's sake: says what is missing, one sentence each.
THIMBLE_EXPORT std::vector<std::string> draw(const std::vector<Picture>& pictures,
                                             const std::filesystem::path& folder);

/// A text as gnuplot reads it back, whatever is in it: in single quotes, where nothing is expanded.
THIMBLE_EXPORT std::string gnuplot_text(const std::string& text);

}  // namespace thimble
