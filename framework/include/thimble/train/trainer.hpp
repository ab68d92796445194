#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/train/batches.hpp>
#include <thimble/train/epoch.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/recipe.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble {

/// A row of four numbers an epoch, to be kept beside weights; and back. Throws Error.
THIMBLE_EXPORT at::Tensor tensor_of(const std::vector<EpochOutcome>& epochs);
THIMBLE_EXPORT std::vector<EpochOutcome> epochs_of(const at::Tensor& numbers);

/// What changes parameters beside an optimiser.
class THIMBLE_EXPORT TrainerHook {
 public:
  TrainerHook() = default;
  virtual ~TrainerHook();
  TrainerHook(const TrainerHook&) = delete;
  TrainerHook& operator=(const TrainerHook&) = delete;

  /// Before and after the optimiser's step; steps count from 0.
  virtual void before_update(const FlatParameters& parameters, const at::Tensor& gradient) = 0;
  virtual void after_update(const FlatParameters& parameters, const Optimiser& optimiser,
                            std::int64_t step) = 0;
  /// What the steps to come depend on: views, to be read and to be written.
  virtual std::map<std::string, at::Tensor> state() const = 0;
};

/// Trains a network in the form that a Learner gives it, an epoch at a time. A batch is cut into
/// the recipe's micro-batches, which run side by side, each with batch norm's statistics of its
/// own; their gradients are added in one order. So weights depend on network, task, data, recipe
/// and seed, not on `jobs`.
class THIMBLE_EXPORT Trainer {
 public:
  /// All outlive this; the network's tensors become views of one buffer. Throws Error when the
  /// network has not as many outputs as the task wants.
  Trainer(Learner& learner, const Task& task, const TrainingData& data, const Recipe& recipe,
          std::uint64_t seed, int jobs);
  /// From now on; it outlives this.
  void hook(TrainerHook& hook) { hook_ = &hook; }

  std::int64_t steps_of_epoch() const noexcept { return batches_.of_epoch(); }
  /// Of which some may have been run by another trainer, whose state this one took over.
  const std::vector<EpochOutcome>& epochs() const noexcept { return epochs_; }
  bool is_done() const noexcept { return std::ssize(epochs_) >= recipe_.epochs; }

  /// Goes once through the samples, in an order that the seed and the epoch's number decide. Throws
  /// Error when loss or gradient are not finite, or outputs no longer hang on the sample, and
  /// Interrupted between two steps; then this is not to be used further.
  const EpochOutcome& run_epoch();

  /// Gives the learner the weights and statistics that are handed on. Throws Error when they are
  /// not finite.
  void finish();

  /// All that the epochs to come depend on beside what the constructor takes.
  std::map<std::string, at::Tensor> state() const;
  /// Throws Error when it is not the state of such a training.
  void restore(const std::map<std::string, at::Tensor>& state);
  /// Goes on where another trainer stopped, whose network had more parameters: those at `places`
  /// are this one's. Which epoch was the best is told anew.
  void take_over(const std::map<std::string, at::Tensor>& state, const at::Tensor& places);

 private:
  struct StepOutcome;
  StepOutcome step(std::span<const std::int64_t> places, double learning_rate);
  StepOutcome learn(std::span<const std::int64_t> places, std::int64_t batch, std::size_t part,
                    at::Tensor& gradient);
  void average();
  double validate();
  void keep_if_best(double metric);
  std::map<std::string, at::Tensor> handed_on() const;
  /// Statistics of the training samples, as they are.
  void settle();

  Learner& learner_;
  const Graph& graph_;
  const Task& task_;
  const TrainingData& data_;
  Recipe recipe_;
  std::uint64_t seed_;
  int jobs_;
  TrainerHook* hook_ = nullptr;
  FlatParameters parameters_;
  Optimiser optimiser_;
  at::Tensor mean_;  ///< of the weights so far, where there is averaging
  /// Of the best epoch, where it is asked for: its weights, and the state of the learner.
  std::map<std::string, at::Tensor> best_;
  Batches batches_;
  std::vector<EpochOutcome> epochs_;
  at::Tensor first_epoch_;  ///< number of the first one of this network, as all that is kept
};

/// Sets what batch norms normalise by to mean and variance over all of these samples, as runs of
/// `batch` samples with their own statistics see them.
THIMBLE_EXPORT void settle_statistics(Network& network, const Samples& samples, std::int64_t batch);

/// Outputs for samples of a split, and their labels.
struct Answers {
  at::Tensor outputs;
  at::Tensor labels;
};
THIMBLE_EXPORT Answers answers(const Outputs& outputs, const TrainingData& data, Split split,
                               std::span<const std::int64_t> places, int jobs);

}  // namespace thimble
