// Draws that keep limits: how many break one, by exact costs, and what a draw costs, over random
// logits and limits from tight to loose; and a step of a supernet against one of a single network.
// Whole batches on one thread, in turns.
//
//   bench_dnas [draws of each of 20 logits and 5 limits]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <vector>

#include <fmt/format.h>

#include <ATen/ATen.h>

#include <thimble/core/median.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/search/feasible_draws.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search_space.hpp>
#include <thimble/train/loss.hpp>
#include <thimble/train/supernet.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/trainer.hpp>
#include <thimble/train/training_data.hpp>

#include "support/training.hpp"
#include "support/world.hpp"

namespace {

using namespace thimble;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Limits on latency, RAM and ROM, each at this share of the way, on a logarithmic scale, from the
/// cheapest network to the dearest that was drawn.
std::vector<Limit> limits_at(const std::vector<Evaluation>& drawn, double share) {
  std::vector<Limit> limits;
  for (const char* const metric : {"latency_ms", "ram_bytes", "rom_bytes"}) {
    double least = 1e300, most = 0;
    for (const Evaluation& network : drawn) {
      least = std::min(least, cost_metric(network, metric));
      most = std::max(most, cost_metric(network, metric));
    }
    limits.push_back({metric, least * std::pow(most / least, share)});
  }
  return limits;
}

void draws(const SearchSpace& space, const Hardware& hardware, int count) {
  const auto decisions = space.decisions();
  ScoringSetup setup;
  setup.space = &space;
  setup.hardware = &hardware;
  Random random{1};
  std::vector<Evaluation> drawn;
  const Scoring costs{setup};
  while (drawn.size() < 500)
    if (Evaluation one = costs.cost(random_genotype(decisions, random)); one.is_valid())
      drawn.push_back(std::move(one));
  fmt::print("share of the limits | draws | beyond a limit | ms a draw\n");
  for (const double share : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    setup.limits = limits_at(drawn, share);
    Scoring scoring{setup};
    const Problem problem{.space = space,
                          .decisions = decisions,
                          .objectives = {},
                          .limits = setup.limits,
                          .seed = 1,
                          .budget = {}};
    int broken = 0, all = 0;
    double seconds = 0;
    for (int logits = 0; logits < 20; ++logits) {
      OptionNumbers numbers;
      for (const Decision& decision : decisions) {
        auto& own = numbers.emplace_back(decision.options.size());
        for (double& logit : own) logit = 2 * random.normal();
      }
      const OptionNumbers shares = shares_of(numbers, 1);
      FeasibleDraws feasible{problem, scoring};
      if (!feasible.root().is_feasible()) {
        fmt::print("{:.1f}: nothing keeps these limits\n", share);
        break;
      }
      std::vector<Genotype> found;
      const auto start = Clock::now();
      for (int i = 0; i < count; ++i) found.push_back(feasible.draw(shares, random).genotype);
      seconds += seconds_since(start);
      // Looked at again, behind the draws' own memory.
      for (const Genotype& genotype : found) broken += scoring.cost(genotype).is_feasible() ? 0 : 1;
      all += count;
    }
    fmt::print("{:.1f} | {} | {} | {:.2f}\n", share, all, broken, 1e3 * seconds / all);
  }
}

/// A drawn path for each micro-batch, against the same networks trained by themselves.
void steps(const SearchSpace& space) {
  const Graph& graph = *space.supernet();
  const Pictures pictures{512, true, 1, graph.node(0).shape};
  const Telling task;
  const TrainingData data{pictures, graph.node(0).shape, 0.25, 1};
  Recipe recipe = Recipe::series();
  recipe.micro_batches = 4;
  recipe.dropout = 0;
  Supernet net{graph, task, data, recipe, 1, 1};
  Random random{1};
  std::vector<double> ratios, drawn;
  for (int round = 0; round < 30; ++round) {
    Genotype genotype = random_genotype(space.decisions(), random);
    while (!is_connected(space.build(genotype)))
      genotype = random_genotype(space.decisions(), random);
    const Path path = options_of(genotype);
    Network alone{live(space.build(genotype))};
    alone.initialise(Init::kaiming_normal_fan_out, 1, "alone");
    FloatLearner learner{alone};
    Trainer trainer{learner, task, data, recipe, 1, 1};
    auto start = Clock::now();
    trainer.run_epoch();
    const double single = seconds_since(start);
    start = Clock::now();
    for (std::int64_t i = 0; i < net.steps_of_epoch(); ++i) net.learn(std::vector<Path>(4, path));
    drawn.push_back(seconds_since(start));
    ratios.push_back(drawn.back() / single);
  }
  OptionNumbers alike;
  for (const ChoiceDecision& decision : graph.decisions())
    alike.emplace_back(decision.options.size(), 1 / static_cast<double>(decision.options.size()));
  const auto start = Clock::now();
  for (std::int64_t i = 0; i < net.steps_of_epoch(); ++i)
    net.learn(std::vector<OptionNumbers>(4, alike));
  const double mixed = seconds_since(start);
  std::ranges::sort(ratios);
  fmt::print("a step of the supernet on one path, against one of that network: {:.2f}\n",
             median(ratios));
  std::ranges::sort(drawn);
  fmt::print("a step of all options, added up by shares, against one of drawn paths: {:.1f}\n",
             mixed / median(drawn));
}

}  // namespace

int main(int argc, char** argv) {
  use_single_threaded_math();
  PluginLoader loader = thimble::testing::plugins();
  const auto space =
      thimble::testing::make<SearchSpace>(loader, "time_series_cells", "{classes: 4}");
  const auto hardware =
      thimble::testing::make<Hardware>(loader, "analytic", "{board: nucleo_l552zeq}");
  draws(*space, *hardware, argc > 1 ? std::atoi(argv[1]) : 100);
  steps(*space);
}
