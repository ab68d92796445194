#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <thimble/train/trained_network.hpp>

#include "cli.hpp"

namespace thimble::cli {

/// The network that a command line names: of an experiment by --arch, of a run by --network.
struct ChosenNetwork {
  std::filesystem::path file;           ///< of the experiment
  std::filesystem::path found_weights;  ///< that the run's search left; empty: of no run
  LoadedExperiment experiment;
  Genotype genotype;
  std::string arch;
  Graph graph;                                   ///< what of it is live
  std::optional<std::filesystem::path> weights;  ///< of a training

  const Study& study() const { return experiment.studies.front(); }
};

/// Throws InputError.
ChosenNetwork chosen_network(const NetworkArguments& arguments, const World& world);

/// Says so where the experiment's data are no longer those that the network was trained on, and
/// where it learned on a device.
void remark_on_training(const TrainedNetwork& trained, const Study& study);

}  // namespace thimble::cli
