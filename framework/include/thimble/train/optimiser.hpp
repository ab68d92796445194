#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

/// Numbers side by side, in the order of the nodes, a node's weight before its bias; whether weight
/// decay is for them, and whether they are the last layer's.
struct ParameterRun {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  bool decays = false;
  bool is_last = false;
};

/// All parameters of a network in one buffer, of which the network's tensors are views from then
/// on: an optimiser's step is one loop.
class THIMBLE_EXPORT FlatParameters {
 public:
  /// Moves the network's parameters here, and `more` behind them; they must outlive this, and keep
  /// their tensors.
  explicit FlatParameters(Network& network, const std::vector<at::Tensor*>& more = {});

  const at::Tensor& values() const noexcept { return values_; }
  const std::vector<ParameterRun>& runs() const noexcept { return runs_; }
  /// Gradients in the same order, zeros where nothing was computed; `more` by what came behind.
  at::Tensor flat(const Gradients& gradients, const std::vector<at::Tensor>& more = {}) const;

 private:
  const Network& network_;
  std::vector<ParameterRun> runs_;
  at::Tensor values_;
};

/// What a step makes of a gradient. One buffer for each moment; no thread but the caller's.
class THIMBLE_EXPORT Optimiser {
 public:
  Optimiser(const Recipe& recipe, const FlatParameters& parameters);

  /// Clips the gradient and changes the parameters. Throws Error when it is not finite.
  void step(const at::Tensor& gradient, double learning_rate);
  std::int64_t steps() const;
  /// What the next step depends on: views, to be read and to be written.
  std::map<std::string, at::Tensor> state() const;

 private:
  Recipe recipe_;
  const FlatParameters& parameters_;
  at::Tensor first_;
  at::Tensor second_;  ///< of Adam
  at::Tensor steps_;   ///< a number, as all that is kept
};

}  // namespace thimble
