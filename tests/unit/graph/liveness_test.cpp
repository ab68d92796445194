#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/graph/liveness.hpp>

namespace thimble::liveness_test {
namespace {

using Scratch = std::function<std::int64_t(const Node&)>;

/// By its definition: while a node runs, every tensor is live that was made so far and that this
/// node or a later one reads, or the caller, and the one it makes.
MemoryPeak simulated(const Graph& graph, std::int64_t element_bytes, const Scratch& scratch) {
  MemoryPeak peak;
  for (NodeId now = 0; now < graph.size(); ++now) {
    std::int64_t bytes = scratch(graph.node(now));
    for (NodeId made = 0; made <= now; ++made) {
      bool is_needed = made == now || made == graph.output();
      for (NodeId reader = now; reader < graph.size(); ++reader)
        is_needed = is_needed ||
                    std::ranges::find(graph.inputs(reader), made) != graph.inputs(reader).end();
      if (is_needed) bytes += graph.node(made).shape.elements() * element_bytes;
    }
    if (bytes > peak.bytes) peak = {bytes, now};
  }
  return peak;
}

/// Sums of random earlier nodes, pools and convolutions of random widths, dead ends among them.
Graph random_graph(Random& random) {
  Graph g;
  std::vector<NodeId> same{g.input({4, 8, 8})};  // nodes of one shape
  const auto any = [&] { return same[random.below(same.size())]; };
  for (auto left = 1 + random.below(25); left > 0; --left) {
    switch (random.below(4)) {
      case 0: {
        std::vector<NodeId> terms;
        for (auto count = 1 + random.below(4); count > 0; --count) terms.push_back(any());
        same.push_back(g.add(terms));  // the same term may come twice
        break;
      }
      case 1: same.push_back(g.relu(any())); break;
      case 2:
        same.push_back(
            g.conv(g.conv(any(), {.out = 1 + static_cast<int>(random.below(9))}), {.out = 4}));
        break;
      default: g.avg_pool(any(), {}); break;  // nobody reads it
    }
  }
  if (random.below(2) == 0) g.set_output(any());
  return g;
}

TEST(PeakMemory, EqualsASimulationOnRandomGraphs) {
  Random random{1};
  for (int round = 0; round < 3000; ++round) {
    const Graph graph = random_graph(random);
    const auto salt = static_cast<std::int64_t>(random.below(300));
    const Scratch scratch = [salt](const Node& node) { return node.op == Op::conv ? salt : 0; };
    const auto element = static_cast<std::int64_t>(1 + random.below(4));
    const MemoryPeak ours = peak_memory(graph, element, scratch);
    const MemoryPeak expected = simulated(graph, element, scratch);
    ASSERT_EQ(ours.bytes, expected.bytes) << "round " << round;
    ASSERT_EQ(ours.node, expected.node) << "round " << round;
  }
}

TEST(PeakMemory, HoldsInputAndOutputOfTheRunningNode) {
  Graph g;
  const NodeId x = g.input({1, 10, 10});
  g.relu(g.conv(x, {.out = 3}));
  const MemoryPeak peak = peak_memory(g, 2, [](const Node&) { return 0; });
  EXPECT_EQ(peak.bytes, 2 * (300 + 300)) << "the ReLU's";
  EXPECT_EQ(peak.node, 2);
}

TEST(PeakMemory, CountsScratchWhileItsNodeRuns) {
  Graph g;
  const NodeId x = g.input({1, 10, 10});
  g.relu(g.conv(x, {.out = 3}));
  const MemoryPeak peak =
      peak_memory(g, 1, [](const Node& node) { return node.op == Op::conv ? 1000 : 0; });
  EXPECT_EQ(peak.bytes, 100 + 300 + 1000);
  EXPECT_EQ(peak.node, 1);
}

TEST(PeakMemory, CountsATensorReadTwiceOnce) {
  Graph g;
  const NodeId x = g.input({1, 10, 10});
  g.relu(g.add(std::vector<NodeId>{x, x}));
  EXPECT_EQ(peak_memory(g, 1, [](const Node&) { return 0; }).bytes, 200);
}

}  // namespace
}  // namespace thimble::liveness_test
