#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/network.hpp>

namespace thimble {

/// Where a node's parameters begin among all of its network's, in the order of FlatParameters; -1
/// where there are none.
struct ParameterBegin {
  std::int64_t weight = -1;
  std::int64_t bias = -1;
};
THIMBLE_EXPORT std::vector<ParameterBegin> parameter_begins(const Network& network);

/// Where the parameters of a smaller network lie among those of the one that it was made from, both
/// in the order of FlatParameters: nodes of one name have the same weights, but for the channels
/// that are gone. `kept` has those that each node of `part` still has.
THIMBLE_EXPORT at::Tensor parameter_places(const Network& whole, const Graph& part,
                                           const std::vector<std::vector<int>>& kept);

}  // namespace thimble
