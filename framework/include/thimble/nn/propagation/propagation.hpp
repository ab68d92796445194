#pragma once

#include <limits>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/blend.hpp>
#include <thimble/nn/propagation/network.hpp>

/// A network run forwards and backwards, node by node, with LibTorch's operators and without its
/// tape: one run forwards serves any number of runs backwards, each of which computes only what is
/// asked for. Functions here change nothing they are given and are thread safe.
namespace thimble {

/// Between which values an output was held.
struct Clamp {
  float lowest = -std::numeric_limits<float>::infinity();
  float highest = std::numeric_limits<float>::infinity();
};

/// What a forward run leaves, by node. In wide networks, what batch norm gives is not written down
/// where only sums and ReLUs read it, and sums not where only ReLUs do.
struct THIMBLE_EXPORT Forward {
  std::vector<Blend> blends;
  std::vector<at::Tensor> means;               ///< of batch norm's inputs, by channel
  std::vector<at::Tensor> inverse_deviations;  ///< 1 / sqrt(variance + 1e-5), likewise
  /// Where an output has reached these, no gradient passes. Empty: only activations clamp.
  std::vector<Clamp> clamps;

  /// A node's output, N x C x H x W, or N x out behind fully connected layers; computed with every
  /// call where it is not written down.
  at::Tensor output(NodeId id) const { return blends[static_cast<std::size_t>(id)].value(); }
  /// The same of one sample, C x H x W or out.
  at::Tensor output(NodeId id, std::int64_t sample) const {
    return blends[static_cast<std::size_t>(id)].value(sample);
  }
};

/// images: N x C x H x W in the network's precision. Batch norm takes the batch's statistics, also
/// when the network has others.
THIMBLE_EXPORT Forward propagate_forward(const Network& network, const at::Tensor& images);

/// The outputs of a forward run: N x classes, or N x C x H x W where the network ends in a map.
THIMBLE_EXPORT at::Tensor logits_of(const Network& network, const Forward& forward);

/// What a backward run is to compute.
struct Wanted {
  bool parameters = true;
  /// Gradients by the outputs of these; 0 is the input. A node's includes its twins'.
  std::vector<NodeId> outputs;
};

/// By node; undefined where not wanted, and where the seed does not depend on it.
struct Gradients {
  std::vector<Network::Parameters> parameters;
  std::vector<at::Tensor> outputs;
};

/// The gradients of <seed, output of `from`>. `seed` has the shape of that output.
THIMBLE_EXPORT Gradients propagate_backward(const Network& network, const Forward& forward,
                                            NodeId from, const at::Tensor& seed,
                                            const Wanted& wanted);

/// The gradient of the mean cross-entropy by the logits: (softmax(logits) - one-hot(labels)) / N.
THIMBLE_EXPORT at::Tensor cross_entropy_gradient(const at::Tensor& logits,
                                                 const at::Tensor& labels);

/// The nodes with a weight that is trained against the loss alone: convolutions and fully
/// connected layers.
THIMBLE_EXPORT std::vector<NodeId> weighted_nodes(const Graph& graph);

/// The nodes with a ReLU, their own or a fused one.
THIMBLE_EXPORT std::vector<NodeId> relu_nodes(const Graph& graph);

}  // namespace thimble
