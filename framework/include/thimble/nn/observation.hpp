#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/pass.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble {

/// The gradient of the mean loss over a batch by the outputs, of their shape: N x classes, or N x C
/// x H x W of a network that ends in a map.
using LossGradient = std::function<at::Tensor(const at::Tensor& outputs, const at::Tensor& labels)>;

/// One network under one pass, once drawn. All proxies of equal passes see the same one; what they
/// read is computed when first asked for and then kept, but for the forward runs of batches after
/// the first, which end with any of their gradients. A batch beyond those of the pass, and output
/// gradients that `reads` does not tell of, throw std::logic_error: the plugin's fault. Used by one
/// thread at a time.
class THIMBLE_EXPORT Observation {
 public:
  /// `reads` is the sum of what is told to be read; `seed` and `repeat` name the random numbers.
  Observation(const Network& network, std::span<const Samples> batches, const Reads& reads = {},
              std::uint64_t seed = 0, int repeat = 0, LossGradient loss = cross_entropy_gradient);

  /// Scores must leave it as it is: clone() it to change it.
  const Network& network() const noexcept { return network_; }
  const Graph& graph() const noexcept { return network_.graph(); }
  /// Pass::batches of them or more, in the network's precision and input shape.
  std::span<const Samples> batches() const noexcept { return batches_; }
  const at::Tensor& images(std::size_t batch = 0) const { return samples(batch).images; }
  const at::Tensor& labels(std::size_t batch = 0) const { return samples(batch).labels; }

  /// Every node's output for one batch, and batch norm's statistics. Throws Error when the logits
  /// are not finite, and so does what follows from it. Of a batch after the first, what it refers
  /// to lives until that batch's gradients are asked for.
  const Forward& forward(std::size_t batch = 0);
  /// Of the mean loss of one batch, cross-entropy or what the task of boxes has: by every
  /// parameter, and by the output of every convolution and fully connected layer. Throws Error when
  /// those by the weights of all of these layers are zero: nothing that the network computes
  /// reaches its outputs.
  const Gradients& loss_gradients(std::size_t batch = 0);
  const Gradients& output_gradients(std::size_t batch = 0);
  /// Of the sum of all logits by the images of one batch, N x C x H x W.
  const at::Tensor& input_gradient(std::size_t batch = 0);

  /// Random numbers of a proxy's own: the same for every candidate.
  Random random(std::string_view purpose) const;

  /// Processor time of what was computed for all; what a proxy's own work took is beside it.
  double shared_seconds() const noexcept { return shared_seconds_; }

 private:
  template <class Kept, class Make>
  const Kept& once(std::optional<Kept>& kept, const Make& make);

  struct Seen {
    std::optional<Forward> forward;
    std::optional<Gradients> loss_gradients;
    std::optional<at::Tensor> input_gradient;
  };

  const Samples& samples(std::size_t batch) const;
  Seen& seen(std::size_t batch);
  void release(std::size_t batch);

  const Network& network_;
  std::span<const Samples> batches_;
  Reads reads_;
  std::uint64_t seed_;
  int repeat_;
  LossGradient loss_;
  std::vector<Seen> seen_;
  double shared_seconds_ = 0;
};

/// The sum, in double, of what `term(weight, its loss gradient)` gives, a tensor of any shape, over
/// convolutions and fully connected layers. Without gradient is what does not reach the output.
template <class Term>
double sum_over_weights(Observation& seen, const Term& term, std::size_t batch = 0) {
  const Gradients& gradients = seen.loss_gradients(batch);
  double sum = 0;
  for (const NodeId id : weighted_nodes(seen.graph())) {
    const at::Tensor& gradient = gradients.parameters[static_cast<std::size_t>(id)].weight;
    if (gradient.defined())
      sum += term(seen.network().parameters(id).weight, gradient)
                 .sum(at::kDouble)
                 .template item<double>();
  }
  return sum;
}

}  // namespace thimble
