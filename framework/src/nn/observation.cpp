#include <thimble/nn/observation.hpp>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/threads.hpp>

namespace thimble {
namespace {

/// Sums over such gradients are zero, which would rank, for some proxies in the middle.
void require_gradient(const Gradients& gradients, const std::vector<NodeId>& nodes) {
  const auto is_seen = [&](NodeId id) {
    const at::Tensor& gradient = gradients.parameters[static_cast<std::size_t>(id)].weight;
    return gradient.defined() && gradient.any().item<bool>();
  };
  if (!std::ranges::any_of(nodes, is_seen)) throw Error{"the loss does not depend on any weight"};
}

}  // namespace

Observation::Observation(const Network& network, std::span<const Samples> batches,
                         const Reads& reads, std::uint64_t seed, int repeat, LossGradient loss)
    : network_{network},
      batches_{batches},
      reads_{reads},
      seed_{seed},
      repeat_{repeat},
      loss_{std::move(loss)},
      seen_(batches.size()) {}

template <class Kept, class Make>
const Kept& Observation::once(std::optional<Kept>& kept, const Make& make) {
  if (kept) return *kept;
  // What is made on the way counts once.
  const double start = thread_seconds() - shared_seconds_;
  kept.emplace(make());
  shared_seconds_ = thread_seconds() - start;
  return *kept;
}

const Samples& Observation::samples(std::size_t batch) const {
  if (batch < batches_.size()) return batches_[batch];
  throw std::out_of_range{fmt::format(
      "it asks for batch {} of {}, counted from 0: its pass() must say how many batches it reads",
      batch, batches_.size())};
}

Observation::Seen& Observation::seen(std::size_t batch) {
  samples(batch);  // throws where there is none
  return seen_[batch];
}

/// The first batch is the one that proxies look into; the outputs of others are let go.
void Observation::release(std::size_t batch) {
  if (batch > 0) seen_[batch].forward.reset();
}

const Forward& Observation::forward(std::size_t batch) {
  return once(seen(batch).forward, [&] {
    Forward made = propagate_forward(network_, images(batch));
    if (!logits_of(network_, made).isfinite().all().item<bool>())
      throw Error{"the network's outputs overflow"};
    return made;
  });
}

const Gradients& Observation::loss_gradients(std::size_t batch) {
  return once(seen(batch).loss_gradients, [&] {
    const Forward& run = forward(batch);
    Wanted wanted;
    if (reads_.output_gradients) wanted.outputs = weighted_nodes(graph());
    const at::Tensor seed = loss_(logits_of(network_, run), labels(batch));
    Gradients gradients = propagate_backward(network_, run, graph().output(), seed, wanted);
    require_gradient(gradients, weighted_nodes(graph()));
    release(batch);
    return gradients;
  });
}

const Gradients& Observation::output_gradients(std::size_t batch) {
  if (!reads_.output_gradients)
    throw std::logic_error{"it asks for output gradients, which its reads() does not tell of"};
  return loss_gradients(batch);
}

const at::Tensor& Observation::input_gradient(std::size_t batch) {
  return once(seen(batch).input_gradient, [&] {
    const Forward& run = forward(batch);
    const at::Tensor ones = at::ones_like(logits_of(network_, run));
    const Wanted wanted{.parameters = false, .outputs = {0}};
    at::Tensor gradient =
        propagate_backward(network_, run, graph().output(), ones, wanted).outputs[0];
    release(batch);
    return gradient;
  });
}

Random Observation::random(std::string_view purpose) const {
  return Random::stream(seed_, {"proxy", purpose, std::to_string(repeat_)});
}

}  // namespace thimble
