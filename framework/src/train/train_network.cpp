#include <thimble/train/train_network.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include <thimble/core/attempt.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/params.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/pruner.hpp>
#include <thimble/train/quantise.hpp>
#include <thimble/train/start_weights.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

constexpr const char* kWeights = "weights.safetensors";
constexpr const char* kCheckpoint = "checkpoint.safetensors";
constexpr const char* kPrunedCheckpoint = "pruned_checkpoint.safetensors";
/// What a file of weights says of a stage that failed.
constexpr const char* kFailure = "failure";
constexpr const char* kIntegerCheckpoint = "int8_checkpoint.safetensors";

std::vector<double> test_metrics(const Outputs& outputs_for, const TrainingOrder& order,
                                 const TrainingData& data) {
  std::vector<std::int64_t> places(at(data.info().test_samples));
  std::iota(places.begin(), places.end(), 0);
  if (places.empty()) return {};
  const auto [outputs, labels] = answers(outputs_for, data, Split::test, places, order.jobs);
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

/// What a checkpoint says of the device that it was made on.
constexpr const char* kArithmetic = "arithmetic";

/// Runs a trainer until an epoch, from where an earlier process left it, if it did. Epochs of
/// stages before it count.
void run_stage(Trainer& trainer, const TrainingOrder& order, const char* file, int until,
               std::size_t before = 0) {
  const auto checkpoint = order.folder / file;
  auto about = order.about;
  if (!order.device.is_cpu()) about[kArithmetic] = bits_on(order.device);
  auto state = kept(order, checkpoint, read_tensors);
  if (state && state->about[kArithmetic] != about[kArithmetic]) {
    order.say(fmt::format("'{}' is of another GPU, and is made anew", checkpoint.string()));
  } else if (state) {
    trainer.restore(state->tensors);
    for (std::size_t i = 0; i < trainer.epochs().size(); ++i)
      order.progress(trainer.epochs()[i], before + i);
  }
  while (std::ssize(trainer.epochs()) < until) {
    const EpochOutcome& epoch = trainer.run_epoch();
    write_tensors(checkpoint, {trainer.state(), about});
    order.progress(epoch, before + trainer.epochs().size() - 1);
  }
}

/// An error of a stage names it.
template <class Work>
auto in_stage(const char* stage, const Work& work) {
  try {
    return work();
  } catch (const InputError&) {
    throw;
  } catch (const Interrupted&) {
    throw;
  } catch (const Error& error) {
    const Diagnostic& problem = error.diagnostics().front();
    throw Error{fmt::format("{}: {}", stage, problem.message), problem.note};
  }
}

/// Of a training's samples, as many as ranges are taken from, drawn without regard to anything.
at::Tensor calibration_images(const TrainingOrder& order, const TrainingData& data) {
  const auto all = std::ssize(data.learned());
  std::vector<std::int64_t> places;
  for (const std::int64_t i :
       Random::stream(order.seed, {"calibration"})
           .sample(all, std::min<std::int64_t>(all, order.recipe.quantise->samples)))
    places.push_back(data.learned()[at(i)]);
  return data.batch(Split::train, places).images;
}

/// Integers of what has learned, and, if asked for, by learning on.
void quantise(TrainedNetwork& trained, const TrainingOrder& order, const TrainingData& data) {
  const Quantise& how = *order.recipe.quantise;
  FloatNetwork made =
      quantised_after_training(trained.network, calibration_images(order, data), how);
  std::vector<EpochOutcome> epochs;
  if (how.method == QuantiseMethod::qat) {
    const auto frozen_from = std::llround(how.frozen_from * how.epochs);
    IntegerLearner learner{std::move(made), frozen_from, how.scales};
    const std::uint64_t seed = Random::stream(order.seed, {"integers"})();
    Trainer trainer{learner, *order.task, data, integer_recipe(order.recipe), seed, order.jobs};
    run_stage(trainer, order, kIntegerCheckpoint, how.epochs, trained.learned.epochs.size());
    trainer.finish();
    epochs = trainer.epochs();
    made = learner.real();
  }
  const IntegerNetwork integers{lower_folded(made)};
  trained.board = BoardNetwork{
      std::move(made),
      {epochs, test_metrics([&](const at::Tensor& images) { return integers.forward(images); },
                            order, data)}};
}

TrainedNetwork fresh(const TrainingOrder& order, const Graph& graph) {
  TrainedNetwork made{Network{graph}};
  made.network.initialise(Init::kaiming_normal_fan_out, order.seed, "train");
  // What maps tell goes through sigmoids, which hardly learn where they begin at their ends.
  constexpr double kFlat = 0.1;
  if (order.task->has_maps()) made.network.parameters(graph.output()).weight.mul_(kFlat);
  return made;
}

/// With the weights that the order starts with, where it names some.
TrainedNetwork begun(const TrainingOrder& order) {
  TrainedNetwork made = fresh(order, *order.graph);
  if (order.start == nullptr) return made;
  if (const auto [taken, all] = take_weights(made.network, *order.start); taken < all)
    order.say(fmt::format("{} of {} weights start with those of '{}', the others are new", taken,
                          all, order.start->file));
  return made;
}

/// The whole network, when an order of its own has trained it.
TrainedNetwork learned_whole(const TrainingOrder& order) {
  TrainingOrder whole = order;
  whole.recipe.prune.reset();
  whole.folder = order.whole_folder.empty() ? order.folder / "whole" : order.whole_folder;
  return read_trained(*order.graph, train_network(whole).weights);
}

/// Learns with all channels, more and more of them masked, and on without those. Which are kept is
/// told by the first trainer's last state, so a process that was killed finds them again.
TrainedNetwork learn_pruned(const TrainingOrder& order, const TrainingData& data) {
  const Recipe& recipe = order.recipe;
  const auto until =
      std::clamp(static_cast<int>(std::ceil(recipe.prune->end * recipe.epochs)), 1, recipe.epochs);
  TrainedNetwork dense =
      recipe.prune->start == PruneStart::whole ? learned_whole(order) : begun(order);
  FloatLearner all{dense.network, order.device};
  Trainer before{all, *order.task, data, recipe, order.seed, order.jobs};
  Pruner pruner{dense.network, *recipe.prune, order.seed, before.steps_of_epoch() * recipe.epochs};
  before.hook(pruner);
  run_stage(before, order, kCheckpoint, until, dense.learned.epochs.size());
  const Removal removal = removed(dense.network, pruner.kept());
  TrainedNetwork trained = fresh(order, removal.graph);
  if (recipe.prune->from == PruneFrom::sparsity) trained.kept_channels = pruner.kept();
  FloatLearner learner{trained.network, order.device};
  Trainer trainer{learner, *order.task, data, recipe, order.seed, order.jobs};
  trainer.take_over(before.state(), removal.places);
  run_stage(trainer, order, kPrunedCheckpoint, recipe.epochs, dense.learned.epochs.size());
  trainer.finish();
  trained.learned.epochs = dense.learned.epochs;
  std::ranges::copy(trainer.epochs(), std::back_inserter(trained.learned.epochs));
  return trained;
}

TrainedNetwork learn_whole(const TrainingOrder& order, const TrainingData& data) {
  TrainedNetwork trained = begun(order);
  FloatLearner learner{trained.network, order.device};
  Trainer trainer{learner, *order.task, data, order.recipe, order.seed, order.jobs};
  run_stage(trainer, order, kCheckpoint, order.recipe.epochs);
  trainer.finish();
  trained.learned.epochs = trainer.epochs();
  return trained;
}

std::map<std::string, std::string> about_of(const TrainingOrder& order) {
  auto made = order.about;
  made["seed"] = std::to_string(order.seed);
  made["recipe"] = detail::one_line(write_params(order.recipe));
  if (order.recipe.prune) made["pruned"] = "true";
  return made;
}

/// The file of a training as it is read: of a network whose pruning was decided in the search, the
/// architecture names what is left.
TrainedNetwork read_of(const TrainingOrder& order, const std::filesystem::path& file) {
  const auto& prune = order.recipe.prune;
  const bool is_decided = prune && prune->from == PruneFrom::decisions;
  return read_trained(is_decided ? pruned_graph(*order.graph, *prune) : *order.graph, file);
}

/// With weights that are large enough, what batch norms see is beyond all numbers.
void require_finite_statistics(const Network& network) {
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    if (network.graph().node(id).op != Op::batch_norm) continue;
    const auto& [mean, variance] = network.statistics(id);
    if (!mean.isfinite().all().item<bool>() || !variance.isfinite().all().item<bool>())
      throw Error{"the statistics of its batch norms are not finite",
                  "take a lower learning rate, or a longer warm-up"};
  }
}

