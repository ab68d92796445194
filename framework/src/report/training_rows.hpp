#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <thimble/experiment/outcome.hpp>

namespace thimble {

// What tables and pictures of trainings have in common.

/// Of all points, each once: those of a sweep may have different tasks.
std::vector<std::string> all_metrics(const std::vector<PointOutcome>& outcomes);
/// The names of the data that networks were trained on; none where that is the experiment's own.
std::vector<std::string> all_datasets(const std::vector<PointOutcome>& outcomes);

/// A form of a trained network that was tested.
struct Form {
  const char* name;
  FormOutcome TrainedRow::*learned;
};
/// Those that any training has; the float one where there is none.
std::vector<Form> forms_in(const std::vector<PointOutcome>& outcomes);

/// NaN where it is unknown.
double metric_of_row(const PointOutcome& outcome, const TrainedRow& row, const Form& form,
                     const std::string& name);
/// Trainings that differ in their seed alone, which stand one behind the other.
std::vector<std::span<const TrainedRow>> of_one_network(const std::vector<TrainedRow>& trained);
/// Calls visit(outcome, row, number) for every training.
void for_each_training(
    const std::vector<PointOutcome>& outcomes,
    const std::function<void(const PointOutcome&, const TrainedRow&, std::size_t)>& visit);

}  // namespace thimble
