// Supernets of search spaces against the networks in them: what they compute, what mixtures cost on
// real hardware, and which networks are drawn under limits.

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <ATen/ATen.h>

#include <support/limited_space.hpp>
#include <support/training.hpp>
#include <support/world.hpp>
#include <thimble/core/index.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search/expected_cost.hpp>
#include <thimble/search/feasible_draws.hpp>
#include <thimble/search/witnesses.hpp>
#include <thimble/searcher.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/parameter_places.hpp>
#include <thimble/train/tensor_file.hpp>

namespace thimble::supernets_test {
namespace {

PluginLoader& loader() {
  static PluginLoader made = testing::plugins();
  return made;
}

class EverySupernet : public ::testing::TestWithParam<LimitedCase> {
 protected:
  EverySupernet()
      : space_{testing::make<SearchSpace>(loader(), GetParam().space, GetParam().parameters)},
        hardware_{testing::make<Hardware>(loader(), "table", GetParam().hardware)} {}

  /// Drawn; all have a way from the input to the output.
  std::vector<Genotype> networks(int count) const {
    std::vector<Genotype> made;
    for (Random random{1}; std::ssize(made) < count;)
      if (Genotype one = random_genotype(space_->decisions(), random);
          is_connected(space_->build(one)))
        made.push_back(std::move(one));
    return made;
  }

  OptionNumbers one_hot(const Genotype& network) const {
    OptionNumbers made;
    for (std::size_t i = 0; i < network.size(); ++i) {
      made.emplace_back(space_->decisions()[i].options.size());
      made.back()[static_cast<std::size_t>(network[i])] = 1;
    }
    return made;
  }

