// Plans against a check of their own: what is alive at one time may not overlap.

#include <algorithm>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/memory_plan.hpp>

namespace thimble::memory_plan_test {
namespace {

std::int64_t no_scratch(const Int8Network&, const Int8Layer&) { return 0; }

struct Extent1d {
  std::int64_t from, to;
};

bool overlap(Extent1d a, Extent1d b) { return a.from < b.to && b.from < a.to; }

/// Walks through the layers with the set of tensors that are still to be read.
void expect_sound(const Int8Network& network, const MemoryPlan& plan, const ScratchBytes& scratch) {
  const auto place = [&](int tensor) {
    const std::int64_t from = plan.tensor_offsets[static_cast<std::size_t>(tensor)];
    return Extent1d{from, from + network.tensor(tensor).shape.elements()};
  };
  for (std::size_t i = 0; i < network.layers.size(); ++i) {
    const Int8Layer& layer = network.layers[i];
    std::set<int> read_later{network.output};
    for (std::size_t j = i + 1; j < network.layers.size(); ++j)
      read_later.insert(network.layers[j].inputs.begin(), network.layers[j].inputs.end());
    for (int tensor = 0; tensor < layer.output; ++tensor)
      EXPECT_FALSE(read_later.contains(tensor) && overlap(place(layer.output), place(tensor)))
          << i << ' ' << tensor;
    const bool is_elementwise = layer.kernel == Kernel::add || layer.kernel == Kernel::relu;
    for (const int input : layer.inputs) {
      const bool is_same_place = place(input).from == place(layer.output).from;
      EXPECT_TRUE((is_elementwise && is_same_place) || !overlap(place(layer.output), place(input)))
          << i << ' ' << input;
    }
    const std::int64_t bytes = scratch(network, layer);
    EXPECT_EQ(plan.scratch_offsets[i] < 0, bytes == 0);
    if (bytes > 0) {
      const Extent1d own{plan.scratch_offsets[i], plan.scratch_offsets[i] + bytes};
      EXPECT_LE(own.to, plan.arena_bytes);
      EXPECT_FALSE(overlap(own, place(layer.output)));
      for (const int input : layer.inputs) EXPECT_FALSE(overlap(own, place(input)));
    }
    EXPECT_LE(place(layer.output).to, plan.arena_bytes);
    EXPECT_EQ(place(layer.output).from % 4, 0);
  }
  EXPECT_GE(plan.arena_bytes, plan.lower_bound_bytes);
}

TEST(MemoryPlan, OfAChainIsItsWidestPair) {
  Graph g;
  const NodeId a = g.conv(g.input({4, 8, 8}), {.out = 16});  // 256 to 1024 bytes
  const NodeId b = g.conv(a, {.out = 2});                    // 128
  g.conv(b, {.out = 30});                                    // 1920
  const Int8Network network = lower(drawn_network(g, 1));
  const MemoryPlan plan = plan_memory(network, no_scratch);
  EXPECT_EQ(plan.arena_bytes, 128 + 1920);
  EXPECT_EQ(plan.lower_bound_bytes, plan.arena_bytes);
}

TEST(MemoryPlan, AddsInPlace) {
  Graph g;
  const NodeId x = g.input({8, 8, 8});
  g.add({{g.conv(x, {.out = 8}), x}});
  const Int8Network network = lower(drawn_network(g, 1));
  const MemoryPlan plan = plan_memory(network, no_scratch);
  EXPECT_EQ(plan.arena_bytes, 2 * 512) << "the sum lies where one of its terms did";
  expect_sound(network, plan, no_scratch);
}

TEST(MemoryPlan, KeepsAnInputThatIsReadAgain) {
  Graph g;
  const NodeId x = g.input({8, 8, 8});
  const NodeId y = g.relu(x);
  g.add({{g.add({{x, y}}), y}});
  const Int8Network network = lower(drawn_network(g, 1));
  expect_sound(network, plan_memory(network, no_scratch), no_scratch);
}

/// Layers that read random earlier ones.
Graph tangled(std::uint64_t seed) {
  Random random = Random::stream(seed, {"tangled"});
  Graph g;
  std::vector<NodeId> nodes{g.input({1 + static_cast<int>(random() % 9), 6, 5})};
  const auto any = [&] { return nodes[random() % nodes.size()]; };
  for (int i = 0; i < 14; ++i) {
    const NodeId x = any();
    switch (random() % 4) {
      case 0: nodes.push_back(g.relu(x)); break;
      case 1: nodes.push_back(g.concat({{x, any()}})); break;
      case 2: {
        const int channels = g.node(x).shape.channels;
        nodes.push_back(g.add({{x, g.conv(any(), {.out = channels})}}));
        break;
      }
      default: nodes.push_back(g.conv(x, {.out = 1 + static_cast<int>(random() % 20)}));
    }
  }
  g.concat(nodes);
  return g;
}

TEST(MemoryPlan, IsSoundAndMostlyAtTheBoundForTangledNetworks) {
  const ScratchBytes scratch = [](const Int8Network&, const Int8Layer& layer) {
    return layer.kernel == Kernel::conv ? std::int64_t{37} : 0;
  };
  int at_the_bound = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Int8Network network = lower(drawn_network(tangled(seed), 1));
    const MemoryPlan plan = plan_memory(network, scratch);
    expect_sound(network, plan, scratch);
    at_the_bound += plan.arena_bytes == plan.lower_bound_bytes ? 1 : 0;
  }
  EXPECT_GE(at_the_bound, 190);
}

}  // namespace
}  // namespace thimble::memory_plan_test
