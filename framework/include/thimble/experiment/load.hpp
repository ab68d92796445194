#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/study.hpp>

namespace thimble {

/// Everything an experiment file names, checked and made: one study for each point of its sweep.
struct LoadedExperiment {
  std::string text;  ///< as the file has it
  std::vector<Study> studies;
  std::vector<SweepPoint> points;
  std::string identity;  ///< fingerprint of everything that the result depends on
};

/// Reads and checks an experiment. Throws InputError with all its problems.
THIMBLE_EXPORT LoadedExperiment load_experiment(const std::filesystem::path& file,
                                                const std::vector<Assignment>& overrides,
                                                PluginLoader& loader);

}  // namespace thimble
