#pragma once

#include <string>
#include <vector>

#include <thimble/report/analysis_pictures.hpp>

namespace thimble {

/// The agreement over all cells, or nullptr.
const Agreement* over_all_cells(const std::vector<Agreement>& agreements, const std::string& metric,
                                const std::string& against);

/// Where points differ in one number that metrics depend on: tau against it, a picture for each
/// metric with all accuracies, and one for all metrics with MACs beside them.
std::vector<Picture> sweep_pictures(const std::vector<PointOutcome>& outcomes,
                                    const std::vector<Sample>& samples,
                                    const std::vector<Analysis>& analyses);

}  // namespace thimble
