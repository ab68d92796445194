#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// One network of a run, found by its number.
struct THIMBLE_EXPORT RecordedNetwork {
  std::size_t number = 0;
  std::string arch;
  std::filesystem::path experiment;  ///< of its point, with every value
  std::vector<std::uint64_t> seeds;  ///< of its trainings, in order
  std::filesystem::path folder;      ///< of the run

  /// The weights of a training with one of the seeds.
  std::filesystem::path weights(std::uint64_t seed) const;
};

/// Throws InputError when the folder is no run's, or has no such network.
THIMBLE_EXPORT RecordedNetwork find_network(const std::filesystem::path& run, std::size_t number);

}  // namespace thimble
