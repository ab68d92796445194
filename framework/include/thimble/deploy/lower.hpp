#pragma once

#include <cstdint>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// No generated C can run the network: an operator is not known, or a memory is too small.
class THIMBLE_EXPORT Unsupported : public Error {
 public:
  using Error::Error;
  ~Unsupported() override;
};

/// What a node has of trained numbers, in plain memory; empty where it has none.
struct FloatParameters {
  /// conv: out x in/groups x kh x kw; linear: out x in, of the input channel by channel;
  /// batch norm: the scale.
  std::vector<float> weight;
  std::vector<float> bias;      ///< batch norm: the shift
  std::vector<float> mean;      ///< batch norm only
  std::vector<float> variance;  ///< batch norm only; with the epsilon in it
  /// Of the weights' integers: one a filter, of a fully connected layer one. Empty: the largest
  /// weight of each is 127 or -127.
  std::vector<float> scales = {};
};

/// The values a node's output takes.
struct Range {
  float lowest = 0;
  float highest = 0;
};

/// A network in float as it is lowered from: no LibTorch here. One entry a node of `graph`.
struct FloatNetwork {
  Graph graph;  ///< without open choices, connected
  std::vector<FloatParameters> parameters;
  std::vector<Range> ranges;  ///< seen on some real inputs (calibration)
};

/// A network of a graph's shapes with drawn weights and plausible ranges: what costs are profiled
/// on, since they do not depend on values.
THIMBLE_EXPORT FloatNetwork drawn_network(const Graph& graph, std::uint64_t seed);

/// The layers of a network as lower() makes them, without any constants and with every quantisation
/// the same: all that costs and memory plans need. `deployed` is what deployed() gives.
THIMBLE_EXPORT Int8Network skeleton(const Graph& deployed);

/// The same function as its int8 layers will compute it: a node for each of them, batch norms in
/// the filters before them or, where there are none, as depthwise convolutions of 1x1, and a bias
/// for every filter.
THIMBLE_EXPORT FloatNetwork folded(const FloatNetwork& network);

/// Lowers a network to int8: folded, ReLU fused where it can be, weights symmetric in
/// [-127, 127] per output channel (fully connected: per tensor), activations asymmetric per tensor.
/// Throws Unsupported for a sum of more than sixteen terms, and when a node is a choice.
THIMBLE_EXPORT Int8Network lower(const FloatNetwork& network);
/// The same of what folded() gives, node for layer; lower(n) is lower_folded(folded(n)).
THIMBLE_EXPORT Int8Network lower_folded(const FloatNetwork& folded);

}  // namespace thimble
