// Generated C in the emulator: bit for bit what the reference computes (the profiler itself checks
// that), and operators that add up to networks.

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/profile.hpp>
#include <thimble/graph/transforms.hpp>

#include "support/cells.hpp"

namespace thimble {
namespace {

Graph random_cell(std::uint64_t seed, int channels, int size) {
  static const std::vector<std::string> operations{"none", "skip_connect", "nor_conv_1x1",
                                                   "nor_conv_3x3", "avg_pool_3x3"};
  Random random = Random::stream(seed, {"cell"});
  while (true) {
    std::vector<test::EdgeOptions> edges;
    for (int edge = 0; edge < 6; ++edge) edges.push_back({operations[random() % 5]});
    Graph graph = test::nas_bench_201(edges, channels, size);
    if (is_connected(graph)) return graph;
  }
}

std::vector<std::int8_t> input_of(const Int8Network& network, std::uint64_t seed) {
  Random random = Random::stream(seed, {"input"});
  std::vector<std::int8_t> values(static_cast<std::size_t>(network.tensor(0).shape.elements()));
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(random() >> 56);
  return values;
}

class ProfileOn : public testing::TestWithParam<Core> {
 protected:
  void SetUp() override {
    try {
      Profiler{GetParam()};
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
};

TEST_P(ProfileOn, OperatorsAddUpToTheNetwork) {
  const Profiler profiler{GetParam()};
  const Int8Network network = lower(drawn_network(random_cell(3, 8, 16), 1));
  const Execution whole = profiler.execute(network, input_of(network, 1));
  std::vector<OpShape> ops;
  for (const Int8Layer& layer : network.layers) ops.push_back(op_shape(network, layer));
  const Profile alone = profiler.profile(ops);
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < ops.size(); ++i) {
    EXPECT_NEAR(static_cast<double>(alone.ops[i].instructions),
                static_cast<double>(whole.layer_instructions[i]),
                0.01 * static_cast<double>(whole.layer_instructions[i]))
        << to_string(ops[i]);
    sum += alone.ops[i].instructions;
  }
  EXPECT_NEAR(static_cast<double>(sum), static_cast<double>(whole.instructions),
              0.005 * static_cast<double>(whole.instructions));
  const CSource source = generate_c(network);
  EXPECT_EQ(profiler.size(network).arena_bytes, source.plan.arena_bytes);
}

TEST_P(ProfileOn, CountsTheSameTwice) {
  const Profiler profiler{GetParam()};
  const OpShape op =
      op_shape_of("conv 8x16x16 -> 8x16x16 window 3x3 stride 1x1 padding 1x1 groups 1");
  const auto once = profiler.profile({&op, 1});
  const auto twice = profiler.profile({&op, 1});
  EXPECT_GT(once.ops[0].instructions, 10'000);
  EXPECT_EQ(once.ops[0].instructions, twice.ops[0].instructions);
  EXPECT_EQ(once.ops[0].classes, twice.ops[0].classes);
  EXPECT_EQ(once.code_bytes, twice.code_bytes);
}

INSTANTIATE_TEST_SUITE_P(Cores, ProfileOn, testing::ValuesIn(kCores),
                         [](const auto& tested) { return std::string{name_of(tested.param)}; });

}  // namespace
}  // namespace thimble