TrainedNetwork learn_float(const TrainingOrder& order, const TrainingData& data) {
  TrainedNetwork trained = in_stage(order.recipe.prune ? "pruning" : "float", [&] {
    TrainedNetwork made = order.recipe.prune ? learn_pruned(order, data) : learn_whole(order, data);
    require_finite_statistics(made.network);
    return made;
  });
  trained.learned.metrics = test_metrics(outputs_of(trained.network), order, data);
  return trained;
}

/// Of what an order of its own has trained in float.
TrainedNetwork learn_integers(const TrainingOrder& order, const TrainingData& data) {
  TrainingOrder real = order;
  real.recipe.quantise.reset();
  real.folder = order.float_folder.empty() ? order.folder / "float" : order.float_folder;
  TrainedNetwork trained = read_of(real, train_network(real).weights);
  // A failure takes nothing from what was learned before.
  const std::string failure =
      attempt([&] { in_stage("int8", [&] { quantise(trained, order, data); }); });
  trained.about = about_of(order);
  if (!failure.empty()) trained.about[kFailure] = failure;
  return trained;
}

TrainedNetwork learn(const TrainingOrder& order) {
  const TrainingData data{*order.dataset, order.graph->node(0).shape, order.recipe.validation,
                          order.seed};
  if (order.recipe.quantise) return learn_integers(order, data);
  TrainedNetwork trained = learn_float(order, data);
  trained.about = about_of(order);
  return trained;
}

}  // namespace

