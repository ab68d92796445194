#include <thimble/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/loss.hpp>

namespace thimble {
namespace {

/// Of a batch, fewer samples are left out: batch norm would see too few.
constexpr std::int64_t kFewestSamples = 8;

std::int64_t steps_for(std::int64_t samples, std::int64_t batch) {
  const std::int64_t rest = samples % batch;
  return samples / batch + (rest >= kFewestSamples ? 1 : 0);
}

std::int64_t train_samples_of(const Dataset& data) {
  const DatasetInfo info = data.describe();
  if (info.train_samples < kFewestSamples)
    throw Error{fmt::format("{} has {}: too few to train on", info.name,
                            count_text(info.train_samples, "training sample"))};
  return info.train_samples;
}

std::span<const std::int64_t> part_of(const std::vector<std::int64_t>& all, std::int64_t begin,
                                      std::int64_t count) {
  const auto rest = std::span{all}.subspan(at(begin));
  return rest.first(std::min(rest.size(), at(count)));
}

}  // namespace

Trainer::Trainer(Network& network, const Dataset& data, const Recipe& recipe, std::uint64_t seed,
                 int jobs)
    : network_{network},
      data_{data},
      recipe_{recipe},
      seed_{seed},
      jobs_{jobs},
      parameters_{network},
      optimiser_{recipe, parameters_},
      samples_{train_samples_of(data)},
      batch_{std::min<std::int64_t>(recipe.batch, samples_)},
      steps_of_epoch_{steps_for(samples_, batch_)} {}

EpochOutcome Trainer::run_epoch() {
  const std::int64_t steps = steps_of_epoch_ * recipe_.epochs;
  const auto order =
      Random::stream(seed_, {"order", std::to_string(epochs_done_)}).sample(samples_, samples_);
  EpochOutcome outcome;
  std::int64_t seen = 0;
  for (std::int64_t i = 0; i < steps_of_epoch_; ++i) {
    stop_if_requested();
    outcome.learning_rate = learning_rate(recipe_, epochs_done_ * steps_of_epoch_ + i, steps);
    const auto places = part_of(order, i * batch_, batch_);
    const StepOutcome done = step(data_.batch(Split::train, places), outcome.learning_rate);
    outcome.loss += done.loss_sum;
    outcome.accuracy += static_cast<double>(done.right);
    seen += static_cast<std::int64_t>(places.size());
  }
  outcome.loss /= static_cast<double>(seen);
  outcome.accuracy /= static_cast<double>(seen);
  ++epochs_done_;
  return outcome;
}

Trainer::StepOutcome Trainer::step(const Samples& batch, double learning_rate) {
  const at::NoGradGuard no_grad;
  const std::int64_t count = batch.images.size(0);
  const std::int64_t parts = std::min<std::int64_t>(recipe_.micro_batches, count);
  std::vector<Loss> losses(at(parts));
  std::vector<at::Tensor> gradients(at(parts));
  in_parallel(jobs_, at(parts), [&](std::size_t i) {
    const at::NoGradGuard no_grad_here;
    const auto begin = count * static_cast<std::int64_t>(i) / parts;
    const auto end = count * static_cast<std::int64_t>(i + 1) / parts;
    const at::Tensor images = batch.images.slice(0, begin, end).to(network_.precision());
    const Forward forward = propagate_forward(network_, images);
    losses[i] = cross_entropy(logits_of(network_, forward), batch.labels.slice(0, begin, end),
                              recipe_.label_smoothing);
    const NodeId output = network_.graph().output();
    const at::Tensor seed = losses[i].gradient / static_cast<double>(count);
    gradients[i] = parameters_.flat(propagate_backward(network_, forward, output,
                                                       seed.view(forward.output(output).sizes()),
                                                       {.parameters = true, .outputs = {}}));
  });
  StepOutcome outcome;
  for (const Loss& loss : losses) {
    outcome.loss_sum += loss.sum;
    outcome.right += loss.right;
  }
  if (!std::isfinite(outcome.loss_sum))
    throw Error{"the loss is not finite", "take a lower learning rate, or a longer warm-up"};
  for (std::size_t i = 1; i < gradients.size(); ++i) gradients[0] += gradients[i];
  optimiser_.step(gradients[0], learning_rate);
  return outcome;
}

void settle_statistics(Network& network, const Samples& samples, std::int64_t batch) {
  const at::NoGradGuard no_grad;
  const std::int64_t count = samples.images.size(0);
  std::vector<at::Tensor> means(at(network.graph().size()));
  std::vector<at::Tensor> squares(means.size());
  for (std::int64_t begin = 0; begin < count; begin += batch) {
    const std::int64_t end = std::min(count, begin + batch);
    const double share = static_cast<double>(end - begin) / static_cast<double>(count);
    const Forward forward =
        propagate_forward(network, samples.images.slice(0, begin, end).to(network.precision()));
    for (NodeId id = 0; id < network.graph().size(); ++id) {
      if (network.graph().node(id).op != Op::batch_norm) continue;
      const at::Tensor mean = forward.means[at(id)].to(at::kDouble);
      const at::Tensor variance =
          forward.inverse_deviations[at(id)].to(at::kDouble).pow(-2) - kBatchNormEpsilon;
      const auto add = [&](at::Tensor& sum, const at::Tensor& term) {
        sum = sum.defined() ? sum + share * term : share * term;
      };
      add(means[at(id)], mean);
      add(squares[at(id)], variance + mean * mean);
    }
  }
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    if (!means[at(id)].defined()) continue;
    const at::Tensor& mean = means[at(id)];
    network.statistics(id) = {mean.to(network.precision()),
                              (squares[at(id)] - mean * mean).clamp_min(0).to(network.precision())};
  }
}

double accuracy(const Network& network, const Dataset& data, Split split, std::int64_t samples,
                int jobs) {
  constexpr std::int64_t kBatch = 128;
  std::vector<std::int64_t> places(at(samples));
  std::iota(places.begin(), places.end(), 0);
  const auto batches = at((samples + kBatch - 1) / kBatch);
  std::vector<std::int64_t> right(batches);
  in_parallel(jobs, batches, [&](std::size_t i) {
    stop_if_requested();
    const at::NoGradGuard no_grad;
    const Samples batch =
        data.batch(split, part_of(places, static_cast<std::int64_t>(i) * kBatch, kBatch));
    const at::Tensor logits = network.forward(batch.images.to(network.precision()));
    right[i] = logits.argmax(1).eq(batch.labels).sum().item<std::int64_t>();
  });
  return static_cast<double>(std::accumulate(right.begin(), right.end(), std::int64_t{0})) /
         static_cast<double>(samples);
}

}  // namespace thimble
