// Which channels are coupled, how many remain, and what a pruned network computes.

#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/graph/pruning.hpp>

namespace thimble::channel_pruning_test {
namespace {

using ::testing::ElementsAre;

Graph::Conv conv3x3(int out, int groups = 1) {
  return {.out = out, .kernel = {3, 3}, .padding = {1, 1}, .groups = groups};
}

/// The producers of each channel group.
std::vector<std::vector<NodeId>> producers(const Coupling& coupling) {
  std::vector<std::vector<NodeId>> all;
  for (const ChannelGroup& group : coupling.groups) all.push_back(group.producers);
  return all;
}

std::vector<int> channels(const Graph& graph) {
  std::vector<int> all;
  for (const Node& node : graph.nodes()) all.push_back(node.shape.channels);
  return all;
}

TEST(ChannelPruning, LeavesTheInputAndTheOutputAlone) {
  Graph g;
  const NodeId x = g.input({8, 4, 4});
  const NodeId a = g.conv(x, conv3x3(16));
  g.linear(g.global_avg_pool(g.relu(g.batch_norm(a))), 12);
  const Coupling coupling = coupled_channels(g);
  EXPECT_THAT(producers(coupling), ElementsAre(ElementsAre(a)));
  EXPECT_EQ(coupling.groups[0].channels, 16);
  const std::vector<double> half{0.5};
  EXPECT_THAT(channels(pruned(g, coupling, half).graph), ElementsAre(8, 8, 8, 8, 8, 12));
}

TEST(ChannelPruning, LeavesAClassifierAloneThatIsAConvolution) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), conv3x3(16));
  g.global_avg_pool(g.relu(g.conv(x, {.out = 10})));
  EXPECT_THAT(producers(coupled_channels(g)), ElementsAre(ElementsAre(x)));
}

TEST(ChannelPruning, CouplesTheTermsOfASum) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), conv3x3(16));
  const NodeId inner = g.conv(x, conv3x3(24));
  const NodeId y = g.conv(inner, conv3x3(16));
  const NodeId sum = g.add(std::vector{x, y});
  g.linear(sum, 10);
  const Coupling coupling = coupled_channels(g);
  EXPECT_THAT(producers(coupling), ElementsAre(ElementsAre(x, y), ElementsAre(inner)));
}

TEST(ChannelPruning, LetsADepthwiseConvolutionFollowItsInput) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), conv3x3(16));
  const NodeId depthwise = g.conv(x, conv3x3(16, 16));
  const NodeId doubled = g.conv(depthwise, conv3x3(32, 16));  // two filters for each channel
  g.linear(doubled, 10);
  const Coupling coupling = coupled_channels(g);
  EXPECT_THAT(producers(coupling), ElementsAre(ElementsAre(x)));
  std::vector<double> scores(16);
  std::iota(scores.begin(), scores.end(), 0.0);
  const std::vector<double> most{0.75};
  const auto [graph, kept] = pruned(g, coupling, most, {scores});
  EXPECT_EQ(graph.node(depthwise).groups, 4);
  EXPECT_EQ(graph.node(doubled).groups, 4);
  EXPECT_THAT(kept[1], ElementsAre(12, 13, 14, 15));
  EXPECT_THAT(kept[3], ElementsAre(24, 25, 26, 27, 28, 29, 30, 31));
}

TEST(ChannelPruning, FollowsChannelsThroughAConcatenationInWhichASumMeetsThem) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), conv3x3(8));
  const NodeId a = g.conv(x, conv3x3(8)), b = g.conv(x, conv3x3(16));
  const NodeId joined = g.concat(std::vector{a, b});
  const NodeId beside = g.conv(x, conv3x3(24));
  g.linear(g.add(std::vector{joined, beside}), 10);
  const Coupling coupling = coupled_channels(g);
  EXPECT_THAT(producers(coupling),
              ElementsAre(ElementsAre(x), ElementsAre(a, beside), ElementsAre(b, beside)));
  const std::vector<double> sparsity{0, 0.5, 0.75};
  const auto [graph, kept] = pruned(g, coupling, sparsity);
  EXPECT_THAT(kept[static_cast<std::size_t>(beside)], ElementsAre(0, 1, 2, 3, 8, 9, 10, 11));
  EXPECT_EQ(kept[static_cast<std::size_t>(joined)], kept[static_cast<std::size_t>(beside)]);
}

TEST(ChannelPruning, CouplesATensorThatIsJoinedWithItself) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), conv3x3(8));
  const NodeId twice = g.concat(std::vector{x, x});
  g.linear(twice, 10);
  const std::vector<double> half{0.5};
  const auto [graph, kept] = pruned(g, coupled_channels(g), half);
  EXPECT_THAT(kept[static_cast<std::size_t>(twice)], ElementsAre(0, 1, 2, 3, 8, 9, 10, 11));
}

TEST(ChannelPruning, LeavesConvolutionsInGroupsAlone) {
  Graph g;
  const NodeId x = g.conv(g.input({3, 4, 4}), conv3x3(16));
  const NodeId grouped = g.conv(x, conv3x3(16, 4));
  const NodeId last = g.conv(grouped, conv3x3(8));
  g.linear(last, 10);
  EXPECT_THAT(producers(coupled_channels(g)), ElementsAre(ElementsAre(last)));
}

TEST(ChannelPruning, RoundsUpToAMultipleAndLeavesFour) {
  EXPECT_EQ(remaining_channels(64, 0.0), 64);
  EXPECT_EQ(remaining_channels(64, 0.5), 32);
  EXPECT_EQ(remaining_channels(64, 0.49), 36);
  EXPECT_EQ(remaining_channels(64, 1.0), 4);
  EXPECT_EQ(remaining_channels(64, 0.45, 8), 40);
  EXPECT_EQ(remaining_channels(64, 0.45, 1), 36);
  EXPECT_EQ(remaining_channels(64, 1.0, 1), 4);
  EXPECT_EQ(remaining_channels(10, 0.1), 10);
  EXPECT_EQ(remaining_channels(10, 0.6), 4);  // in doubles, 4.000000000000001
  EXPECT_EQ(remaining_channels(3, 0.9), 3);
}

TEST(ChannelPruning, KeepsTheBestChannelsInTheirOrder) {
  Graph g;
  g.linear(g.conv(g.input({3, 4, 4}), conv3x3(8)), 10);
  const Coupling coupling = coupled_channels(g);
  const std::vector<double> half{0.5};
  EXPECT_THAT(pruned(g, coupling, half, {{1, 5, 5, 0, 5, 5, 5, 9}}).kept[1],
              ElementsAre(1, 2, 4, 7));
  EXPECT_THAT(pruned(g, coupling, half).kept[1], ElementsAre(0, 1, 2, 3));
}

TEST(ChannelPruning, RefusesWhatDoesNotMatch) {
  Graph g;
  g.linear(g.conv(g.input({3, 4, 4}), conv3x3(8)), 10);
  const Coupling coupling = coupled_channels(g);
  const std::vector<double> none, half{0.5}, beyond{1.5};
  EXPECT_THROW(pruned(g, coupling, none), Error);
  EXPECT_THROW(pruned(g, coupling, beyond), Error);
  EXPECT_THROW(pruned(g, coupling, half, {{1, 2}}), Error);
  EXPECT_THROW(pruned(g, coupling, half, {{}, {}}), Error);
  g.choice("a", {{"skip", [] { return 1; }}, {"conv", [&] { return g.conv(1, conv3x3(8)); }}});
  EXPECT_THROW(coupled_channels(g), Error);
}

}  // namespace
}  // namespace thimble::channel_pruning_test