  std::unique_ptr<SearchSpace> space_;
  std::unique_ptr<Hardware> hardware_;
};

/// Gives a network the weights that it has in the supernet.
void copy_weights(const Network& whole, const FlatParameters& all, const Path& path, Network& to) {
  const Extracted part = extracted(whole.graph(), path);
  std::vector<std::vector<int>> kept;
  NodeId from = 0;  // nodes keep their order
  for (NodeId id = 0; id < to.graph().size(); ++id, ++from) {
    while (part.graph.node(from).name != to.graph().node(id).name) ++from;
    kept.push_back(part.kept[at(from)]);
  }
  const FlatParameters own{to};
  own.values().copy_(all.values().index_select(0, parameter_places(whole, to.graph(), kept)));
}

/// Exact sums differ in their order alone.
TEST_P(EverySupernet, OfOneNetworkComputesWhatThatDoes) {
  Network whole{*space_->supernet(), at::kDouble};
  whole.initialise(Init::kaiming_normal_fan_out, 1, "supernet");
  const FlatParameters all{whole};
  const Shape shape = whole.graph().node(0).shape;
  const at::Tensor x = drawn({6, shape.channels, shape.height, shape.width}, 1).to(at::kDouble);
  std::set<std::string> different;
  for (const Genotype& network : networks(12)) {
    Network alone{live(space_->build(network)), at::kDouble};
    copy_weights(whole, all, options_of(network), alone);
    const at::Tensor expected = alone.forward(x);
    const at::Tensor found = whole.mixed(one_hot(network)).forward(x);
    ASSERT_EQ(found.sizes(), expected.sizes());
    const double scale = expected.abs().max().item<double>();
    ASSERT_GT(scale, 0);
    EXPECT_LE((found - expected).abs().max().item<double>(), 1e-6 * scale)
        << space_->encode(network);
    different.insert(std::to_string(scale));
  }
  EXPECT_GT(different.size(), 6U) << "networks compute different things";
}

constexpr std::array kCosts{"latency_ms", "macs", "ram_bytes", "rom_bytes"};

TEST_P(EverySupernet, OfOneNetworkCostsWhatThatDoes) {
  const Limited world{*space_, *hardware_};
  Witnesses costs{world.scoring(), 0};
  for (const Genotype& network : networks(5))
    for (const std::string metric : kCosts) {
      const double exact = cost_metric(world.scoring().cost(network), metric);
      ASSERT_GT(exact, 0);
      EXPECT_DOUBLE_EQ(
          expected_cost(metric, one_hot(network), std::vector<Genotype>{network}, costs).cost,
          exact)
          << metric;
    }
}

/// By shares, and by the logits that make them.
TEST_P(EverySupernet, HasCostsWithTheSlopeOfFiniteDifferences) {
  const Limited world{*space_, *hardware_};
  Witnesses costs{world.scoring(), 0};
  const auto drawn = networks(3);
  constexpr double kTemperature = 0.7, kStep = 1e-5;
  Random random{2};
  OptionNumbers logits;
  for (const Decision& decision : space_->decisions())
    for (auto& own = logits.emplace_back(decision.options.size()); double& logit : own)
      logit = random.normal();
  const OptionNumbers shares = shares_of(logits, kTemperature);
  for (const std::string metric : kCosts) {
    const auto at_logits = [&](const OptionNumbers& moved) {
      return expected_cost(metric, shares_of(moved, kTemperature), drawn, costs).cost;
    };
    const CostSlope found = expected_cost(metric, shares, drawn, costs);
    EXPECT_DOUBLE_EQ(found.cost, at_logits(logits));
    const OptionNumbers by_logit = through_softmax(found.by_share, shares, kTemperature);
    double steepest = 0;
    for (std::size_t d = 0; d < logits.size(); ++d)
      for (std::size_t k = 0; k < logits[d].size(); ++k) {
        const auto slope = [&](const OptionNumbers& from, const auto& cost_of) {
          OptionNumbers more = from, less = from;
          more[d][k] += kStep;
          less[d][k] -= kStep;
          return (cost_of(more) - cost_of(less)) / (2 * kStep);
        };
        const double by_differences = slope(logits, at_logits);
        const double slack = 1e-4 * std::abs(by_differences) + 1e-8 * found.cost;
        EXPECT_NEAR(by_logit[d][k], by_differences, slack) << metric << d << " " << k;
        const double share_differences = slope(shares, [&](const OptionNumbers& moved) {
          return expected_cost(metric, moved, drawn, costs).cost;
        });
        EXPECT_NEAR(found.by_share[d][k], share_differences,
                    1e-4 * std::abs(share_differences) + 1e-8 * found.cost)
            << metric << d << " " << k;
        steepest = std::max(steepest, std::abs(by_logit[d][k]));
      }
    EXPECT_GT(steepest, 1e-3 * found.cost) << metric << " hangs on something";
  }
}

/// Latency, RAM and ROM together, from what nearly nothing keeps to what nearly everything does.
TEST_P(EverySupernet, HasDrawsThatKeepAllLimitsAtOnce) {
  Limited world{*space_, *hardware_};
  const auto decisions = space_->decisions();
  Random random{3};
  int draws = 0, likeliest = 0;
  for (const double share : {0.1, 0.3, 0.5, 0.7, 0.9}) {
    world.limit(share);
    const Problem problem = world.problem();
    FeasibleDraws feasible{problem, world.scoring()};
    if (!feasible.root().is_feasible()) continue;
    for (int set = 0; set < 3; ++set) {
      const OptionNumbers shares = drawn_shares(decisions, random);
      for (int i = 0; i < 30; ++i, ++draws)
        ASSERT_TRUE(world.scoring().cost(feasible.draw(shares, random).genotype).is_feasible());
      if (set > 0) continue;
      for (const Genotype& network : feasible.likeliest(shares, 16, random)) {
        ASSERT_TRUE(world.scoring().cost(feasible.plain(network).genotype).is_feasible());
        ++likeliest;
      }
    }
  }
  EXPECT_GE(draws, 270) << "at three budgets or more; bench_dnas makes many";
  EXPECT_GE(likeliest, 48);
}

INSTANTIATE_TEST_SUITE_P(Spaces, EverySupernet, ::testing::ValuesIn(kLimitedCases),
                         [](const auto& tried) { return std::string{tried.param.space}; });

/// All 13,824 networks of three Time-Reduce cells and one that fuses, by the shipped table. RAM is
/// a peak, and convolutions of another width or stride take other kernels' paths: costs of
/// decisions do not add up.
TEST(SmallSpace, IsReachedWhereCostsInteract) {
  const auto space = testing::make<SearchSpace>(loader(), "time_series_cells",
                                                "{fusions: 0, reduce_widths: 2, fusion_widths: 2}");
  const auto hardware =
      testing::make<Hardware>(loader(), "table",
                              "{board: nucleo_l552zeq, tables: [" THIMBLE_TEST_SOURCE
                              "/experiments/micronas_ts/tables/m33.csv], on_miss: refuse}");
  Limited world{*space, *hardware};
  world.limit(0.35);
  const auto decisions = space->decisions();
  ASSERT_EQ(*space_size(decisions), 13'824U);
  std::set<std::string> open;  // by what is computed: switched-off parts have many genotypes
  std::size_t all = 0;
  for (std::uint64_t i = 0; i < *space_size(decisions); ++i) {
    const Evaluation network = world.scoring().cost(genotype_at(decisions, i));
    all += network.is_valid() ? 1 : 0;
    if (network.is_feasible()) open.insert(network.text);
  }
  ASSERT_GT(open.size(), 100U);
  ASSERT_LT(open.size(), all / 2);
  const Problem problem = world.problem();
  FeasibleDraws feasible{problem, world.scoring()};
  Random random{4};
  std::size_t reached = 0, asked = 0;
  for (const std::string& text : open) {
    if (++asked % 5 != 0) continue;
    const Genotype wanted = space->decode(text);
    OptionNumbers shares;
    for (std::size_t d = 0; d < wanted.size(); ++d) {
      shares.emplace_back(decisions[d].options.size(), 1e-9);
      shares[d][static_cast<std::size_t>(wanted[d])] = 1;
    }
    const Genotype found = feasible.draw(shares, random).genotype;
    ASSERT_TRUE(world.scoring().cost(found).is_feasible());
    reached += found == wanted ? 1 : 0;
  }
  EXPECT_GE(static_cast<double>(reached), 0.99 * static_cast<double>(asked / 5));
}

/// Weights are real, and there is one step: logits are not where they were.
TEST(RealSupernet, MovesLogitsWithOneStep) {
  for (const char* const how : {"", ", mixture: soft, constraint: soft_log"}) {
    const testing::TemporaryFolder folder;
    const auto space = testing::make<SearchSpace>(loader(), "time_series_cells",
                                                  "{steps: 32, sensors: 3, classes: 4}");
    const auto hardware = testing::make<Hardware>(loader(), "analytic", "{board: nucleo_l552zeq}");
    const Pictures data{80, true, 0.3F, {1, 32, 3}};
    const Telling task;
    Limited world{*space, *hardware};
    world.setup.dataset = &data;
    world.setup.task = &task;
    world.setup.kept_search = folder.path() / "search.safetensors";
    const Problem problem = world.problem();
    testing::make<Searcher>(
        loader(), "dnas",
        "{epochs: 1, warm_up: 0, batch: 64, finalists: 1" + std::string{how} + "}")
        ->search(problem, world.scoring());
    const auto kept = read_tensors(world.setup.kept_search).tensors;
    EXPECT_EQ(kept.at("probes").item<std::int64_t>(), 1) << "one step";
    const at::Tensor moved = kept.at("searcher/logits").ne(0);
    EXPECT_GT(moved.sum().item<std::int64_t>(), moved.numel() / 2) << how;
  }
}

}  // namespace
}  // namespace thimble::supernets_test
