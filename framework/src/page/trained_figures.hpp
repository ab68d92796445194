#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/csv.hpp>

namespace thimble {

/// A metric of trainings, of one form of the networks: "int8_accuracy", or where they were trained
/// on several data, "int8_accuracy on gtsrb".
struct TrainedFigure {
  std::string name;
  std::vector<double> values;  ///< one a training that has it; at least one
};

/// Of trained.csv, all networks or the one of this number.
std::vector<TrainedFigure> trained_figures(const CsvTable& trained,
                                           std::optional<std::int64_t> network = {});

}  // namespace thimble
