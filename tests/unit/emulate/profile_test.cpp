// Generated C in the emulator: bit for bit what the reference computes (the profiler itself checks
// that), and operators that add up to networks.

#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/emulate/profile.hpp>
#include <thimble/graph/transforms.hpp>

#include "support/on_core.hpp"
#include "support/random_networks.hpp"

namespace thimble::profile_test {
namespace {

using ProfileOn = test::OnCore;

TEST_P(ProfileOn, OperatorsAddUpToTheNetwork) {
  const Int8Network network = lower(drawn_network(test::random_cell(3, 8, 16), 1));
  const Execution whole = profiler->execute(network, test::input_of(network, 1));
  std::vector<OpShape> ops;
  for (const Int8Layer& layer : network.layers) ops.push_back(op_shape(network, layer));
  const Profile alone = profiler->profile(ops);
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
  EXPECT_EQ(profiler->size(network).arena_bytes, source.plan.arena_bytes);
}

TEST_P(ProfileOn, CountsTheSameTwice) {
  const OpShape op =
      op_shape_of("conv 8x16x16 -> 8x16x16 window 3x3 stride 1x1 padding 1x1 groups 1");
  const auto once = profiler->profile({&op, 1});
  const auto twice = profiler->profile({&op, 1});
  EXPECT_GT(once.ops[0].instructions, 10'000);
  EXPECT_EQ(once.ops[0].instructions, twice.ops[0].instructions);
  EXPECT_EQ(once.ops[0].classes, twice.ops[0].classes);
  EXPECT_EQ(once.code_bytes, twice.code_bytes);
}

/// Once for an arena that just fits, and on one core for constants, which take their time.
TEST_P(ProfileOn, LeavesOutWhatIsTooLargeForItsMachineAndNoMore) {
  const auto& [constants, variables] = emulated_memory(GetParam());
  const auto relu = [](std::int64_t kib) {
    return op_shape_of(fmt::format("relu 1024x{0}x1 -> 1024x{0}x1", kib));
  };
  const auto conv = [](std::int64_t bytes) {
    return op_shape_of(fmt::format(
        "conv 64x1x1 -> {}x1x1 window 1x1 stride 1x1 padding 0x0 groups 1", bytes / 76));
  };
  const std::int64_t kib = variables.bytes / 1024;
  std::vector<OpShape> large{relu(kib)}, fitting{relu(kib - 30)};
  if (GetParam() == Core::m4) {
    large.push_back(conv(constants.bytes));
    fitting.push_back(conv(constants.bytes - 40'000));
  }
  std::vector<OpShape> ops = large;
  ops.insert(ops.end(), fitting.begin(), fitting.end());
  const Profile made = profiler->profile(ops);
  EXPECT_EQ(made.too_large, large);
  ASSERT_EQ(made.ops.size(), fitting.size());
  for (std::size_t i = 0; i < fitting.size(); ++i) EXPECT_EQ(made.ops[i].op, fitting[i]);
}

/// Terabytes of weights, which nobody may draw to find that out.
TEST_P(ProfileOn, LeavesOutGiantOperatorsUnseen) {
  const OpShape op =
      op_shape_of("conv 1048576x8x8 -> 1048576x8x8 window 3x3 stride 1x1 padding 1x1 groups 1");
  EXPECT_EQ(profiler->profile({&op, 1}).too_large, std::vector{op});
}

TEST_P(ProfileOn, SaysThatANetworkIsTooLarge) {
  Graph graph;
  graph.relu(graph.input({64, 512, 1024}));
  const auto expect_refused = [](const auto& attempt) {
    try {
      attempt();
      ADD_FAILURE() << "32 MiB were found";
    } catch (const Unsupported& error) {
      EXPECT_NE(std::string{error.what()}.find("too large for the emulated"), std::string::npos);
    }
  };
  expect_refused([&] { profiler->size(lower(drawn_network(graph, 1))); });
  expect_refused([&] { profiler->require_room(skeleton(deployed(graph))); });
}

INSTANTIATE_TEST_SUITE_P(Cores, ProfileOn, ::testing::ValuesIn(kCores), test::core_name);

}  // namespace
}  // namespace thimble::profile_test
