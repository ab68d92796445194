// Lowering to int8 against the float network, and the reference's arithmetic against its
// definition in wider numbers.

#include <cmath>
#include <regex>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/op_shape.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "support/lowered.hpp"

namespace thimble::int8_test {
namespace {

using test::images_for;
using test::lowered_cases;
using test::LoweredCase;
using test::one_of_each;
using Values = std::vector<std::int8_t>;

TEST(Rescale, WritesAFactorAsTwoIntegers) {
  EXPECT_EQ(rescale_of(0.5), (Rescale{1 << 30, 0}));
  EXPECT_EQ(rescale_of(1.0), (Rescale{1 << 30, 1}));
  EXPECT_EQ(rescale_of(0.75), (Rescale{3 << 29, 0}));
  EXPECT_EQ(rescale_of(0), (Rescale{0, 0}));
  EXPECT_EQ(rescale_of(std::ldexp(1.0, -40)), (Rescale{0, 0})) << "too small to matter";
  EXPECT_EQ(rescale_of(std::nextafter(1.0, 0.0)), (Rescale{1 << 30, 1})) << "rounds up to 2^31";
  EXPECT_THROW(rescale_of(-1), Error);
  EXPECT_THROW(rescale_of(std::nan("")), Error);
}

/// The two roundings with rational numbers in place of shifts.
std::int32_t naive_rescaled(std::int32_t x, Rescale factor) {
  const long double shifted =
      factor.shift > 0 ? std::ldexp(static_cast<long double>(x), factor.shift) : x;
  const auto high = std::floor(shifted * factor.multiplier / 2147483648.0L + 0.5L);
  const long double part = factor.shift < 0 ? std::ldexp(high, factor.shift) : high;
  return static_cast<std::int32_t>(part < 0 ? std::ceil(part - 0.5L) : std::floor(part + 0.5L));
}

TEST(Rescale, RoundsTwice) {
  Random random = Random::stream(1, {"rescale"});
  for (int i = 0; i < 200000; ++i) {
    const auto x =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(random()) % (1U << 24)) - (1 << 23);
    const Rescale factor{(1 << 30) + static_cast<std::int32_t>(random() % (1U << 30)),
                         static_cast<std::int32_t>(random() % 38) - 31};
    ASSERT_EQ(rescaled(x, factor), naive_rescaled(x, factor))
        << x << ' ' << factor.multiplier << ' ' << factor.shift;
  }
  // Ties: up in the first rounding, away from zero in the second.
  EXPECT_EQ(rescaled(-1, {1 << 30, 0}), 0);
  EXPECT_EQ(rescaled(1, {1 << 30, 0}), 1);
  EXPECT_EQ(rescaled(-2, {1 << 30, -1}), -1);
  EXPECT_EQ(rescaled(2147483647, {2147483647, -31}), 1);
  EXPECT_EQ(rescaled(-2147483647 - 1, {2147483647, -31}), -1);
}

at::Tensor real(const Values& values, const Int8Tensor& tensor) {
  const Shape& shape = tensor.shape;
  at::Tensor made = at::empty({shape.height, shape.width, shape.channels});
  for (std::size_t i = 0; i < values.size(); ++i)
    made.data_ptr<float>()[i] =
        tensor.quantisation.scale * static_cast<float>(values[i] - tensor.quantisation.zero_point);
  return made.permute({2, 0, 1}).contiguous();
}

/// Power of the signal over that of the error, in dB.
double decibels(const at::Tensor& value, const at::Tensor& truth) {
  const double error = (value - truth).pow(2).sum().item<double>();
  return 10 * std::log10(truth.pow(2).sum().item<double>() / std::max(error, 1e-30));
}

TEST(Lower, KeepsWhatTheFloatNetworkComputes) {
  for (const LoweredCase& c : lowered_cases()) {
    SCOPED_TRACE(c.name);
    Network network{c.graph};
    network.initialise(Init::kaiming_normal_fan_in, 3, "int8");
    const at::Tensor images = images_for(c.graph, 32, 5);
    const Int8Network lowered = lower(calibrated(network, images));
    const Forward forward = propagate_forward(network, images);
    const auto deployed = deployment(c.graph);
    for (int sample = 0; sample < 4; ++sample) {
      const auto values =
          run_reference(lowered, quantised(images[sample], lowered.tensor(0).quantisation));
      for (std::size_t i = 0; i < values.size(); ++i) {
        const NodeId original = deployed.made_of[i].back();
        const at::Tensor truth =
            forward.output(original, sample)
                .reshape({lowered.tensors[i].shape.channels, lowered.tensors[i].shape.height,
                          lowered.tensors[i].shape.width});
        EXPECT_GT(decibels(real(values[i], lowered.tensors[i]), truth), c.decibels)
            << lowered.tensors[i].name;
      }
    }
  }
}

TEST(Lower, IsExactOnWholeNumbers) {
  // Every scale is 1, so int8 arithmetic is that of whole numbers.
  Graph g;
  const NodeId x = g.input({2, 3, 3});
  g.relu(g.conv(x, {.out = 1, .kernel = {3, 3}, .padding = {1, 1}, .bias = true}));
  FloatNetwork network{g, std::vector<FloatParameters>(3), {{-128, 127}, {-128, 127}, {0, 127}}};
  network.parameters[1].weight.assign(18, 1.0F);
  network.parameters[1].weight[4] = 127;  // so that the weights' scale is 1
  network.parameters[1].bias = {-1000};
  network.ranges[2] = {-128, 127};
  const Int8Network lowered = lower(network);
  const Values input{1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -2, -3, -4, -5, -6, -7, -8, -9};
  const Values output = run_reference(lowered, input).back();
  // The middle: all 18 inputs, and 126 more of its own first channel, which is 9; less 1000.
  const std::int32_t sum = 1 + 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 - 1 - 2 - 3 - 4 - 5 - 6 - 7 - 8 - 9;
  EXPECT_EQ(output[4], std::clamp(sum + 126 * 9 - 1000, 0, 127));
  EXPECT_EQ(output[0], 0);
}

/// How far the softmax of some values is from that of real numbers, in steps of 1 / 256.
double softmax_error(const Values& input, float width) {
  Graph g;
  g.softmax(g.input({static_cast<int>(input.size()), 1, 1}));
  const Int8Network lowered =
      lower({g, std::vector<FloatParameters>(2), {{-width, width}, {0, 1}}});
  const auto values = run_reference(lowered, input);
  const auto truth = at::softmax(real(values[0], lowered.tensors[0]).to(at::kDouble), 0);
  const auto found = real(values[1], lowered.tensors[1]).to(at::kDouble);
  return 256 * (found - truth.clamp_max(255.0 / 256)).abs().max().item<double>();
}

Values drawn_values(Random& random, std::size_t count) {
  Values values(count);
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(random());
  return values;
}

TEST(Lower, SoftmaxIsThatOfRealNumbersToOneStep) {
  Random random = Random::stream(2, {"softmax"});
  for (const float width : {0.5F, 4.0F, 30.0F})
    for (int i = 0; i < 200; ++i) EXPECT_LE(softmax_error(drawn_values(random, 10), width), 1.01);
}

TEST(Lower, SoftmaxOfManyClassesRoundsToTheNearestShare) {
  Random random = Random::stream(3, {"softmax"});
  constexpr double kNearest = 0.51;
  for (const std::size_t count : {510, 511, 512, 513, 3911, 4096, 4097, 8192, 65'536}) {
    EXPECT_LE(softmax_error(Values(count, 7), 4), kNearest) << count << " equal classes";
    for (const float width : {0.1F, 0.5F, 4.0F, 30.0F})
      EXPECT_LE(softmax_error(drawn_values(random, count), width), kNearest)
          << count << " classes of width " << width;
  }
}

TEST(Lower, StandsDegenerateRanges) {
  const Graph graph = one_of_each();
  FloatNetwork network = drawn_network(graph, 1);
  for (Range& range : network.ranges) range = {0, 0};
  for (auto& own : network.parameters) own.weight.assign(own.weight.size(), 0.0F);
  const Int8Network lowered = lower(network);
  const Values zeros(static_cast<std::size_t>(graph.node(0).shape.elements()));
  EXPECT_EQ(run_reference(lowered, zeros).size(), lowered.tensors.size());
  EXPECT_THROW(run_reference(lowered, Values(3)), Error);
}

TEST(Lower, GivesAConcatenationsScaleToWhatItAloneReads) {
  Graph graph;
  const NodeId x = graph.relu(graph.conv(graph.input({3, 8, 8}), {.out = 8}));
  const NodeId narrow = graph.relu(graph.conv(x, {.out = 4}));
  const NodeId wide = graph.relu(graph.conv(x, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}}));
  graph.concat({{narrow, wide}});
  FloatNetwork network = drawn_network(graph, 1);
  for (auto& range : network.ranges) range = {0, 1};
  network.ranges.back() = {0, 6};
  const Int8Network parts = lower(network);
  EXPECT_TRUE(parts.layers.back().input_rescale.empty()) << "copied, without tables";
  for (const int input : parts.layers.back().inputs)
    EXPECT_EQ(parts.tensor(input).quantisation, parts.tensor(parts.output).quantisation);

