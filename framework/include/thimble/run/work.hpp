#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include <thimble/core/export.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/farm/part.hpp>
#include <thimble/farm/shard.hpp>
#include <thimble/nn/propagation/device.hpp>
#include <thimble/plugin/loader.hpp>

namespace thimble {

/// Fingerprint of everything that a study's values hang on: parts carry it, and a worker that finds
/// another has other data, plugins or library than the process that made the part.
THIMBLE_EXPORT std::string key_of_values(const Study& study);

/// What `thimble work` is told.
struct WorkOptions {
  std::filesystem::path run;  ///< folder of the run
  std::string part;           ///< its name
  int jobs = 1;
  Device device = {};  ///< of trainings
  std::function<void(const std::string&)> say = [](const std::string&) {};
  /// Called with the shard before anything is computed.
  std::function<void(const Shard&)> begun = [](const Shard&) {};
};

/// Computes one part of a run into a shard of its own. Throws what ended it, having noted it there.
THIMBLE_EXPORT void work(const WorkOptions& options, PluginLoader& loader);

}  // namespace thimble
