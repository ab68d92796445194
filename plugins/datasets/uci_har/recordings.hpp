#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

/// The two layouts of files in which the data comes.
namespace uci_har {

constexpr std::size_t kSensors = 9;
constexpr std::size_t kLength = 128;
constexpr std::int64_t kActivities = 6;
constexpr std::int64_t kPeople = 30;

/// Windows as recorded, in the order of the files.
struct Recordings {
  /// Windows x kSensors x kLength: acceleration of the body in g, angular velocity in rad/s, total
  /// acceleration in g, each along x, y and z.
  std::vector<float> signals;
  std::vector<std::int64_t> activities;  ///< 0 to kActivities - 1
  std::vector<std::int64_t> people;      ///< 1 to kPeople
};

/// Both parts of the official split, the training part first, in whichever layout the folder has:
/// the text of the UCI repository (train/ and test/), or arrays (X_train_i16.npy and so on). Throws
/// InputError that names the file and what is wrong with it.
Recordings read_recordings(const std::filesystem::path& folder);

}  // namespace uci_har
