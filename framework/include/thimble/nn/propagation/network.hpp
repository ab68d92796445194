#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/propagation/device.hpp>

namespace thimble {

/// How weights are drawn. Biases are 0 except under torch_default; batch norm starts at
/// scale 1 and shift 0 always.
enum class Init {
  torch_default,           ///< conv and linear U(-1/sqrt(fan_in), 1/sqrt(fan_in)), biases too
  kaiming_normal_fan_out,  ///< N(0, 2 / fan_out) for conv, and for linear too
  kaiming_normal_fan_in,   ///< N(0, 2 / fan_in)
  standard_normal,         ///< N(0, 1)
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Init>>& names_of(Init);

/// A graph made executable with LibTorch. Batch norm normalises by the statistics that the network
/// was given, or by those of the batch at hand; running a network changes nothing in it. An open
/// choice is the mean of its alive options, or their sum by the shares of mixed(). A node without
/// any path to the input (`zero`) gives zeros.
///
/// The weights of a node depend on the seed, the stream and the node's name alone: a supernet and
/// a network derived from it share them, which pairs their scores (common random numbers).
/// `const` members are thread safe.
class THIMBLE_EXPORT Network {
 public:
  /// Undefined tensors where a node has none. conv: out x in/groups x kh x kw; linear: out x in;
  /// batch norm: weight is the scale, bias the shift.
  struct Parameters {
    at::Tensor weight;
    at::Tensor bias;
  };

  /// What a batch norm normalises by, a number a channel. Undefined: the batch's own.
  struct Statistics {
    at::Tensor mean;
    at::Tensor variance;  ///< over all there is, not estimated from a sample
  };

  explicit Network(Graph graph, at::ScalarType precision = at::kFloat);
  Network(Network&&) noexcept = default;
  Network& operator=(Network&&) noexcept = default;
  Network& operator=(const Network&) = delete;
  ~Network() = default;
  /// With weights of its own. A plain copy would have the same tensors, and change with this one.
  Network clone() const;

  /// The same network with weights of its own, on a device: run by LibTorch's operators alone.
  Network on(const Device& device) const;
  /// Whether it is such a one: our kernels are the CPU's.
  bool is_plain() const noexcept { return is_plain_; }
  /// Where its tensors are, and images are to be.
  at::Device place() const noexcept { return place_; }

  /// The same network, with the same tensors, in which choices are the sums of their options times
  /// these (a continuous relaxation: Liu et al., arXiv 1806.09055, equation 2).
  Network mixed(OptionNumbers shares) const;
  bool is_mixed() const noexcept { return !shares_.empty(); }
  /// What the inputs of a choice are multiplied by in a network that is mixed.
  std::vector<double> shares(const Node& choice) const;

  /// Draws every weight anew, in float, so that a network in double has the same ones.
  void initialise(Init init, std::uint64_t seed, std::string_view stream);

  const Graph& graph() const noexcept { return graph_; }
  at::ScalarType precision() const noexcept { return precision_; }
  const Parameters& parameters(NodeId id) const {
    return parameters_[static_cast<std::size_t>(id)];
  }
  Parameters& parameters(NodeId id) { return parameters_[static_cast<std::size_t>(id)]; }
  const Statistics& statistics(NodeId id) const {
    return statistics_[static_cast<std::size_t>(id)];
  }
  Statistics& statistics(NodeId id) { return statistics_[static_cast<std::size_t>(id)]; }
  /// All parameters, in the order of the nodes.
  std::vector<at::Tensor> all_parameters() const;

  /// The first node that does the same work to the same input without weights, as the options of
  /// a choice often do; mostly the node itself. It is run once.
  NodeId twin(NodeId id) const { return twins_[static_cast<std::size_t>(id)]; }
  /// Whether tensors lie channels last: faster for all but narrow networks.
  bool is_channels_last() const noexcept { return is_channels_last_; }

  /// images: N x C x H x W in this network's precision. Returns logits, N x
  /// classes, or N x C x H x W where it ends in a map.
  at::Tensor forward(const at::Tensor& images) const;

 private:
  Network(const Network&) = default;

  Graph graph_;
  at::ScalarType precision_;
  std::vector<Parameters> parameters_;
  std::vector<Statistics> statistics_;
  std::vector<NodeId> twins_;
  OptionNumbers shares_;  ///< empty: options alike
  bool is_channels_last_ = false;
  bool is_plain_ = false;
  at::Device place_ = at::kCPU;
};

}  // namespace thimble
