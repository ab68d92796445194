#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <thimble/farm/engine.hpp>
#include <thimble/nn/propagation/device.hpp>

#include "cli.hpp"

namespace thimble::cli {

/// Who computes, as a command line says, and what has to be started.
struct ChosenEngine {
  std::unique_ptr<Engine> engine;  ///< or none
  Array worker;                    ///< but for its tasks
  /// Where nobody waits for the end: leaves that to the engine, and throws Detached.
  std::function<void(const std::filesystem::path& run, const std::vector<std::string>& ids)> detach;
};

/// What is submitted goes on, and so will the run.
struct Detached {
  std::string words;  ///< for the person, how to come back
};

/// Throws InputError.
ChosenEngine chosen_engine(const RunArguments& arguments, const World& world);

/// What trainings run on, here or where the engine computes. Throws InputError.
Device trainings_device(const EngineArguments& arguments);

/// What an engine would be asked for by an experiment, for `thimble check`; nothing without one.
/// Throws InputError.
std::string engine_preview(const EngineArguments& arguments, const LoadedExperiment& experiment,
                           const World& world);

}  // namespace thimble::cli