  network.ranges.back() = {-6, 6};
  EXPECT_THAT(lower(network).layers.back().input_rescale, ::testing::SizeIs(2))
      << "a ReLU's zero point must be the lowest value";

  Graph shared = graph;
  shared.concat({{graph.output(), x}});
  FloatNetwork other = drawn_network(shared, 1);
  other.ranges[static_cast<std::size_t>(x)] = {0, 1};
  EXPECT_THAT(lower(other).layers.back().input_rescale, ::testing::SizeIs(2))
      << "others read x, too";
}

TEST(Lower, HasNoWordsForOpenChoices) {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  g.choice("which", {{"same", [&] { return x; }}, {"relu", [&] { return g.relu(x); }}});
  EXPECT_THROW(lower(drawn_network(g, 1)), Error);
}

TEST(OpShape, GoesToTextAndBackAndToANetwork) {
  std::vector<Graph> graphs;
  for (const LoweredCase& c : lowered_cases()) graphs.push_back(c.graph);
  Graph pooled;
  pooled.relu(pooled.avg_pool(pooled.conv(pooled.input({2, 4, 4}), {.out = 3}), {}));
  graphs.push_back(pooled);
  for (const Graph& graph : graphs) {
    const Int8Network network = skeleton(deployed(graph));
    for (const Int8Layer& layer : network.layers) {
      const OpShape op = op_shape(network, layer);
      SCOPED_TRACE(to_string(op));
      EXPECT_EQ(op_shape_of(to_string(op)), op);
      const Int8Network alone = network_of(op, "alone");
      EXPECT_EQ(op_shape(alone, alone.layers.back()), op);
    }
    std::int64_t sum = 0;
    for (const Int8Layer& layer : network.layers)
      if (graph.node(deployment(graph).made_of[static_cast<std::size_t>(layer.output)][0]).op !=
          Op::batch_norm)
        sum += macs(op_shape(network, layer));
    EXPECT_EQ(sum, macs(live(graph)));
  }
}

