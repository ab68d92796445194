#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/network.hpp>

namespace thimble {

/// Weights of a file that trainings start with, as they were when it was read: it may change, and
/// what is trained has to be what was said.
struct StartWeights {
  std::string file;  ///< its name
  std::map<std::string, at::Tensor> tensors;
  std::string arch;     ///< the network that they are of, where the file says so
  std::string content;  ///< a fingerprint of names and numbers
};

/// Throws InputError where there are none.
THIMBLE_EXPORT StartWeights read_start_weights(const std::filesystem::path& file);

struct Taken {
  int weights = 0;
  int all = 0;  ///< that the network has
};

/// Gives a network those weights that have a name and a shape of its own, and leaves it the others.
/// Throws Error when there is none, or one is not finite.
THIMBLE_EXPORT Taken take_weights(Network& network, const StartWeights& start);

}  // namespace thimble
