// Int8 networks at the speed of float, against the reference that computes one number after
// another.

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/instruction_sets.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/integer_network.hpp>

#include <ATen/ATen.h>

#include <nn/integer_kernels.hpp>
#include <thimble/core/random.hpp>

#include "support/int8_networks.hpp"
#include "support/integers.hpp"
#include "support/mlperf_tiny.hpp"
#include "support/random_networks.hpp"

namespace thimble::integer_network_test {
namespace {

using test::expect_reference;
using test::images_for;

TEST(IntegerNetwork, IsTheReferenceBitForBitForAnyGraph) {
  std::vector<bool> is_seen(kKernels.size());
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    const Int8Network network = test::any_network(seed);
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

/// At one half away from zero, and never beyond the ends: simulated, and as the reference reads it.
TEST(IntegerNetwork, RoundsTiesOfTheInputAsTheReferenceDoes) {
  constexpr int kFirst = -140, kCount = 280;
  constexpr float kScale = 0.25F;
  Graph graph;
  graph.linear(graph.input({1, 1, kCount}), 1);
  for (const int zero : {-128, -1, 3, 127}) {
    SCOPED_TRACE(zero);
    FloatNetwork real = drawn_network(graph, 1);
    real.ranges[0] = {kScale * static_cast<float>(-128 - zero),
                      kScale * static_cast<float>(127 - zero)};
    const IntegerNetwork quick{lower(real)};
    const Quantisation& q = quick.network().tensor(0).quantisation;
    ASSERT_EQ(q.scale, kScale);
    ASSERT_EQ(q.zero_point, zero);
    std::vector<float> ties, expected;
    for (int i = kFirst; i < kFirst + kCount; ++i) {
      ties.push_back(kScale * (static_cast<float>(i) + 0.5F));
      expected.push_back(static_cast<float>(std::clamp((i < 0 ? i : i + 1) + zero, -128, 127)));
    }
    const at::Tensor image = at::tensor(ties).view({1, 1, kCount});
    const auto read = quantised(image, q);
    EXPECT_EQ((std::vector<float>{read.begin(), read.end()}), expected);
    const at::Tensor simulated = quick.begin(image.unsqueeze(0)).values[0] + zero;
    EXPECT_TRUE(at::equal(simulated.flatten(), at::tensor(expected)));
  }
}

TEST(IntegerNetwork, RoundsTiesOfWeightsAwayFromZero) {
  Graph graph;
  graph.conv(graph.input({10, 1, 1}), {.out = 1, .bias = true});
  FloatNetwork real = drawn_network(graph, 1);
  real.parameters[1].weight = {127, 0.5F, -0.5F, 1.5F, -1.5F, 2.5F, -2.5F, 126.5F, -126.5F, 0.25F};
  const IntegerNetwork quick{lower(real)};
  EXPECT_TRUE(at::equal(
      quick.weights(0).flatten(),
      at::tensor({127.0F, 1.0F, -1.0F, 2.0F, -2.0F, 3.0F, -3.0F, 127.0F, -127.0F, 0.0F})));
}

#define THIMBLE_KERNELS "nn/integer_kernels.inc"
#include <thimble/core/instruction_sets.inc>

/// The kernels of one instruction set.
struct KernelSet {
  const char* name;
  bool is_here;
  Ends (*requantise)(const Requantising&, const float*, float*);
  void (*add_term)(const float*, std::int64_t, Rescale, std::int32_t*);
  Ends (*finish_sum)(const std::int32_t*, std::int64_t, Rescale, std::int32_t, std::int32_t,
                     float*);
};

void PrintTo(const KernelSet& set, std::ostream* out) { *out << set.name; }

const std::vector<KernelSet>& kernel_sets() {
#define THIMBLE_SET(set, is_here) \
  { #set, is_here, set::requantise, set::add_term, set::finish_sum }
  static const std::vector<KernelSet> kAll{
      THIMBLE_SET(generic, true),
#ifdef __x86_64__
      THIMBLE_SET(avx2, has_avx2()),
      THIMBLE_SET(avx512, has_avx512()),
#endif
  };
#undef THIMBLE_SET
  return kAll;
}

class IntegerKernels : public ::testing::TestWithParam<KernelSet> {
 protected:
  static constexpr std::int64_t kChannels = 24, kRows = 50;
  static constexpr std::int32_t kLowest = -100, kHighest = 90;

  void SetUp() override {
    if (!GetParam().is_here) GTEST_SKIP() << "this processor does not have " << GetParam().name;
    Random random{3};
    const auto number = [&](std::int32_t most) {
      return static_cast<std::int32_t>(random.below(2 * static_cast<std::uint64_t>(most))) - most;
    };
    for (std::int64_t i = 0; i < kChannels; ++i) {
      bias_.push_back(number(1 << 20));
      multiplier_.push_back((1 << 30) + static_cast<std::int32_t>(random.below(1 << 30)));
      shift_.push_back(-static_cast<std::int32_t>(random.below(20)));
    }
    for (std::int64_t i = 0; i < kRows * kChannels; ++i)
      sums_.push_back(static_cast<float>(number(1 << (1 + random.below(23)))));
    into_.resize(sums_.size());
  }

  /// What the reference makes of a number.
  void expect(std::size_t i, std::int32_t exact) {
    ends_ = {std::min(ends_.least, exact), std::max(ends_.most, exact)};
    ASSERT_EQ(into_[i], static_cast<float>(std::clamp(exact, kLowest, kHighest))) << i;
  }

  std::vector<std::int32_t> bias_, multiplier_, shift_;
  std::vector<float> sums_, into_;
  Ends ends_{std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};
};

TEST_P(IntegerKernels, RequantiseAsTheReference) {
  const Ends found = GetParam().requantise(
      {kRows, kChannels, bias_.data(), multiplier_.data(), shift_.data(), kLowest, kHighest},
      sums_.data(), into_.data());
  for (std::size_t i = 0; i < sums_.size(); ++i) {
    const std::size_t c = i % kChannels;
    expect(i,
           rescaled(static_cast<std::int32_t>(sums_[i]) + bias_[c], {multiplier_[c], shift_[c]}));
  }
  EXPECT_EQ(found, ends_);
}

/// Lengths that are no whole vectors, and factors in both directions.
TEST_P(IntegerKernels, AddTermsAsTheReference) {
  for (const std::int32_t shift : {-7, 0, 2})
    for (const std::int64_t count : {1, 8, 21}) {
      const Rescale factor{multiplier_[0], shift};
      std::vector<std::int32_t> sums(static_cast<std::size_t>(count), 5);
      std::vector<float> terms;
      for (std::int64_t i = 0; i < count; ++i) terms.push_back(static_cast<float>(i * 12 - 120));
      GetParam().add_term(terms.data(), count, factor, sums.data());
      for (std::size_t i = 0; i < sums.size(); ++i)
        EXPECT_EQ(sums[i],
                  5 + rescaled(static_cast<std::int32_t>(terms[i]) * (1 << kSumShift), factor))
            << i;
    }
}

TEST_P(IntegerKernels, FinishSumsAsTheReference) {
  std::vector<std::int32_t> sums;
  for (const float sum : sums_) sums.push_back(static_cast<std::int32_t>(sum) * 100);
  const Rescale factor{multiplier_[1], -18};
  const Ends found =
      GetParam().finish_sum(sums.data(), std::ssize(sums), factor, kLowest, kHighest, into_.data());
  for (std::size_t i = 0; i < sums.size(); ++i) expect(i, rescaled(sums[i], factor));
  EXPECT_EQ(found, ends_);
}

INSTANTIATE_TEST_SUITE_P(InstructionSets, IntegerKernels, ::testing::ValuesIn(kernel_sets()),
                         [](const auto& set) { return std::string{set.param.name}; });

TEST(IntegerNetwork, RefusesImagesOfAnotherSize) {
  Graph graph;
  graph.linear(graph.input({1, 2, 2}), 2);
  const IntegerNetwork quick{lower(drawn_network(graph, 1))};
  EXPECT_THROW(quick.run(at::zeros({1, 1, 2, 3})), Error);
  EXPECT_THROW(quick.run(at::zeros({4})), Error);
}

}  // namespace
}  // namespace thimble::integer_network_test
