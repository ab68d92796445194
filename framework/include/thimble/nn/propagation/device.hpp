#pragma once

#include <string>

#include <thimble/core/export.hpp>

namespace thimble {

/// What runs the passes of trainings. All else is the CPU's: samples, weights between two steps,
/// losses, integers.
struct Device {
  /// cpu: our kernels and LibTorch's. plain: LibTorch's alone, on the CPU. cuda, or cuda:1 and so
  /// on: the same operators on a GPU.
  std::string name = "cpu";

  bool is_cpu() const { return name == "cpu"; }
  /// Without a number.
  std::string kind() const { return name.substr(0, name.find(':')); }
};

/// What somebody asks for, here or elsewhere: a device, or auto, the first GPU where there is one
/// here and else the CPU. Throws InputError for words that name none.
THIMBLE_EXPORT Device device_named(const std::string& word);

/// Throws InputError where it is not here.
THIMBLE_EXPORT void require_here(const Device& device);

/// The devices that there are, as in "cpu, plain, cuda:0".
THIMBLE_EXPORT std::string known_devices();

}  // namespace thimble
