#include "chosen_network.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/run/recorded_network.hpp>

namespace thimble::cli {
namespace {

Genotype decoded(const SearchSpace& space, const std::string& arch) {
  try {
    return space.decode(arch);
  } catch (const Error& error) {
    throw InputError{"--arch: " + error.diagnostics().front().message,
                     error.diagnostics().front().note};
  }
}

/// Of the training with the asked seed, or with the first one: never the one that tests best.
const RecordedTraining& training_of(const RecordedNetwork& network, const NetworkArguments& asked) {
  std::vector<std::string> datasets;
  std::vector<std::uint64_t> seeds;
  for (const RecordedTraining& training : network.trainings) {
    if (std::ranges::find(datasets, training.dataset) == datasets.end())
      datasets.push_back(training.dataset);
    if (asked.dataset.empty() || training.dataset == asked.dataset) seeds.push_back(training.seed);
  }
  if (asked.dataset.empty() && datasets.size() > 1)
    throw InputError{fmt::format("network {} was trained on several data", network.number),
                     "say which: --dataset " + join(datasets, ", --dataset ")};
  if (seeds.empty())
    throw InputError{
        fmt::format("network {} was not trained on {}", network.number, in_quotes(asked.dataset)),
        "it was on " + join(datasets)};
  const std::uint64_t seed = asked.seed ? static_cast<std::uint64_t>(*asked.seed) : seeds.front();
  for (const RecordedTraining& training : network.trainings)
    if (training.seed == seed && (asked.dataset.empty() || training.dataset == asked.dataset))
      return training;
  throw InputError{fmt::format("network {} was not trained with seed {}", network.number, seed),
                   fmt::format("its trainings have the seeds {}", fmt::join(seeds, ", "))};
}

/// The study with the data that is named in `train.datasets`, and the search space as these need
/// it.
void take_data(Study& study, const std::string& name) {
  const auto on = std::ranges::find(study.trained_on, name, &Study::TrainedOn::name);
  if (on == study.trained_on.end()) {
    std::vector<std::string> known;
    for (const Study::TrainedOn& other : study.trained_on)
      if (!other.name.empty()) known.push_back(other.name);
    throw InputError{
        "--dataset: no " + in_quotes(name) + " in 'train.datasets'" + did_you_mean(name, known),
        known.empty() ? "there is one dataset: leave --dataset out" : "there are " + join(known)};
  }
  study.space = on->space;
  study.dataset = on->dataset;
  study.data = on->data;
  study.limits = on->limits;
  study.trained_on = {*on};
}

}  // namespace

ChosenNetwork chosen_network(const NetworkArguments& arguments, const World& world) {
  const bool is_run = arguments.network.has_value();
  if (is_run == !arguments.arch.empty())
    throw InputError{"which network is not said",
                     "give --arch TEXT with an experiment, or --network N with a run's folder"};
  if (is_run && !arguments.overrides.empty() &&
      std::filesystem::is_directory(arguments.overrides.front()))
    throw InputError{"several run folders are named: " + in_quotes(arguments.experiment) + " and " +
                         in_quotes(arguments.overrides.front()),
                     "name the one that has the network"};
  if (is_run && !arguments.overrides.empty())
    throw InputError{"a run's network is what it is: " + in_quotes(arguments.overrides.front()) +
                         " cannot change it",
                     "give the experiment and --arch instead"};
  std::optional<RecordedNetwork> recorded;
  if (is_run)
    recorded = find_network(arguments.experiment, static_cast<std::size_t>(*arguments.network));
  ChosenNetwork chosen;
  chosen.file = is_run ? recorded->experiment : std::filesystem::path{arguments.experiment};
  if (is_run) chosen.found_weights = recorded->found_weights;
  chosen.experiment =
      load_experiment(chosen.file, parse_overrides(arguments.overrides), world.loader);
  std::string dataset = arguments.dataset;
  if (!arguments.weights.empty()) {
    chosen.weights = arguments.weights;
  } else if (is_run && !recorded->trainings.empty()) {
    const RecordedTraining& training = training_of(*recorded, arguments);
    chosen.weights = training.weights;
    dataset = training.dataset;
  }
  if (!dataset.empty()) take_data(chosen.experiment.studies.front(), dataset);
  const SearchSpace& space = *chosen.study().space;
  chosen.genotype = decoded(space, is_run ? recorded->arch : arguments.arch);
  chosen.arch = space.encode(chosen.genotype);
  const Graph graph = space.build(chosen.genotype);
  if (!is_connected(graph))
    throw InputError{in_quotes(chosen.arch) + " has no path from its input to its output"};
  chosen.graph = live(graph);
  return chosen;
}

void remark_on_training(const TrainedNetwork& trained, const Study& study) {
  const auto known = trained.about.find("data");
  if (known != trained.about.end() && known->second != study.data)
    fmt::print(stderr, "remark: the data are not those that this network was trained on\n");
  if (const auto device = trained.about.find("device"); device != trained.about.end())
    fmt::print(stderr, "remark: the network was trained on device '{}'\n", device->second);
}

}  // namespace thimble::cli
