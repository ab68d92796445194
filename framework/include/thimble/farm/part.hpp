#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// What one worker does of a run.
struct Part {
  enum class Kind : std::uint8_t {
    point,       ///< the whole search of a point of the sweep
    candidates,  ///< some networks of one search
    supernets,   ///< some states of a supernet of one search
    training     ///< one network with one seed
  };
  Kind kind = Kind::point;
  std::size_t point = 0;   ///< whose, from 0
  std::uint64_t seed = 0;  ///< of a training
  std::string key;  ///< of everything that its values hang on: who finds another may not work on it
  std::vector<std::string>
      candidates;  ///< or the one network of a training, and what its data are called

  /// Of what it does, so that it is found again by whoever plans the same: "point-003-90ab12...".
  THIMBLE_EXPORT std::string name() const;
};

/// Into RUN/farm/parts.
THIMBLE_EXPORT void write_part(const std::filesystem::path& run, const Part& part);
/// Their names, in order.
THIMBLE_EXPORT std::vector<std::string> parts_of(const std::filesystem::path& run);
/// Throws InputError when there is none of that name, or it is damaged.
THIMBLE_EXPORT Part read_part(const std::filesystem::path& run, const std::string& name);

}  // namespace thimble
