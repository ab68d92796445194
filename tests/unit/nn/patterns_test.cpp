#include <set>
#include <string>

#include <gtest/gtest.h>

#include <support/small_networks.hpp>
#include <thimble/nn/patterns.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble::patterns_test {
namespace {

using test::images;
using test::linear_only;
using test::network;

TEST(LinearRegions, AreTheDifferentStringsOfSigns) {
  const auto options =
      test::every_edge({"skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"});
  for (const int size : {1, 3}) {
    Graph graph;
    NodeId x = graph.input({1, size, size});
    graph.relu(graph.batch_norm(test::cell(graph, x, options)));
    const Network net = network(graph, at::kFloat);
    std::vector<at::Tensor> batches;
    std::set<std::string> naive;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      batches.push_back(images(graph, 200, at::kFloat, seed));
      std::vector<std::string> bits(200);
      const Forward all = propagate_forward(net, batches.back());
      for (NodeId id = 0; id < graph.size(); ++id) {
        if (graph.node(id).op != Op::relu) continue;
        const auto flat = all.output(id).flatten(1);
        for (std::int64_t b = 0; b < 200; ++b)
          for (std::int64_t i = 0; i < flat.size(1); ++i)
            bits[static_cast<std::size_t>(b)] += flat[b][i].item<float>() > 0 ? '1' : '0';
      }
      naive.insert(bits.begin(), bits.end());
    }
    EXPECT_EQ(count_linear_regions(net, batches), static_cast<std::int64_t>(naive.size()));
    EXPECT_GT(naive.size(), 1U);
  }
}

TEST(LinearRegions, AreOneWithoutReluAndNoneWithoutSamples) {
  const Network net = network(linear_only(), at::kFloat);
  EXPECT_EQ(count_linear_regions(net, {images(net.graph(), 9, at::kFloat)}), 1);
  EXPECT_EQ(count_linear_regions(net, {}), 0);
}

}  // namespace
}  // namespace thimble::patterns_test
