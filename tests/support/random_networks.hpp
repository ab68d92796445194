#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>

#include "support/cells.hpp"

/// Networks that are drawn, and inputs for them.
namespace thimble::test {

/// How many networks a test draws: THIMBLE_TEST_NETWORKS for more.
inline std::uint64_t drawn_count(std::uint64_t by_default) {
  const char* const asked = std::getenv("THIMBLE_TEST_NETWORKS");
  return asked != nullptr ? static_cast<std::uint64_t>(parse_integer(asked).value_or(0))
                          : by_default;
}

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

/// A network of any operators in any order, of odd sizes.
class AnyGraph {
 public:
  explicit AnyGraph(std::uint64_t seed) : random_{Random::stream(seed, {"any graph"})} {}

  Graph draw() {
    NodeId x = g_.input({any(1, 6), any(5, 15), any(5, 15)});
    for (int i = any(3, 8); i > 0; --i) x = layer(x);
    x = any(0, 1) == 0 ? g_.linear(x, any(2, 9)) : g_.linear(g_.global_avg_pool(x), any(2, 9));
    if (any(0, 3) == 0) g_.softmax(x);
    return std::move(g_);
  }

 private:
  int any(int least, int most) {
    return least + static_cast<int>(random_.below(static_cast<std::uint64_t>(most - least + 1)));
  }
  Activation any_relu() { return any(0, 2) == 0 ? Activation::relu6 : Activation::relu; }

  Extent window(NodeId x) {
    const Shape& shape = g_.node(x).shape;
    return {any(1, std::min(5, shape.height)), any(1, std::min(5, shape.width))};
  }

  NodeId conv(NodeId x, int out, int groups) {
    const Extent size = window(x);
    x = g_.conv(x, {.out = out,
                    .kernel = size,
                    .stride = {any(1, 2), any(1, 2)},
                    .padding = {any(0, size.height / 2), any(0, size.width / 2)},
                    .groups = groups,
                    .bias = any(0, 1) == 0});
    if (any(0, 1) == 0) x = g_.batch_norm(x);
    return any(0, 2) > 0 ? g_.relu(x, any_relu()) : x;
  }

  /// A convolution that keeps the shape.
  NodeId same(NodeId x) {
    return g_.conv(x, {.out = g_.node(x).shape.channels, .kernel = {3, 3}, .padding = {1, 1}});
  }

  NodeId layer(NodeId x) {
    const int channels = g_.node(x).shape.channels;
    switch (any(0, 8)) {
      case 0: return conv(x, any(1, 20), 1);
      case 1: return conv(x, channels, channels);
      case 2: return conv(conv(x, 6, 1), 9, 3);
      case 3: return g_.add({{x, g_.relu(same(x), any_relu()), g_.batch_norm(x)}});
      case 4: return g_.concat({{x, g_.relu(same(x)), same(x)}});
      case 5: return g_.batch_norm(g_.relu(x, any_relu()));
      case 6: {
        const Extent size = window(x);
        return g_.max_pool(x, {.kernel = size,
                               .stride = {any(1, 2), any(1, 2)},
                               .padding = {size.height / 2, size.width / 2}});
      }
      case 7: {
        const Extent size = window(x);
        return g_.avg_pool(x, {.kernel = size,
                               .stride = {any(1, 2), any(1, 2)},
                               .padding = {size.height / 2, size.width / 2}});
      }
      default: return g_.relu(x, any_relu());
    }
  }

  Random random_;
  Graph g_;
};

/// Such a graph's int8 network, by the same number.
inline Int8Network any_network(std::uint64_t seed) {
  return lower(drawn_network(AnyGraph{seed}.draw(), seed));
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
