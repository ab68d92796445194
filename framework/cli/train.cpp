#include <cmath>
#include <optional>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/report/tables.hpp>
#include <thimble/report/training_tables.hpp>
#include <thimble/run/recorded_network.hpp>
#include <thimble/run/train_stage.hpp>
#include <thimble/train/evaluation.hpp>
#include <thimble/train/quantise.hpp>
#include <thimble/train/trained_network.hpp>

#include "calibration_samples.hpp"
#include "chosen_network.hpp"
#include "cli.hpp"
#include "progress.hpp"

namespace thimble::cli {
namespace {

/// The experiment with one network to train, which the command line names.
LoadedExperiment with_network(const ChosenNetwork& chosen, const TrainArguments& arguments,
                              const World& world) {
  if (!chosen.study().train)
    fmt::print(stderr, "remark: there is no 'train' in {}: training with every default\n",
               chosen.file.string());
  auto overrides = parse_overrides(arguments.overrides);
  Value networks = Value::sequence({Value::scalar(chosen.arch, true)});
  overrides.push_back({"train.networks", std::move(networks)});
  if (arguments.seed)
    overrides.push_back(
        {"train.seeds", Value::sequence({Value::scalar(std::to_string(*arguments.seed))})});
  LoadedExperiment experiment = load_experiment(chosen.file, overrides, world.loader);
  if (experiment.studies.size() > 1)
    fmt::print(stderr, "remark: the sweep has {} points; training as its first does\n",
               experiment.studies.size());
  experiment.studies.resize(1);
  if (!arguments.dataset.empty()) experiment.studies.front().trained_on = chosen.study().trained_on;
  experiment.points.resize(1);
  return experiment;
}

/// A training on another device is another one than the run has.
void remark_on_device(const Device& device, const std::filesystem::path& run) {
  const std::string before = recorded_device(run);
  if (!before.empty() && before != device.name)
    fmt::print(stderr,
               "remark: the run trained on device '{}', and this is on '{}': --device {} "
               "trains as it did\n",
               before, device.name, before);
}

void write_details(const TestOutcome& outcome, const std::string& which,
                   const std::filesystem::path& folder) {
  for (const NamedTable& details : outcome.details) {
    const auto file = folder / fmt::format("{}_{}.csv", which, details.name);
    write_file(file, to_csv(details.table));
    fmt::print("{}\n", file.string());
  }
}

/// How well the integers of each layer stand for its output.
Table layer_table(const FloatNetwork& board, const at::Tensor& images) {
  Table table{{"layer", "kernel", "signal_to_noise_db", "range_use", "saturated"}, {}};
  for (const LayerFit& fit : layer_fits(board, images))
    table.rows.push_back({fit.name, fit.kernel, number_text(fit.signal_to_noise_db),
                          number_text(fit.range_use), number_text(fit.saturated)});
  return table;
}

}  // namespace

int train(const TrainArguments& arguments, const World& world) {
  use_single_threaded_math();
  const Device device = device_named(arguments.device);
  require_here(device);
  if (arguments.network) remark_on_device(device, arguments.experiment);
  NetworkArguments named = arguments;
  named.seed.reset();  // of the training to come
  const ChosenNetwork chosen = chosen_network(named, world);
  const LoadedExperiment experiment = with_network(chosen, arguments, world);
  Progress progress{arguments.is_quiet};
  for (const std::string& remark : experiment.studies[0].remarks) progress.say(remark);
  TrainStage stage;
  stage.trainings = std::filesystem::path{arguments.output} / "trainings";
  stage.found_weights = [&](std::size_t) { return chosen.found_weights; };
  stage.jobs = jobs_or_all(arguments.jobs);
  stage.device = device;
  stage.say = [&](const std::string& line) { progress.say(line); };
  stage.progress = [&](std::int64_t done, std::int64_t all) { progress.trained(done, all); };
  std::vector<PointOutcome> outcomes(1);
  outcomes[0].limits = experiment.studies[0].limits;
  number_networks(outcomes, experiment);
  if (arguments.network) outcomes[0].first_number = static_cast<std::size_t>(*arguments.network);
  train_networks(outcomes, experiment, stage);
  progress.clear();
  if (!arguments.is_quiet) fmt::print("{}\n", to_markdown(training_summary(outcomes)));
  int code = outcomes[0].trained.empty() ? 3 : 0;  // nothing keeps the limits, and that is said
  for (const TrainedRow& row : outcomes[0].trained) {
    if (!row.weights.empty()) fmt::print("{}\n", row.weights.string());
    if (!row.failure.empty()) {
      fmt::print(stderr, "thimble: error: seed {}: {}\n", row.seed, row.failure);
      code = 1;
    }
  }
  return code;
}

int evaluate(const EvaluateArguments& arguments, const World& world) {
  use_single_threaded_math();
  std::optional<MadeFolder> folder;  // said now, not when all is computed
  if (!arguments.output.empty()) folder.emplace(arguments.output);
  const ChosenNetwork chosen = chosen_network(arguments, world);
  const Study& study = chosen.study();
  if (!chosen.weights)
    throw InputError{"there are no trained weights to evaluate",
                     "give --network N of a run that trained it, or --arch with --weights FILE"};
  if (study.task == nullptr)
    throw InputError{"the experiment does not say what outputs mean",
                     "add 'train' to it: 'train={task: {use: classification}}'"};
  const int jobs = jobs_or_all(arguments.jobs);
  const TrainedNetwork trained = read_trained(chosen.graph, *chosen.weights);
  remark_on_training(trained, study);
  const Network& network = trained.network;
  const Shape& input = chosen.graph.node(0).shape;
  const at::Tensor samples = calibration_samples(study, input).images;
  const FloatNetwork board = board_network(trained, samples);
  const IntegerNetwork int8{lower_folded(board)};
  const auto test = [&](const Outputs& outputs) {
    return test_of(outputs, input, *study.dataset, *study.task, jobs);
  };
  const TestOutcome real = test(outputs_of(network));
  const TestOutcome integers = test([&](const at::Tensor& images) { return int8.forward(images); });
  Table table{{"", "samples"}, {}};
  for (const std::string& metric : study.task->metrics()) table.header.push_back(metric);
  for (const auto& [name, outcome] :
       {std::pair{trained.form(), &real}, std::pair{"int8", &integers}}) {
    table.rows.push_back({name, std::to_string(outcome->samples)});
    for (const double value : outcome->metrics)
      table.rows.back().push_back(fmt::format("{:.2f}", value));
  }
  fmt::print("{}\n{}\n{}\n", chosen.arch, chosen.weights->string(), to_markdown(table));
  if (arguments.output.empty()) return 0;
  write_details(real, trained.form(), arguments.output);
  write_details(integers, "int8", arguments.output);
  const auto layers = std::filesystem::path{arguments.output} / "int8_layers.csv";
  write_file(layers, to_csv(layer_table(board, samples)));
  fmt::print("{}\n", layers.string());
  return 0;
}

}  // namespace thimble::cli
