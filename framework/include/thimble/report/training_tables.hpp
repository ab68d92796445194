#pragma once

#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/table.hpp>
#include <thimble/experiment/outcome.hpp>
#include <thimble/report/event_file.hpp>
#include <thimble/report/gnuplot.hpp>

namespace thimble {

/// One row for each training: network, seed, what was measured on the test part, and the costs of
/// the very network.
THIMBLE_EXPORT Table trained_table(const std::vector<PointOutcome>& outcomes);
/// One row for each epoch of each training, those that are compared with as well.
THIMBLE_EXPORT Table history_table(const std::vector<PointOutcome>& outcomes);
/// One row for each network and data that it was trained on: mean and deviation over its seeds, its
/// costs, and the limits on these.
THIMBLE_EXPORT Table training_summary(const std::vector<PointOutcome>& outcomes);
/// One row for each network, where there are several data: what its last form reached on each, and
/// its costs where it was searched; else nothing.
THIMBLE_EXPORT Table training_overview(const std::vector<PointOutcome>& outcomes);
/// The curves of one training, for TensorBoard.
THIMBLE_EXPORT EventFile training_events(const TrainedRow& row, const std::string& metric);
/// Loss and metric by epoch, a line a training, a colour a network. What the last form reached
/// against each cost that is limited, a mark a network or all seeds of a row, a line for points
/// that differ in their limits alone.
THIMBLE_EXPORT std::vector<Picture> training_pictures(const std::vector<PointOutcome>& outcomes);

}  // namespace thimble
