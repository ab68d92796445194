// Int8 against float, on the samples that ranges were calibrated on.

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/calibration.hpp>

#include <ATen/ATen.h>

namespace thimble::deviation_test {
namespace {

TEST(Deviation, IsSmallForANetworkAndLargeForOneOfOtherWeights) {
  Graph graph;
  const NodeId x = graph.input({3, 8, 8});
  graph.linear(graph.global_avg_pool(graph.relu(graph.conv(x, {.out = 8, .kernel = {3, 3}}))), 5);
  Network network{graph};
  network.initialise(Init::kaiming_normal_fan_out, 1, "test");
  at::manual_seed(1);
  const at::Tensor images = at::randn({32, 3, 8, 8});
  const Int8Network lowered = lower(calibrated(network, images));
  const Deviation own = deviation_of(lowered, network, images);
  EXPECT_GT(own.mean_error, 0);
  EXPECT_LT(own.mean_error, 0.05);
  EXPECT_LE(own.mean_error, own.largest_error);
  EXPECT_GT(own.equal_argmax, 0.8);
  network.initialise(Init::kaiming_normal_fan_out, 2, "test");
  EXPECT_GT(deviation_of(lowered, network, images).mean_error, 0.2);
}

}  // namespace
}  // namespace thimble::deviation_test
