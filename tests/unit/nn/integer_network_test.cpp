// Int8 networks at the speed of float, against the reference that computes one number after
// another.

#include <vector>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/integer_network.hpp>

#include <ATen/ATen.h>

#include "support/int8_networks.hpp"
#include "support/integers.hpp"
#include "support/mlperf_tiny.hpp"
#include "support/random_networks.hpp"

namespace thimble {
namespace {

using test::expect_reference;
using test::images_for;

TEST(IntegerNetwork, IsTheReferenceBitForBitForAnyGraph) {
  std::vector<bool> is_seen(kKernels.size());
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Int8Network network = lower(drawn_network(test::AnyGraph{seed}.draw(), seed));
    for (const Int8Layer& layer : network.layers)
      is_seen[static_cast<std::size_t>(layer.kernel)] = true;
    expect_reference(IntegerNetwork{network}, images_for(network, 2, seed));
    if (HasFatalFailure()) return;
  }
  EXPECT_THAT(is_seen, ::testing::Each(true)) << "the graphs do not have every kernel";
}

TEST(IntegerNetwork, IsTheReferenceForKnownNetworks) {
  for (const auto& known : test::mlperf_tiny()) {
    SCOPED_TRACE(known.name);
    const Int8Network network = lower(drawn_network(known.graph, 1));
    expect_reference(IntegerNetwork{network}, images_for(network, 1, 1));
  }
}

TEST(IntegerNetwork, PadsAsLayersSay) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    test::NetworkBuilder builder{"padded", {4, 9, 7}, seed};
    const test::Window lopsided{{3, 2}, {2, 2}, {0, 0}, {1, 1}};
    int x = builder.conv(0, lopsided, 6);
    x = builder.depthwise(x, {{3, 3}, {1, 1}, {0, 1}, {2, 1}});
    x = builder.pool(Kernel::max_pool, x, lopsided);
    x = builder.pool(Kernel::avg_pool, x, {{2, 2}, {1, 1}, {0, 0}, {1, 1}});
    builder.linear(x, 3);
    expect_reference(IntegerNetwork{builder.network()}, images_for(builder.network(), 2, seed));
  }
}

/// A layer of 576 products whose sums leave the whole numbers of float.
TEST(IntegerNetwork, TakesDoubleWhereFloatIsNotExact) {
  Graph graph;
  graph.conv(graph.input({64, 3, 3}), {.out = 8, .kernel = {3, 3}, .bias = true});
  FloatNetwork real = drawn_network(graph, 1);
  for (float& weight : real.parameters[1].weight) weight = 1;
  real.parameters[1].weight[0] = 0.5F;  // odd sums
  real.ranges[0] = {0, 255};
  real.ranges[1] = {0, 600 * 255};
  const Int8Network network = lower(real);
  const IntegerNetwork quick{network};
  EXPECT_TRUE(quick.is_double(0));
  expect_reference(quick, at::full({2, 64, 3, 3}, 255.0));
  for (float& weight : real.parameters[1].weight) weight = 0;
  real.parameters[1].weight[0] = 1;
  EXPECT_FALSE(IntegerNetwork{lower(real)}.is_double(0));
}

TEST(IntegerNetwork, TellsWhatItWouldHoldWithoutEnds) {
  Graph graph;
  const NodeId x = graph.input({1, 1, 1});
  graph.conv(x, {.out = 1, .bias = true});
  FloatNetwork real = drawn_network(graph, 1);
  real.parameters[1] = {{2.0F}, {0.5F}, {}, {}};
  real.ranges = {{-1, 1}, {-1, 1}};
  const IntegerNetwork quick{lower(real)};
  const IntegerRun run = quick.run(at::tensor({-1.0F, 1.0F}).view({2, 1, 1, 1}));
  EXPECT_NEAR(run.ranges[1].lowest, -1.5, 0.03);
  EXPECT_NEAR(run.ranges[1].highest, 2.5, 0.03);
  EXPECT_NEAR(quick.real(run, 1).max().item<float>(), 1, 0.01) << "clamped";
}

TEST(IntegerNetwork, RefusesImagesOfAnotherSize) {
  Graph graph;
  graph.linear(graph.input({1, 2, 2}), 2);
  const IntegerNetwork quick{lower(drawn_network(graph, 1))};
  EXPECT_THROW(quick.run(at::zeros({1, 1, 2, 3})), Error);
  EXPECT_THROW(quick.run(at::zeros({4})), Error);
}

}  // namespace
}  // namespace thimble
