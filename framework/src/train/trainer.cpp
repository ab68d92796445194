#include <thimble/train/trainer.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/train/loss.hpp>

namespace thimble {
namespace {

/// In a state, where there is no number.
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

std::span<const std::int64_t> part_of(std::span<const std::int64_t> all, std::int64_t begin,
                                      std::int64_t count) {
  const auto rest = all.subspan(at(begin));
  return rest.first(std::min(rest.size(), at(count)));
}

const Wanted kOfParameters{.parameters = true, .outputs = {}};

/// A fully connected classifier at the end of a network, some of whose inputs are left out (Hinton
/// et al., arXiv 1207.0580); the others count the more, so that their sum stays what it was.
class ThinnedClassifier {
 public:
  ThinnedClassifier(const Network& network, const Forward& forward)
      : network_{network},
        forward_{forward},
        input_{network.graph().inputs(network.graph().output())[0]},
        features_{forward.output(input_).flatten(1)} {}

  /// Each input of each sample with this probability.
  void drop(double share, std::uint64_t seed, int epoch, std::span<const std::int64_t> places) {
    factors_ = at::empty(features_.sizes(), at::kFloat);
    auto* factor = factors_.data_ptr<float>();
    const auto kept = static_cast<float>(1 / (1 - share));
    for (const std::int64_t place : places) {
      Random random =
          Random::stream(seed, {"dropout", std::to_string(place), std::to_string(epoch)});
      for (std::int64_t i = 0; i < features_.size(1); ++i)
        *factor++ = random.uniform() < share ? 0 : kept;
    }
    factors_ = factors_.to(features_.options());
    features_ = features_ * factors_;
  }

  at::Tensor outputs() const {
    const at::Tensor outputs = features_.matmul(own().weight.t());
    return own().bias.defined() ? outputs + own().bias : outputs;
  }

  /// Of the whole network, where `seed` is the gradient by the outputs.
  Gradients gradients(const at::Tensor& seed) const {
    const at::Tensor before = seed.matmul(own().weight) * factors_;
    Gradients all = propagate_backward(network_, forward_, input_,
                                       before.view(forward_.output(input_).sizes()), kOfParameters);
    Network::Parameters& classifier = all.parameters[at(network_.graph().output())];
    classifier.weight = seed.t().matmul(features_);
    if (own().bias.defined()) classifier.bias = seed.sum(0);
    return all;
  }

 private:
  const Network::Parameters& own() const { return network_.parameters(network_.graph().output()); }

