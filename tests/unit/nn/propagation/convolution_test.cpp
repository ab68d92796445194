#include <thimble/nn/propagation/convolution.hpp>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <support/small_networks.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble::convolution_test {
namespace {

using test::relative_error;

constexpr auto kLast = at::MemoryFormat::ChannelsLast;

/// How x and the weights lie in memory.
constexpr std::pair<at::MemoryFormat, at::MemoryFormat> kLayouts[] = {
    {at::MemoryFormat::Contiguous, at::MemoryFormat::Contiguous},
    {kLast, at::MemoryFormat::Contiguous},
    {kLast, kLast}};

/// Output and gradients against LibTorch's own loops, which are what runs in double.
void expect_as_in_double(const Shape& in, int out, const Node& node) {
  const at::NoGradGuard no_grad;
  const at::Tensor x = at::randn({3, in.channels, in.height, in.width}, at::kDouble);
  const at::Tensor weight = at::randn(
      {out, in.channels / node.groups, node.kernel.height, node.kernel.width}, at::kDouble);
  const at::Tensor truth = at::conv2d(x, weight, {}, pair_of(node.stride), pair_of(node.padding),
                                      /*dilation=*/1, node.groups);
  const at::Tensor gradient = at::randn_like(truth);
  const auto [by_x, by_weight, none] = at::convolution_backward(
      gradient, x, weight, at::IntArrayRef{out}, pair_of(node.stride), pair_of(node.padding),
      {1, 1}, /*transposed=*/false, {0, 0}, node.groups, {true, true, false});
  for (const auto& [lies, weight_lies] : kLayouts) {
    const auto given = [](const at::Tensor& values, at::MemoryFormat as) {
      return values.to(at::kFloat).contiguous(as);
    };
    const at::Tensor own_x = given(x, lies), own_weight = given(weight, weight_lies);
    const auto found =
        convolution_backward(given(gradient, lies), own_x, own_weight, node, {true, true, false});
    EXPECT_LE(relative_error(convolution(own_x, own_weight, {}, node).to(at::kDouble), truth),
              1e-5);
    EXPECT_LE(relative_error(found.by_input.to(at::kDouble), by_x), 1e-5);
    EXPECT_LE(relative_error(found.by_weight.to(at::kDouble), by_weight), 1e-5);
    EXPECT_FALSE(found.by_bias.defined());
  }
}

/// Those that are laid down: columns of many channels, and windows that read whole rows. Groups of
/// eight channels are what oneDNN computes wrongly where strides are not as it expects.
TEST(Convolution, IsThatOfLibTorchOnSeries) {
  for (const Shape& in : {Shape{1, 40, 1}, {1, 40, 9}, {6, 40, 1}, {16, 40, 1}, {64, 3, 1}})
    for (const int out : {1, 2, 16, 64})
      for (const int window : {1, 2, 5, 11})
        for (const int stride : {1, 2, 3})
          for (const int groups : {1, 2}) {
            if (in.channels % groups != 0 || out % groups != 0) continue;
            SCOPED_TRACE(fmt::format("{}, {} channels out, window {}, stride {}, groups {}",
                                     to_string(in), out, window, stride, groups));
            Node node;
            node.kernel = {window, in.width};
            node.stride = {stride, 1};
            node.padding = {window / 2, 0};
            node.groups = groups;
            expect_as_in_double(in, out, node);
          }
}

}  // namespace
}  // namespace thimble::convolution_test