bool is_trained(const TrainingOrder& order) {
  return std::filesystem::exists(order.folder / kWeights);
}

TrainingOutcome train_network(const TrainingOrder& order) {
  make_folder(order.folder);
  const FileLock lock{order.folder / kWeights};
  remove_unfinished(order.folder);
  const auto weights = order.folder / kWeights;
  const auto outcome_of = [&](const TrainedNetwork& trained) {
    const auto failure = trained.about.find(kFailure);
    return TrainingOutcome{weights, trained.learned,
                           trained.board ? trained.board->learned : FormOutcome{},
                           failure == trained.about.end() ? "" : failure->second};
  };
  const auto read = [&](const std::filesystem::path& file) { return read_of(order, file); };
  if (const auto known = kept(order, weights, read)) {
    TrainingOutcome outcome = outcome_of(*known);
    std::size_t next = 0;
    for (const FormOutcome* const stage : {&outcome.real, &outcome.int8})
      for (const EpochOutcome& epoch : stage->epochs) order.progress(epoch, next++);
    return outcome;
  }
  const TrainedNetwork trained = learn(order);
  write_trained(weights, trained);
  for (const char* const checkpoint : {kCheckpoint, kPrunedCheckpoint, kIntegerCheckpoint})
    std::filesystem::remove(order.folder / checkpoint);
  return outcome_of(trained);
}

}  // namespace thimble
