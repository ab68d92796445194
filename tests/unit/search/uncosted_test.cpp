#include <algorithm>
#include <chrono>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/search/scoring.hpp>
#include <thimble/search/uncosted.hpp>

namespace thimble::uncosted_test {
namespace {

using ::testing::ElementsAre;

/// Of two families one has a pool, and either one or two layers.
class Families final : public SearchSpace {
 public:
  Families() {
    NodeId x = graph_.input({4, 8, 8});
    x = graph_.choice(
        "family",
        {{"plain", [&] { return graph_.relu(x); }},
         {"pooled", [&] {
            return graph_.max_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
          }}});
    for (const char* const name : {"first", "second", "third"})
      x = graph_.choice(name, {{"conv", [&] { return graph_.conv(x, {.out = 4}); }},
                               {"skip", [&] { return x; }}});
    graph_.set_output(graph_.linear(x, 2));
  }
  const Graph* supernet() const override { return &graph_; }

 private:
  Graph graph_;
};

/// Knows no pool, and nothing with three convolutions.
class Picky final : public Hardware {
 public:
  const Target& target() const override { return target_; }
  OpCost op_cost(const Graph&, const Node& node) const override {
    OpCost cost;
    cost.latency_ms = 1;
    if (node.op == Op::max_pool) cost.unsupported = "no coefficients for max_pool";
    return cost;
  }
  Cost cost(const Graph& network) const override {
    ++asked;
    std::this_thread::sleep_for(sleep);
    Cost cost = Hardware::cost(network);
    const auto convolutions = std::ranges::count(network.nodes(), Op::conv, &Node::op);
    if (cost.unsupported.empty() && convolutions == 3) cost.unsupported = "too deep";
    return cost;
  }

  std::chrono::milliseconds sleep{0};
  mutable int asked = 0;

 private:
  Target target_;
};

std::vector<Genotype> all_of(const SearchSpace& space) {
  std::vector<Genotype> all;
  const auto decisions = space.decisions();
  for (std::uint64_t i = 0; i < *space_size(decisions); ++i)
    all.push_back(genotype_at(decisions, i));
  return all;
}

TEST(Uncosted, SaysWhatTheHardwareCannotCost) {
  const Families space;
  const Picky picky;
  const std::string expected =
      "the hardware cannot cost 9 of 16 networks: no coefficients for max_pool (8 of them; the "
      "others for other reasons); none with family=pooled has a cost";
  for (const int jobs : {1, 4}) {
    ScoringSetup setup;
    setup.space = &space;
    setup.hardware = &picky;
    setup.jobs = jobs;
    Scoring scoring{setup};
    EXPECT_TRUE(scoring.remarks().empty());
    const auto all = all_of(space);
    scoring.evaluate(all);
    scoring.cost(all[3]);  // again: each counts once
    EXPECT_THAT(scoring.remarks(), ElementsAre(expected)) << jobs;
  }
}

TEST(Uncosted, SaysNothingWhenAllHaveACost) {
  const Families space;
  const Picky picky;
  ScoringSetup setup;
  setup.space = &space;
  setup.hardware = &picky;
  Scoring scoring{setup};
  scoring.evaluate(std::vector<Genotype>{{0, 1, 1, 1}, {0, 1, 0, 1}});
  EXPECT_TRUE(scoring.remarks().empty());
}

TEST(Uncosted, LooksAtNetworksAtRandom) {
  const Families space;
  const Picky picky;
  const std::string line = uncosted_at_random(space, picky, "picky");
  EXPECT_THAT(line, ::testing::MatchesRegex(
                        "hardware 'picky' cannot cost [0-9]+ of [0-9]+ random networks: .*; none "
                        "with family=pooled has a cost"));
  EXPECT_EQ(line, uncosted_at_random(space, picky, "picky"));
}

TEST(Uncosted, IsSoonDoneWithSlowHardware) {
  const Families space;
  Picky picky;
  picky.sleep = std::chrono::milliseconds{20};
  uncosted_at_random(space, picky, "picky", 100, std::chrono::milliseconds{1});
  EXPECT_EQ(picky.asked, 1);
}

}  // namespace
}  // namespace thimble::uncosted_test
