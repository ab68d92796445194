#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// A training of a network whose weights are there.
struct RecordedTraining {
  std::string dataset;  ///< its name in `train.datasets`; none where it is the experiment's own
  std::uint64_t seed = 0;
  std::filesystem::path weights{};
};

/// Begins the comment that says what a run's numbers were computed with.
inline constexpr const char* kArithmeticLine = "# arithmetic ";
/// And on which device its networks were trained.
inline constexpr const char* kDeviceLine = "# device ";

/// One network of a run, found by its number.
struct RecordedNetwork {
  std::size_t number = 0;
  std::string arch;
  std::filesystem::path experiment;         ///< of its point, with every value
  std::filesystem::path found_weights;      ///< that its search left, if it did
  std::vector<RecordedTraining> trainings;  ///< in order
};

/// The experiment of one of a run's points, from 0, with every value.
THIMBLE_EXPORT std::filesystem::path resolved_file(const std::filesystem::path& run,
                                                   std::size_t point);

/// What the numbers of a run were computed with, as its resolved experiment says; nothing where it
/// does not.
THIMBLE_EXPORT std::string recorded_arithmetic(const std::filesystem::path& run);

/// The device that its trainings ran on when it was last run, as Device::name; nothing where it
/// trained nothing.
THIMBLE_EXPORT std::string recorded_device(const std::filesystem::path& run);

/// Throws InputError when the folder is no run's, or has no such network.
THIMBLE_EXPORT RecordedNetwork find_network(const std::filesystem::path& run, std::size_t number);

}  // namespace thimble
