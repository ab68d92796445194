#include <thimble/train/train_network.hpp>

#include <numeric>
#include <optional>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

constexpr const char* kWeights = "weights.safetensors";
constexpr const char* kCheckpoint = "checkpoint.safetensors";

std::vector<double> test_metrics(const Learner& learner, const TrainingOrder& order,
                                 const TrainingData& data) {
  std::vector<std::int64_t> places(at(data.info().test_samples));
  std::iota(places.begin(), places.end(), 0);
  if (places.empty()) return {};
  const auto [outputs, labels] = answers(learner.outputs(), data, Split::test, places, order.jobs);
  return order.task->measure(outputs, labels);
}

/// What `read` makes of a file of the folder, if it is there and whole; a damaged one is removed.
template <class Read>
auto kept(const TrainingOrder& order, const std::filesystem::path& file, const Read& read)
    -> std::optional<decltype(read(file))> {
  if (!std::filesystem::exists(file)) return {};
  try {
    return read(file);
  } catch (const InputError& error) {
    order.say(fmt::format("'{}' is damaged ({}) and is made anew", file.string(),
                          error.diagnostics().front().message));
    std::filesystem::remove(file);
    return {};
  }
}

/// What a process that was killed had not written to the end.
void remove_parts(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator{folder})
    if (entry.path().filename().string().find(".safetensors.part") != std::string::npos)
      std::filesystem::remove(entry.path());
}

TrainedNetwork learn(const TrainingOrder& order) {
  const TrainingData data{*order.dataset, order.graph->node(0).shape, order.recipe.validation,
                          order.seed};
  TrainedNetwork trained{Network{*order.graph}, {}, {}, order.about};
  trained.network.initialise(Init::kaiming_normal_fan_out, order.seed, "train");
  FloatLearner learner{trained.network};
  Trainer trainer{learner, *order.task, data, order.recipe, order.seed, order.jobs};
  const auto checkpoint = order.folder / kCheckpoint;
  if (const auto state = kept(order, checkpoint, read_tensors)) {
    trainer.restore(state->tensors);
    for (std::size_t i = 0; i < trainer.epochs().size(); ++i)
      order.progress(trainer.epochs()[i], i);
  }
  while (!trainer.is_done()) {
    const EpochOutcome& epoch = trainer.run_epoch();
    write_tensors(checkpoint, {trainer.state(), order.about});
    order.progress(epoch, trainer.epochs().size() - 1);
  }
  trainer.finish();
  trained.epochs = trainer.epochs();
  trained.metrics = test_metrics(learner, order, data);
  return trained;
}

}  // namespace

TrainingOutcome train_network(const TrainingOrder& order) {
  make_folder(order.folder);
  const FileLock lock{order.folder / kWeights};
  remove_parts(order.folder);
  TrainingOutcome outcome{order.folder / kWeights, {}, {}};
  const auto read = [&](const std::filesystem::path& file) {
    return read_trained(*order.graph, file);
  };
  if (const auto known = kept(order, outcome.weights, read)) {
    for (std::size_t i = 0; i < known->epochs.size(); ++i) order.progress(known->epochs[i], i);
    outcome.epochs = known->epochs;
    outcome.metrics = known->metrics;
    return outcome;
  }
  const TrainedNetwork trained = learn(order);
  write_trained(outcome.weights, trained);
  std::filesystem::remove(order.folder / kCheckpoint);
  outcome.epochs = trained.epochs;
  outcome.metrics = trained.metrics;
  return outcome;
}

}  // namespace thimble