TEST(OpShape, OfABatchNormOnOneChannelIsAConvolution) {
  Graph graph;
  graph.batch_norm(graph.relu(graph.input({1, 4, 4})));
  const Int8Network network = lower(drawn_network(graph, 1));
  const OpShape op = op_shape(network, network.layers.back());
  EXPECT_EQ(op.kernel, Kernel::conv);
  EXPECT_NO_THROW(network_of(op, "alone")) << to_string(op);
}

TEST(OpShape, NamesTheWordThatIsWrong) {
  const auto why = [](const std::string& text) -> std::string {
    try {
      op_shape_of(text);
    } catch (const InputError& error) {
      return error.diagnostics().front().message;
    }
    return "nothing";
  };
  EXPECT_EQ(why("conf 1x2x3 -> 1x2x3"), "'conf 1x2x3 -> 1x2x3': no operator is 'conf'");
  EXPECT_EQ(why("relu 1x2 -> 1x2x3"), "'relu 1x2 -> 1x2x3': no shape is '1x2'");
  EXPECT_EQ(why("relu 1x2x0 -> 1x2x3"), "'relu 1x2x0 -> 1x2x3': no size is '0'");
  EXPECT_EQ(why("relu 1x2x3"), "'relu 1x2x3': expected '->', found ''");
  EXPECT_EQ(why("relu 1x2x3 -> 1x2x3 more"),
            "'relu 1x2x3 -> 1x2x3 more': nothing follows, found 'more'");
  EXPECT_EQ(why("max_pool 1x2x3 -> 1x2x3 window 1x1 stride 1x1 groups 1"),
            "'max_pool 1x2x3 -> 1x2x3 window 1x1 stride 1x1 groups 1': expected 'padding', found "
            "'groups'");
}

