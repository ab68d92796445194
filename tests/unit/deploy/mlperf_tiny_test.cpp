// The networks of MLPerf Tiny against published figures: they are what other tests and benchmarks
// compare generated C on.

#include <gtest/gtest.h>

#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>

#include "support/mlperf_tiny.hpp"

namespace thimble::mlperf_tiny_test {
namespace {

TEST(MlperfTiny, HasThePublishedMacs) {
  for (const auto& [name, title, graph, published] : test::mlperf_tiny()) {
    std::int64_t biases = 0;  // of fully connected layers, which macs() counts
    for (const Node& node : graph.nodes())
      if (node.op == Op::linear) biases += node.shape.elements();
    EXPECT_EQ(macs(graph) - biases, published) << name;
  }
}

TEST(MlperfTiny, ArenasAreAsSmallAsTheyCanBe) {
  for (const auto& [name, title, graph, published] : test::mlperf_tiny()) {
    const MemoryPlan plan = plan_memory(skeleton(deployed(graph)), scratch_bytes);
    EXPECT_EQ(plan.arena_bytes, plan.lower_bound_bytes) << name;
  }
}

}  // namespace
}  // namespace thimble::mlperf_tiny_test
