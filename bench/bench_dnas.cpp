// Draws that keep limits, and decoded networks: how many break one, by exact costs, and what a draw
// costs, over random logits and limits from tight to loose; and a step of a supernet against one of
// a single network. Whole batches on one thread, in turns.
//
//   bench_dnas [draws of each of 20 logits and 5 limits]

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
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

#include "support/limited_space.hpp"
#include "support/training.hpp"
#include "support/world.hpp"

namespace {

using namespace thimble;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Networks drawn, and the likeliest that a search would decode, all looked at again by exact
/// costs, behind the draws' own memory.
void draws(const char* name, const SearchSpace& space, const Hardware& hardware, int count) {
  constexpr std::size_t kDecoded = 64;
  constexpr int kLogitsADecoding = 5;  // it takes as long as hundreds of draws
  Limited world{space, hardware};
  const auto decisions = space.decisions();
  Random random{1};
  fmt::print(
      "{}: latency, RAM and ROM\n"
      "share of the limits | draws | beyond a limit | ms a draw | decoded | beyond a limit\n",
      name);
  for (const double share : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    world.limit(share);
    const Problem problem = world.problem();
    const auto broken = [&](const std::vector<Genotype>& found) {
      return std::ranges::count_if(found, [&](const Genotype& genotype) {
        return !world.scoring().cost(genotype).is_feasible();
      });
    };
    std::ptrdiff_t broken_draws = 0, broken_decoded = 0, all = 0, decoded = 0;
    double seconds = 0;
    for (int logits = 0; logits < 20; ++logits) {
      const OptionNumbers shares = drawn_shares(decisions, random);
      FeasibleDraws feasible{problem, world.scoring()};
      if (!feasible.root().is_feasible()) {
        fmt::print("{:.1f}: nothing keeps these limits\n", share);
        break;
      }
      std::vector<Genotype> found;
      const auto start = Clock::now();
      for (int i = 0; i < count; ++i) found.push_back(feasible.draw(shares, random).genotype);
      seconds += seconds_since(start);
      broken_draws += broken(found);
      all += std::ssize(found);
      if (logits % kLogitsADecoding > 0) continue;
      auto likeliest = feasible.likeliest(shares, kDecoded, random);
      for (Genotype& network : likeliest) network = feasible.plain(network).genotype;
      broken_decoded += broken(likeliest);
      decoded += std::ssize(likeliest);
    }
    if (all > 0)
      fmt::print("{:.1f} | {} | {} | {:.2f} | {} | {}\n", share, all, broken_draws,
                 1e3 * seconds / static_cast<double>(all), decoded, broken_decoded);
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
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a million draws take hours
  use_single_threaded_math();
  PluginLoader loader = thimble::testing::plugins();
  const auto space =
      thimble::testing::make<SearchSpace>(loader, "time_series_cells", "{classes: 4}");
  const int count = argc > 1 ? std::atoi(argv[1]) : 100;
  for (const LimitedCase& limited : kLimitedCases) {
    const auto searched =
        thimble::testing::make<SearchSpace>(loader, limited.space, limited.parameters);
    const auto table = thimble::testing::make<Hardware>(loader, "table", limited.hardware);
    draws(limited.space, *searched, *table, count);
  }
  steps(*space);
}