/// What is refused of an operator that stands at t:3:5, with its place.
std::string impossible(const std::string& op) {
  try {
    op_shape_of(op, {"t", 3, 5});
  } catch (const InputError& error) {
    return std::regex_replace(to_string(error.diagnostics().front()), std::regex{"'.*': |\n.*"},
                              "");
  }
  return "nothing";
}

TEST(OpShape, RefusesWhatNoOperatorCanBe) {
  const auto windowed = [](const std::string& op, const std::string& rest) {
    return impossible(op + " window 3x3 stride 1x1 padding " + rest);
  };
  EXPECT_EQ(impossible("relu 1x2x3 -> 2x2x3"), "t:3:19: error: the output is 1x2x3, not '2x2x3'");
  EXPECT_EQ(impossible("relu 1x2x3 1x2x3 -> 1x2x3"), "t:3:16: error: a second input is '1x2x3'");
  EXPECT_EQ(impossible("add 8x4x4 9x4x4 -> 8x4x4"),
            "t:3:15: error: the first input does not go with '9x4x4'");
  EXPECT_EQ(impossible("concat 8x4x4 9x4x4 -> 16x4x4"),
            "t:3:27: error: the output is 17x4x4, not '16x4x4'");
  EXPECT_EQ(impossible("concat 8x4x4 9x4x5 -> 17x4x4"),
            "t:3:18: error: the first input does not go with '9x4x5'");
  std::string many = "concat";
  for (int i = 0; i < 5000; ++i) many += " 1048576x1x1";
  EXPECT_NE(impossible(many + " -> 8x1x1"), "nothing") << "more channels than fit into an int";
  EXPECT_EQ(impossible("softmax 8x1x2 -> 8x1x2"),
            "t:3:13: error: a softmax has one pixel, not '8x1x2'");
  EXPECT_EQ(impossible("mean 8x4x4 -> 8x1x2"), "t:3:19: error: the output is 8x1x1, not '8x1x2'");
  EXPECT_EQ(impossible("linear 8x4x4 -> 8x1x2"), "t:3:21: error: the output is 8x1x1, not '8x1x2'");
  EXPECT_EQ(windowed("conv 3x4x4 -> 4x4x4", "1x1 groups 2"),
            "t:3:66: error: 3 to 4 channels in groups '2'");
  EXPECT_EQ(windowed("conv 3x4x4 -> 4x5x4", "1x1 groups 1"),
            "t:3:19: error: the output is 4x4x4, not '4x5x4'");
  EXPECT_EQ(windowed("conv 3x1x4 -> 4x1x4", "0x1 groups 1"),
            "t:3:32: error: the padded input is smaller than the window '3x3'");
  EXPECT_EQ(windowed("conv 4x4x4 -> 4x4x4", "1x1 groups 4"),
            "t:3:5: error: these channels and groups are not those of a 'conv'");
  EXPECT_EQ(windowed("depthwise 4x4x4 -> 4x4x4", "1x1 groups 2"),
            "t:3:71: error: each channel is a group, found '2'");
  EXPECT_EQ(windowed("max_pool 4x4x4 -> 4x4x4", "1x1 groups 2"),
            "t:3:70: error: a pool has no groups, found '2'");
  EXPECT_EQ(windowed("max_pool 4x4x4 -> 4x6x6", "2x2 groups 1"),
            "t:3:59: error: a window may lie in the padding alone: '2x2'");
}

/// With an odd rest below, which tables of others' measurements have, and networks have not.
TEST(OpShape, MayPadWithSame) {
  const std::string same = "conv 1x64x30 -> 4x32x30 window 3x1 stride 2x1 padding 0x0 groups 1";
  EXPECT_EQ(impossible(same), "nothing");
  EXPECT_THROW(blank_network_of(op_shape_of(same)), InputError);
  EXPECT_EQ(impossible("conv 1x64x30 -> 4x31x30 window 3x1 stride 2x1 padding 0x0 groups 1"),
            "nothing");
  EXPECT_NE(impossible("conv 1x64x30 -> 4x33x30 window 3x1 stride 2x1 padding 0x0 groups 1"),
            "nothing");
}

}  // namespace
}  // namespace thimble::int8_test
