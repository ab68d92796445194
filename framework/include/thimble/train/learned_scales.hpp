#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble {

/// Scales of integers as numbers that are learned (learned step size quantisation, LSQ: Esser et
/// al., arXiv 1902.08153): one a filter (fully connected: one a layer), and one for each tensor
/// whose range is its own. Zero points stay where they are. With v = s x clamp(round(x / s)), and
/// straight through the rounding, section 2.1 has
///
///     dv / ds = round(x / s) - x / s, or the end of the integers where x lies beyond it,
///
/// and section 2.2 divides the sum over a tensor by sqrt(numbers in it x largest integer), so that
/// scales learn at the pace of weights.
///
/// What the optimiser has is the largest value, s x largest integer: it is of the size of weights,
/// by which Adam's steps go. Its gradient is the scale's times that integer, which moves the scale
/// in a step of SGD as the paper does.
class THIMBLE_EXPORT LearnedScales {
 public:
  /// They begin as lower_folded() takes them.
  explicit LearnedScales(const FloatNetwork& folded);

  /// The largest values; they may be made views of another buffer.
  std::vector<at::Tensor*> tensors() { return {&of_tensors_, &of_filters_}; }
  /// Gives the network these scales.
  void apply(FloatNetwork& folded) const;
  /// Around a step of the optimiser, in which no scale changes by more than a hundredth: values
  /// beyond the ends pull all in one direction, and would turn a small tensor's scale around.
  void begin_step();
  void end_step();

  /// A way of a micro-batch through the integers and back.
  struct Steps {
    const at::Tensor& images;  ///< as they were before rounding
    const Network& exact;      ///< weights before rounding
    const Network& rounded;    ///< weights behind it, and biases
    const IntegerNetwork& integers;
    const Forward& forward;  ///< of `rounded`, as the integers have it
  };
  /// The gradients by tensors(), of those by weights and outputs. No gradient is left by weights
  /// that were clamped.
  std::vector<at::Tensor> gradients(const Steps& steps, Gradients& found) const;
  /// Nodes by whose outputs gradients are needed.
  std::vector<NodeId> nodes() const;

 private:
  double of_output(const Steps& steps, NodeId id, const at::Tensor& gradient,
                   const std::vector<at::Tensor>& outputs) const;
  void by_filters(const Steps& steps, NodeId id, at::Tensor& gradient, at::Tensor& into) const;

  std::vector<NodeId> owners_;       ///< whose scale each tensor has
  std::vector<std::int32_t> zeros_;  ///< zero point of each tensor
  std::vector<std::int64_t> first_;  ///< of each node's filters among all
  at::Tensor of_tensors_;            ///< one a node, also where it has another's scale
  at::Tensor of_filters_;
  std::vector<at::Tensor> before_;  ///< the step at hand
};

}  // namespace thimble
