#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <thimble/core/random.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>

#include "support/cells.hpp"

/// Networks that are drawn, and inputs for them.
namespace thimble::test {

/// A connected network of NAS-Bench-201.
inline Graph random_cell(std::uint64_t seed, int channels, int size) {
  static const std::vector<std::string> operations{"none", "skip_connect", "nor_conv_1x1",
                                                   "nor_conv_3x3", "avg_pool_3x3"};
  Random random = Random::stream(seed, {"cell"});
  while (true) {
    std::vector<EdgeOptions> edges;
    for (int edge = 0; edge < 6; ++edge) edges.push_back({operations[random.below(5)]});
    Graph graph = nas_bench_201(edges, channels, size);
    if (is_connected(graph)) return graph;
  }
}

/// A network for a time series of sensors, steps x sensors: convolutions, depthwise or not, and
/// pools along time, sums around them, and a classifier.
inline Graph random_time_series(std::uint64_t seed) {
  Random random = Random::stream(seed, {"time series"});
  const auto any = [&](const std::vector<int>& values) {
    return values[random.below(values.size())];
  };
  Graph g;
  const int steps = any({32, 48, 64, 96, 128, 150});
  NodeId x = g.input({1, steps, any({3, 6, 9})});
  const auto along_time = [&](NodeId from, int out, int stride, int groups) {
    const int taps = any({3, 5, 7});
    return g.relu(g.conv(from, {.out = out,
                                .kernel = {taps, 1},
                                .stride = {stride, 1},
                                .padding = {taps / 2, 0},
                                .groups = groups,
                                .bias = true}));
  };
  x = along_time(x, any({4, 8, 12, 16}), 1, 1);
  for (int block = any({2, 3, 4}); block > 0; --block) {
    const Shape shape = g.node(x).shape;
    switch (random.below(5)) {
      case 0: x = along_time(x, any({8, 12, 16, 24}), any({1, 2}), 1); break;
      case 1: x = g.add({{x, along_time(x, shape.channels, 1, 1)}}); break;
      case 2:
        x = along_time(along_time(x, shape.channels, 1, shape.channels), any({8, 16}), 2, 1);
        break;
      case 3: x = g.max_pool(x, {.kernel = {2, 1}, .stride = {2, 1}}); break;
      default:
        x = g.add({{x, g.avg_pool(x, {.kernel = {3, 1}, .stride = {1, 1}, .padding = {1, 0}})}});
    }
  }
  g.linear(g.global_avg_pool(x), any({2, 6, 12}));
  return g;
}

inline std::vector<std::int8_t> input_of(const Int8Network& network, std::uint64_t seed) {
  Random random = Random::stream(seed, {"input"});
  std::vector<std::int8_t> values(static_cast<std::size_t>(network.tensor(0).shape.elements()));
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(random() >> 56);
  return values;
}

/// Int8 networks and an input for each.
struct Int8Runs {
  std::vector<Int8Network> networks;
  std::vector<std::vector<std::int8_t>> inputs;

  void add(const Graph& graph, const std::string& name) {
    networks.push_back(lower(drawn_network(graph, networks.size())));
    networks.back().name = name;
    inputs.push_back(input_of(networks.back(), networks.size()));
  }
};

}  // namespace thimble::test
