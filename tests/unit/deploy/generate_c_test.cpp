// Generated C, compiled for this machine and compared bit for bit with the reference: in plain C,
// and with the DSP extension's instructions in C.

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/deploy/generate_c.hpp>

#include "support/comparison.hpp"
#include "support/int8_networks.hpp"
#include "support/on_core.hpp"

namespace thimble::generate_c_test {
namespace {

using test::Comparison;
using test::kDsp;
using test::kPortable;
using test::NetworkBuilder;
using test::Window;
using test::window;
Window any_window(NetworkBuilder& b, const Shape& in) {
  const auto along = [&](int size, int& window, int& stride, int& before, int& after) {
    window = b.any(1, 5);
    before = b.any(0, window - 1);
    after = b.any(0, window - 1);
    if (size + before + after < window) before = after = window - 1;
    stride = b.any(0, 2) == 0 ? b.any(1, 6) : 1;
  };
  Window window;
  along(in.height, window.size.height, window.stride.height, window.before.height,
        window.after.height);
  along(in.width, window.size.width, window.stride.width, window.before.width, window.after.width);
  return window;
}

/// A random operator on a tensor; all of them in turn.
void append_any(NetworkBuilder& b, int turn, int x) {
  const Shape shape = b.shape(x);
  switch (turn % 10) {
    case 0: b.conv(x, any_window(b, shape), b.any(1, 9)); break;
    case 1: b.conv(x, window(1, b.any(1, 2)), b.any(1, 18)); break;
    case 2: b.conv(x, any_window(b, shape), shape.channels * b.any(1, 3), shape.channels); break;
    case 3: b.depthwise(x, any_window(b, shape)); break;
    case 4: b.linear(x, b.any(1, 11)); break;
    case 5: b.pool(Kernel::avg_pool, x, any_window(b, shape)); break;
    case 6: b.pool(Kernel::max_pool, x, any_window(b, shape)); break;
    case 7: b.softmax(b.relu(b.mean(x))); break;
    case 8: b.concat({x, b.relu(x), x}, b.any(0, 1) == 1); break;
    default: b.add(std::vector<int>(static_cast<std::size_t>(b.any(2, 16)), x)); break;
  }
}

void add_random_operators(Comparison& comparison) {
  const std::array channels{1, 2, 3, 4, 5, 7, 8, 12};
  for (int i = 0; i < 32; ++i) {
    NetworkBuilder b{fmt::format("random{}", i), {}, static_cast<std::uint64_t>(i)};
    b.shape(0) = {channels[static_cast<std::size_t>(i) % channels.size()], i < 4 ? 1 : b.any(1, 9),
                  i < 4 ? 1 : b.any(1, 9)};
    for (int turn = 0; turn < 10; ++turn) append_any(b, turn, 0);
    comparison.add(b);
  }
}

/// Networks of layers with weights, to whose constants `change` is applied.
template <class Change>
void add_changed(Comparison& comparison, const std::string& name, const Change& change) {
  for (int i = 0; i < 6; ++i) {
    NetworkBuilder b{fmt::format("{}{}", name, i), {5, 5, 5}, static_cast<std::uint64_t>(i)};
    b.zero_point(0) = i % 2 == 0 ? -128 : 127;
    for (int turn = 0; turn < 5; ++turn) {
      append_any(b, turn, 0);
      b.zero_point(b.layer().output) = i % 3 == 0 ? -128 : i % 3 == 1 ? 127 : 0;
      change(b);
    }
    comparison.add(b);
  }
}

/// Where roundings differ: large sums, negative ties, factors above one and of zero.
void add_edges(Comparison& comparison) {
  add_changed(comparison, "sums_near_2_30_", [](NetworkBuilder& b) {
    for (std::int32_t& bias : b.layer().bias)
      bias = (b.any(0, 1) == 0 ? 1 : -1) * ((1 << 30) - b.any(0, 1 << 22));
    for (Rescale& rescale : b.layer().rescale)
      rescale = {b.any(1 << 30, 0x7fffffff), b.any(-31, -18)};
  });
  add_changed(comparison, "ties_", [](NetworkBuilder& b) {
    std::ranges::fill(b.layer().weights, std::int8_t{0});
    for (std::int32_t& bias : b.layer().bias) bias = b.any(-600, 600);
    for (Rescale& rescale : b.layer().rescale) rescale = {1 << 30, b.any(-4, 0)};
  });
  add_changed(comparison, "scaled_up_", [](NetworkBuilder& b) {
    for (std::int8_t& weight : b.layer().weights) weight = static_cast<std::int8_t>(weight / 64);
    for (std::int32_t& bias : b.layer().bias) bias = b.any(-3, 3);
    for (Rescale& rescale : b.layer().rescale) rescale = {b.any(1 << 30, 0x7fffffff), b.any(-5, 4)};
  });
  add_changed(comparison, "no_weights_", [](NetworkBuilder& b) {
    std::ranges::fill(b.layer().weights, std::int8_t{0});
    for (Rescale& rescale : b.layer().rescale) rescale = b.any(0, 1) == 0 ? Rescale{} : rescale;
  });
}

/// Sums of exponentials up to 512 and beyond, where shares vanish.
void add_wide_softmaxes(Comparison& comparison) {
  for (const int count : {511, 512, 3911, 4096, 4097, 8192, 65'536}) {
    for (const double steps : {0.001, 0.1}) {  // in which logits differ
      NetworkBuilder b{fmt::format("softmax{}_{}", count, steps < 0.1 ? "equal" : "mixed"),
                       {count, 1, 1},
                       static_cast<std::uint64_t>(count)};
      b.softmax(0);
      b.layer().rescale = {rescale_of(steps * (1 << 26))};
      b.layer().diff_min = -255;
      comparison.add(b);
    }
  }
}

class GeneratedC : public ::testing::TestWithParam<std::string> {};

TEST_P(GeneratedC, EqualsTheReferenceForRandomOperators) {
  Comparison comparison;
  add_random_operators(comparison);
  comparison.expect_equal(GetParam());
}

TEST_P(GeneratedC, EqualsTheReferenceAtTheEdgesOfTheArithmetic) {
  Comparison comparison;
  add_edges(comparison);
  comparison.expect_equal(GetParam());
}

TEST_P(GeneratedC, EqualsTheReferenceForAnyNumberOfClasses) {
  Comparison comparison;
  add_wide_softmaxes(comparison);
  comparison.expect_equal(GetParam());
}

TEST_P(GeneratedC, EqualsTheReferenceDownAChain) {
  Comparison comparison;
  for (int i = 0; i < 8; ++i) {
    NetworkBuilder b{fmt::format("chain{}", i), {4, 12, 11}, static_cast<std::uint64_t>(i)};
    int x = b.conv(0, window(3, 1, 1), 8);
    x = b.add({b.depthwise(x, window(3, 1, 1)), b.conv(x, window(1), 8), x});
    x = b.relu(b.depthwise(x, window(5 + 2 * (i % 2), 2, 3)));
    x = b.concat({b.pool(Kernel::avg_pool, x, window(3, 1, 1)), x}, i % 2 == 0);
    x = b.conv(x, window(b.shape(x).height), 10);  // reads all: a linear layer
    b.softmax(x);
    comparison.add(b);
  }
  comparison.expect_equal(GetParam());
}

TEST_P(GeneratedC, ClampsMoreTightlyThanInt8) {
  Comparison comparison;
  NetworkBuilder b{"clamped", {6, 7, 5}, 1};
  for (int turn = 0; turn < 10; ++turn) {
    append_any(b, turn, 0);
    b.layer().lowest = -20;
    b.layer().highest = 33;
  }
  comparison.add(b);
  comparison.expect_equal(GetParam());
}

TEST_P(GeneratedC, AveragesOverManyCells) {
  Comparison comparison;
  NetworkBuilder b{"large", {6, 20, 19}, 1};
  b.pool(Kernel::avg_pool, 0, {{20, 19}});
  b.pool(Kernel::avg_pool, 0, {{16, 16}});
  b.pool(Kernel::avg_pool, 0, {{17, 18}, {2, 1}, {3, 3}, {3, 3}});
  b.mean(0);
  comparison.add(b);
  comparison.expect_equal(GetParam());
}

TEST_P(GeneratedC, AddsTermsOfAnyScale) {
  Comparison comparison;
  NetworkBuilder b{"terms", {3, 4, 5}, 1};
  const int y = b.relu(0);
  for (int shift = -31; shift <= 0; ++shift) {
    b.add({0, y, y});
    b.layer().input_rescale = {{b.any(1 << 30, 0x7fffffff), shift}, {1 << 30, 0}, {}};
  }
  comparison.add(b);
  comparison.expect_equal(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Paths, GeneratedC, ::testing::Values(kPortable, kDsp),
                         [](const auto& path) { return path.param.empty() ? "Portable" : "Dsp"; });

using GeneratedCOn = test::OnCore;

TEST_P(GeneratedCOn, EqualsTheReference) {
  Comparison comparison;
  add_random_operators(comparison);
  add_edges(comparison);
  add_wide_softmaxes(comparison);
  comparison.expect_equal(GetParam());
}

/// One without the DSP extension, one with it, and one whose compiler knows Helium, too.
INSTANTIATE_TEST_SUITE_P(Cores, GeneratedCOn, ::testing::Values(Core::m3, Core::m4, Core::m55),
                         test::core_name);

TEST(GenerateC, TakesOnlyTheKernelsItNeeds) {
  NetworkBuilder b{"net", {8, 4, 4}, 1};
  b.pool(Kernel::max_pool, 0, window(2, 2));
  const CSource c = generate_c(b.network());
  EXPECT_EQ(c.kernels, std::vector<std::string>{"max_pool"});
  EXPECT_EQ(c.source.find("depthwise"), std::string::npos);
  EXPECT_EQ(c.constant_bytes, 11 * 4);
  EXPECT_EQ(c.plan.arena_bytes, 8 * 16 + 8 * 4);
}

TEST(GenerateC, CountsItsConstants) {
  NetworkBuilder b{"net", {8, 4, 4}, 1};
  b.conv(0, window(3, 1, 1), 16);
  // Weights, 16 channels of 12 bytes, and a window and six more members of 4 bytes.
  EXPECT_EQ(generate_c(b.network()).constant_bytes, 3 * 3 * 8 * 16 + 16 * 12 + (11 + 6) * 4);
}

TEST(GenerateC, CountsConstantsOfGiantOperatorsWithoutMakingThem) {
  const auto bytes_of = [](const std::string& op) {
    return op_parts(op_shape_of(op)).constant_bytes;
  };
  constexpr std::int64_t kChannels = 1 << 20;
  EXPECT_EQ(bytes_of("conv 1048576x8x8 -> 1048576x8x8 window 3x3 stride 1x1 padding 1x1 groups 1"),
            kChannels * (9 * kChannels + 12) + (11 + 6) * 4);
  EXPECT_EQ(bytes_of("linear 1048576x8x8 -> 1048576x1x1"),
            kChannels * (64 * kChannels + 12) + 5 * 4);
}

TEST(GenerateC, KnowsScratchWithoutConstants) {
  NetworkBuilder b{"net", {3, 6, 6}, 1};
  const auto scratch = [&] {
    const std::int64_t bytes = scratch_bytes(b.network(), b.layer());
    b.layer().weights.clear();
    EXPECT_EQ(scratch_bytes(b.network(), b.layer()), bytes);
    return bytes;
  };
  const int x = b.conv(0, window(3, 1, 1), 8);
  EXPECT_EQ(scratch(), (2 * 2 * 3 + 1) * 12);  // rows of nine values take twelve
  b.depthwise(x, window(3, 1, 1));
  EXPECT_EQ(scratch(), 9 * 8);
  b.depthwise(x, window(3));
  EXPECT_EQ(scratch(), 0);
  b.linear(x, 3);
  EXPECT_EQ(scratch(), 0);
}

TEST(GenerateC, RefusesFactorsThatNoScaleGives) {
  NetworkBuilder b{"net", {8, 4, 4}, 1};
  b.conv(0, window(1), 2);
  b.layer().rescale[1].multiplier = 1 << 29;
  EXPECT_THROW(generate_c(b.network()), Error);
}

}  // namespace
}  // namespace thimble::generate_c_test
