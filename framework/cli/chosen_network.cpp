#include "chosen_network.hpp"

#include <algorithm>

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
std::filesystem::path weights_of(const RecordedNetwork& network,
                                 const std::optional<std::int64_t>& asked) {
  const std::uint64_t seed = asked ? static_cast<std::uint64_t>(*asked) : network.seeds.front();
  if (std::ranges::find(network.seeds, seed) == network.seeds.end())
    throw InputError{
        fmt::format("network {} was not trained with seed {}", network.number, seed),
        fmt::format("its trainings have the seeds {}", fmt::join(network.seeds, ", "))};
  return network.weights(seed);
}

}  // namespace

ChosenNetwork chosen_network(const NetworkArguments& arguments, const World& world) {
  const bool is_run = arguments.network.has_value();
  if (is_run == !arguments.arch.empty())
    throw InputError{"which network is not said",
                     "give --arch TEXT with an experiment, or --network N with a run's folder"};
  if (is_run && !arguments.overrides.empty())
    throw InputError{"a run's network is what it is: " + in_quotes(arguments.overrides.front()) +
                         " cannot change it",
                     "give the experiment and --arch instead"};
  std::optional<RecordedNetwork> recorded;
  if (is_run)
    recorded = find_network(arguments.experiment, static_cast<std::size_t>(*arguments.network));
  ChosenNetwork chosen;
  chosen.file = is_run ? recorded->experiment : std::filesystem::path{arguments.experiment};
  chosen.experiment =
      load_experiment(chosen.file, parse_overrides(arguments.overrides), world.loader);
  const SearchSpace& space = *chosen.study().space;
  chosen.genotype = decoded(space, is_run ? recorded->arch : arguments.arch);
  chosen.arch = space.encode(chosen.genotype);
  const Graph graph = space.build(chosen.genotype);
  if (!is_connected(graph))
    throw InputError{in_quotes(chosen.arch) + " has no path from its input to its output"};
  chosen.graph = live(graph);
  if (!arguments.weights.empty())
    chosen.weights = arguments.weights;
  else if (is_run && !recorded->seeds.empty())
    chosen.weights = weights_of(*recorded, arguments.seed);
  return chosen;
}

}  // namespace thimble::cli
