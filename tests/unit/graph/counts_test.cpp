#include <vector>

#include <gtest/gtest.h>

#include <thimble/graph/counts.hpp>

#include "support/cells.hpp"

namespace thimble::counts_test {
namespace {

TEST(Counts, AreThoseOfEachOperator) {
  Graph g;
  const NodeId x = g.input({4, 8, 6});
  const auto counted = [&](NodeId id) {
    return std::vector<std::int64_t>{macs(g, g.node(id)), params(g, g.node(id))};
  };
  using Pair = std::vector<std::int64_t>;
  EXPECT_EQ(counted(x), (Pair{0, 0}));
  EXPECT_EQ(counted(g.conv(x, {.out = 6, .kernel = {3, 1}, .padding = {1, 0}})),
            (Pair{6 * 8 * 6 * 4 * 3, 6 * 4 * 3}));
  EXPECT_EQ(counted(g.conv(x, {.out = 6, .stride = {2, 2}, .bias = true})),
            (Pair{6 * 4 * 3 * 4, 6 * 4 + 6}))
      << "a convolution's bias counts as parameters alone";
  EXPECT_EQ(counted(g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 4})),
            (Pair{8 * 8 * 6 * 9, 8 * 9}));
  EXPECT_EQ(counted(g.linear(x, 10)), (Pair{10 * 4 * 8 * 6 + 10, 10 * 4 * 8 * 6 + 10}));
  EXPECT_EQ(counted(g.batch_norm(x)), (Pair{0, 8}));
  for (const NodeId free : {g.relu(x), g.avg_pool(x, {}), g.global_avg_pool(x), g.zero({4, 8, 6}),
                            g.add(std::vector<NodeId>{x, x})})
    EXPECT_EQ(counted(free), (Pair{0, 0}));
}

TEST(Counts, TakeDeadEndsIn) {
  Graph g;
  const NodeId x = g.input({1, 2, 2});
  g.conv(x, {.out = 3});
  g.set_output(x);
  EXPECT_EQ(macs(g), 12);
  EXPECT_EQ(params(g), 3);
}

/// NAS-Bench-201's networks: 16 channels, five cells a stage.
Graph published(const std::string& operation) {
  Graph g;
  NodeId x = g.input({3, 32, 32});
  x = g.batch_norm(g.conv(x, {.out = 16, .kernel = {3, 3}, .padding = {1, 1}}));
  for (int stage = 0; stage < 3; ++stage) {
    if (stage > 0) x = test::residual(g, x, 16 << stage);
    for (int i = 0; i < 5; ++i) x = test::cell(g, x, test::every_edge({operation}));
  }
  g.linear(g.global_avg_pool(g.relu(g.batch_norm(x))), 10);
  return g;
}

TEST(Counts, EqualThePublishedOnes) {
  // From the benchmark's API, cifar10: FLOPs in millions, parameters in millions.
  EXPECT_NEAR(static_cast<double>(macs(published("nor_conv_3x3"))) / 1e6, 220.119690, 1e-9);
  EXPECT_NEAR(static_cast<double>(params(published("nor_conv_3x3"))) / 1e6, 1.531546, 1e-9);
  EXPECT_NEAR(static_cast<double>(macs(published("skip_connect"))) / 1e6, 7.783050, 1e-9);
  EXPECT_NEAR(static_cast<double>(params(published("skip_connect"))) / 1e6, 0.073306, 1e-9);
}

}  // namespace
}  // namespace thimble::counts_test