  const Network& network_;
  const Forward& forward_;
  NodeId input_;
  at::Tensor features_;
  at::Tensor factors_;
};

std::map<std::string, at::Tensor> cloned(const std::map<std::string, at::Tensor>& tensors) {
  std::map<std::string, at::Tensor> made;
  for (const auto& [name, tensor] : tensors) made[name] = tensor.clone();
  return made;
}

/// A rate that is too high kills all ReLUs of a layer without batch norm for good: nothing but the
/// last biases learns from then on, and no loss tells. Of samples of one class it says nothing.
void require_life(const at::Tensor& outputs, const at::Tensor& labels, std::size_t epoch) {
  const auto alike = [](const at::Tensor& all) { return all.eq(all[0]).all().item<bool>(); };
  if (!alike(labels) && alike(outputs))
    throw Error{
        fmt::format("the network gives all samples the same outputs in epoch {}, and learns "
                    "nothing any more",
                    epoch),
        "take a lower learning rate, a longer warm-up, or gradient_clip"};
}

}  // namespace

at::Tensor tensor_of(const std::vector<EpochOutcome>& epochs) {
  at::Tensor numbers = at::empty({std::ssize(epochs), 4}, at::kDouble);
  auto* number = numbers.data_ptr<double>();
  for (const EpochOutcome& epoch : epochs)
    for (const double value : {epoch.learning_rate, epoch.loss, epoch.train_metric,
                               epoch.validation_metric.value_or(kNone)})
      *number++ = value;
  return numbers;
}

std::vector<EpochOutcome> epochs_of(const at::Tensor& numbers) {
  if (!numbers.defined() || numbers.dim() != 2 || numbers.size(1) != 4 ||
      numbers.scalar_type() != at::kDouble)
    throw Error{"these are not the numbers of epochs"};
  std::vector<EpochOutcome> epochs;
  const at::Tensor rows = numbers.contiguous();
  for (std::int64_t i = 0; i < rows.size(0); ++i) {
    const double* const row = rows.data_ptr<double>() + 4 * i;
    epochs.push_back({row[0], row[1], row[2], {}});
    if (!std::isnan(row[3])) epochs.back().validation_metric = row[3];
  }
  return epochs;
}

/// Of a micro-batch, or of a whole one.
struct Trainer::StepOutcome {
  double loss_sum = 0;
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> labels;
};

Trainer::Trainer(Learner& learner, const Task& task, const TrainingData& data, const Recipe& recipe,
                 std::uint64_t seed, int jobs)
    : learner_{learner},
      graph_{learner.network().graph()},
      task_{task},
      data_{data},
      recipe_{recipe},
      seed_{seed},
      jobs_{jobs},
      parameters_{learner.network(), learner.more()},
      optimiser_{recipe, parameters_},
      batches_{data.learned(), recipe.batch, seed, "order"},
      first_epoch_{at::zeros({1}, at::kLong)} {
  const Shape& last = graph_.node(graph_.output()).shape;
  if (!fits(last, task, data.info()))
    throw Error{fmt::format("the network has {}, dataset '{}' needs {}", outputs_text(last),
                            data.info().name, wanted_outputs_text(task, data.info()))};
  if (recipe.averaging > 0) mean_ = parameters_.values().clone();
  if (recipe.keep == Keep::best) best_ = cloned(handed_on());
}

TrainerHook::~TrainerHook() = default;

const EpochOutcome& Trainer::run_epoch() {
  const auto epoch = static_cast<std::int64_t>(epochs_.size());
  EpochOutcome outcome;
  StepOutcome all;
  std::int64_t seen = 0;
  for (std::int64_t i = 0; i < steps_of_epoch(); ++i) {
    stop_if_requested();
    const std::int64_t number = epoch * steps_of_epoch() + i;
    outcome.learning_rate = learning_rate(recipe_, number, steps_of_epoch() * recipe_.epochs);
    const auto places = batches_.at_step(number);
    StepOutcome done = step(places, outcome.learning_rate);
    all.loss_sum += done.loss_sum;
    std::ranges::move(done.outputs, std::back_inserter(all.outputs));
    std::ranges::move(done.labels, std::back_inserter(all.labels));
    seen += std::ssize(places);
  }
  require_life(all.outputs.back(), all.labels.back(), epochs_.size() + 1);
  outcome.loss = all.loss_sum / static_cast<double>(seen);
  outcome.train_metric = task_.measure(at::cat(all.outputs), at::cat(all.labels)).front();
  if (!data_.validated().empty()) {
    outcome.validation_metric = validate();
    keep_if_best(*outcome.validation_metric);
  }
  epochs_.push_back(outcome);
  return epochs_.back();
}

Trainer::StepOutcome Trainer::step(std::span<const std::int64_t> places, double learning_rate) {
  const auto count = std::ssize(places);
  const std::int64_t parts = std::min<std::int64_t>(recipe_.micro_batches, count);
  std::vector<StepOutcome> outcomes(at(parts));
  std::vector<at::Tensor> gradients(at(parts));
  learner_.begin_step(at(parts));
  in_parallel(jobs_, at(parts), [&](std::size_t i) {
    begin_worker();
    const auto begin = count * static_cast<std::int64_t>(i) / parts;
    const auto end = count * static_cast<std::int64_t>(i + 1) / parts;
    outcomes[i] = learn(places.subspan(at(begin), at(end - begin)), count, i, gradients[i]);
  });
  StepOutcome outcome;
  for (StepOutcome& part : outcomes) {
    outcome.loss_sum += part.loss_sum;
    std::ranges::move(part.outputs, std::back_inserter(outcome.outputs));
    std::ranges::move(part.labels, std::back_inserter(outcome.labels));
  }
  if (!std::isfinite(outcome.loss_sum))
    throw Error{"the loss is not finite", "take a lower learning rate, or a longer warm-up"};
  for (std::size_t i = 1; i < gradients.size(); ++i) gradients[0] += gradients[i];
  if (hook_ != nullptr) hook_->before_update(parameters_, gradients[0]);
  optimiser_.step(gradients[0], learning_rate);
  if (hook_ != nullptr) hook_->after_update(parameters_, optimiser_, optimiser_.steps() - 1);
  learner_.end_step(std::ssize(epochs_));
  average();
  return outcome;
}

/// Gradients of the mean loss over a batch, of a part of it.
Trainer::StepOutcome Trainer::learn(std::span<const std::int64_t> places, std::int64_t batch,
                                    std::size_t part, at::Tensor& gradient) {
  const at::NoGradGuard no_grad;
  const int epoch = static_cast<int>(epochs_.size());
  Samples samples = data_.batch(Split::train, places);
  augment(samples, recipe_.medium, recipe_.augmentation, seed_, epoch, places);
  const Forward forward = learner_.forward(samples.images, part);
  const Network& network = learner_.weights();
  const NodeId output = graph_.output();
  const bool drops_out = recipe_.dropout > 0 && graph_.node(output).op == Op::linear;
  std::optional<ThinnedClassifier> thinned;
  if (drops_out) {
    thinned.emplace(network, forward);
    thinned->drop(recipe_.dropout, seed_, epoch, places);
  }
  const at::Tensor outputs = (drops_out ? thinned->outputs() : logits_of(network, forward)).cpu();
  const Loss loss = task_.loss(outputs, samples.labels, data_.counts());
  const at::Tensor seed = (loss.gradient / static_cast<double>(batch)).to(network.place());
  Gradients found =
      drops_out ? thinned->gradients(seed)
                : propagate_backward(network, forward, output,
                                     seed.view(forward.output(output).sizes()), learner_.wanted());
  const auto more = learner_.more_gradients(samples.images, forward, found);
  gradient = parameters_.flat(found, more).cpu();
  return {loss.sum, {outputs}, {samples.labels}};
}

/// A mean over few steps must not hang on the first weights: it forgets sooner at the start.
void Trainer::average() {
  if (!mean_.defined()) return;
  const auto steps = static_cast<double>(optimiser_.steps());
  const double kept = std::min(recipe_.averaging, (1 + steps) / (10 + steps));
  mean_.mul_(kept).add_(parameters_.values(), 1 - kept);
}

double Trainer::validate() {
  const at::Tensor learned = parameters_.values().clone();
  if (mean_.defined()) parameters_.values().copy_(mean_);
  settle();
  const auto [outputs, labels] =
      answers(learner_.outputs(), data_, Split::train, data_.validated(), jobs_);
  const double metric = task_.measure(outputs, labels).front();
  parameters_.values().copy_(learned);
  return metric;
}

void Trainer::keep_if_best(double metric) {
  if (best_.empty()) return;
  for (std::size_t i = at(first_epoch_.item<std::int64_t>()); i < epochs_.size(); ++i)
    if (*epochs_[i].validation_metric >= metric) return;
  best_ = cloned(handed_on());
}

/// What would be handed on now.
std::map<std::string, at::Tensor> Trainer::handed_on() const {
  std::map<std::string, at::Tensor> made = learner_.state();
  made["values"] = mean_.defined() ? mean_ : parameters_.values();
  return made;
}

void Trainer::settle() {
  learner_.settle(samples_for_statistics(data_, batches_.size(), seed_),
                  std::max(kFewestSamples, batches_.size() / recipe_.micro_batches));
}

void Trainer::finish() {
  const bool has_best = !best_.empty() && !data_.validated().empty();
  const auto last = cloned(has_best ? best_ : handed_on());
  for (auto& [name, tensor] : learner_.state()) tensor.copy_(last.at(name));
  parameters_.values().copy_(last.at("values"));
  if (!parameters_.values().isfinite().all().item<bool>())
    throw Error{"the weights are not finite", "take a lower learning rate, or a longer warm-up"};
  settle();
}

std::map<std::string, at::Tensor> Trainer::state() const {
  std::map<std::string, at::Tensor> state = optimiser_.state();
  state.merge(learner_.state());
  if (hook_ != nullptr) state.merge(hook_->state());
  state["first_epoch"] = first_epoch_;
  state["values"] = parameters_.values();
  if (mean_.defined()) state["mean"] = mean_;
  for (const auto& [name, tensor] : best_) state["best/" + name] = tensor;
  state["epochs"] = tensor_of(epochs_);
  return state;
}

void Trainer::restore(const std::map<std::string, at::Tensor>& state) {
  const auto take = [&](const std::string& name, const at::Tensor& into) {
    const auto found = state.find(name);
    if (found == state.end() || found->second.sizes() != into.sizes() ||
        found->second.scalar_type() != into.scalar_type())
      throw Error{"the state of the training has no '" + name + "' of the right shape"};
    into.copy_(found->second);
  };
  const auto epochs = state.find("epochs");
  if (epochs == state.end()) throw Error{"the state of the training does not tell its epochs"};
  take("values", parameters_.values());
  for (auto& [name, tensor] : optimiser_.state()) take(name, tensor);
  for (auto& [name, tensor] : learner_.state()) take(name, tensor);
  if (hook_ != nullptr)
    for (auto& [name, tensor] : hook_->state()) take(name, tensor);
  take("first_epoch", first_epoch_);
  if (mean_.defined()) take("mean", mean_);
  for (auto& [name, tensor] : best_) take("best/" + name, tensor);
  epochs_ = epochs_of(epochs->second);
}

void Trainer::take_over(const std::map<std::string, at::Tensor>& state, const at::Tensor& places) {
  const std::int64_t all = state.at("values").numel();
  std::map<std::string, at::Tensor> own;
  for (const auto& [name, tensor] : state)
    own[name] = tensor.numel() == all ? tensor.index_select(0, places) : tensor;
  for (const auto& [name, tensor] : best_) own["best/" + name] = own.at("values");
  restore(own);
  first_epoch_.fill_(std::ssize(epochs_));
}

void settle_statistics(Network& network, const Samples& samples, std::int64_t batch) {
  const at::NoGradGuard no_grad;
  const std::int64_t count = samples.images.size(0);
  std::vector<at::Tensor> means(at(network.graph().size()));
  std::vector<at::Tensor> squares(means.size());
  for (std::int64_t begin = 0; begin < count; begin += batch) {
    const std::int64_t end = std::min(count, begin + batch);
    const double share = static_cast<double>(end - begin) / static_cast<double>(count);
    const Forward forward = propagate_forward(
        network, samples.images.slice(0, begin, end).to(network.place(), network.precision()));
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

Answers answers(const Outputs& outputs, const TrainingData& data, Split split,
                std::span<const std::int64_t> places, int jobs) {
  constexpr std::int64_t kBatch = 128;
  const auto batches = at((std::ssize(places) + kBatch - 1) / kBatch);
  std::vector<at::Tensor> found(batches), labels(batches);
  in_parallel(jobs, batches, [&](std::size_t i) {
    begin_worker();
    stop_if_requested();
    const at::NoGradGuard no_grad;
    const Samples batch =
        data.batch(split, part_of(places, static_cast<std::int64_t>(i) * kBatch, kBatch));
    found[i] = outputs(batch.images);
    labels[i] = batch.labels;
  });
  return {at::cat(found), at::cat(labels)};
}

}  // namespace thimble
