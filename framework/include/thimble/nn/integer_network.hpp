#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>

namespace thimble {

/// What a run of an int8 network leaves, by tensor.
struct IntegerRun {
  /// What it holds less its zero point, whole numbers in float: N x C x H x W, channels last.
  std::vector<at::Tensor> values;
  /// The lowest and highest real value that it would hold if int8 had no ends; behind a ReLU that
  /// is fused, of what the ReLU lets through.
  std::vector<Range> ranges;
};

/// An int8 network on many samples at once: every tensor as run_reference() gives it, bit for bit,
/// at the speed of float. Convolutions are LibTorch's on whole numbers in float, which is exact
/// while all partial sums stay below 2^24; where a filter's weights cannot promise that, the layer
/// is computed in double, exact to 2^53. All else is the reference's arithmetic. `const` members
/// are thread safe.
class THIMBLE_EXPORT IntegerNetwork {
 public:
  explicit IntegerNetwork(Int8Network network);

  const Int8Network& network() const noexcept { return network_; }
  /// A layer's weights as LibTorch has them (out x in/groups x kh x kw; linear: out x in, of the
  /// input channel by channel), whole numbers; undefined where it has none.
  const at::Tensor& weights(std::size_t layer) const { return weights_[layer]; }
  /// The same times their scales: real.
  at::Tensor rounded_weights(std::size_t layer) const;
  /// Whether float is not exact for the layer.
  bool is_double(std::size_t layer) const { return is_double_[layer]; }

  /// images: N x C x H x W in float, real values; they are rounded and clamped. Throws Error when
  /// they are of another shape.
  IntegerRun run(const at::Tensor& images) const;
  /// The same step by step: the input alone, and then one layer after the other.
  IntegerRun begin(const at::Tensor& images) const;
  void run_layer(std::size_t index, IntegerRun& run) const;
  /// What a run's tensor stands for: scale x (q - zero point), N x C x H x W.
  at::Tensor real(const IntegerRun& run, int tensor) const;
  /// The outputs, N x classes or N x C x H x W, real: what a float network's logits are compared
  /// with. Tensors are let go behind their last reader.
  at::Tensor forward(const at::Tensor& images) const;

 private:
  Int8Network network_;
  std::vector<at::Tensor> weights_;
  std::vector<bool> is_double_;
  std::vector<std::size_t> last_readers_;  ///< of each tensor: a layer
};

}  // namespace thimble
