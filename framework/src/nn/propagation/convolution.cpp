#include <thimble/nn/propagation/convolution.hpp>

#include <algorithm>

#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// Whether a convolution reads some single pixels and no others.
bool skips_pixels(const Node& node) {
  return node.kernel == Extent{1, 1} && node.padding == Extent{0, 0} && node.stride != Extent{1, 1};
}

at::Tensor read_pixels(const at::Tensor& x, const Node& node) {
  const auto [down, across] = node.stride;
  return x.slice(2, 0, x.size(2), down).slice(3, 0, x.size(3), across);
}

/// LibTorch 2.6 reads other pixels than it should where one channel, its numbers as channels last
/// has them, gives one column and columns are left over.
bool leaves_columns(const at::Tensor& x, const Node& node) {
  const std::int64_t wide = node.kernel.width;
  return x.size(1) == 1 && node.padding.width == 0 && x.size(3) > wide &&
         x.size(3) < wide + node.stride.width;
}

at::Tensor read_columns(const at::Tensor& x, const Node& node) {
  return x.narrow(3, 0, node.kernel.width);
}

bool needs_zeros(const at::Tensor& x, const Node& node) {
  const auto [high, wide] = node.padding;
  const auto [height, width] = node.kernel;
  return std::max(height, high + 1) > x.size(2) || std::max(width, wide + 1) > x.size(3);
}

/// One column that a window goes down: of one channel, whose rows are read whole, or one number
/// wide. Without autograd, which would pay for the views.
bool is_series(const at::Tensor& x, const Node& node, const Extent& padding) {
  return !at::GradMode::is_enabled() && padding.width == 0 && node.kernel.width == x.size(3) &&
         (x.size(1) == 1 || x.size(3) == 1);
}

/// N x channels x 1 x steps. unsqueeze() gives the strides by which LibTorch tells layouts;
/// with others for the dimension of 1, oneDNN has wrong results of grouped convolutions.
at::Tensor laid_down(const at::Tensor& x) {
  const at::Tensor series = x.size(1) == 1 ? x.squeeze(1).transpose(1, 2) : x.squeeze(3);
  return series.unsqueeze(2);
}

/// What was laid down, in a shape that it had or would have had.
at::Tensor stood_up(const at::Tensor& lying, at::IntArrayRef sizes) {
  if (!lying.is_contiguous(at::MemoryFormat::ChannelsLast))
    return sizes[1] == 1 ? lying.permute({0, 2, 3, 1}) : lying.transpose(2, 3);
  const std::int64_t row = sizes[3] * sizes[1];
  return lying.as_strided(sizes, {sizes[2] * row, 1, row, sizes[1]});
}

/// A convolution as oneDNN is to run it.
struct Run {
  at::Tensor read;  ///< of the input: with zeros around it, or some pixels of it
  at::Tensor x;     ///< the same, perhaps laid down
  at::Tensor weight;
  Extent padding;
  Extent stride;
  bool is_series;
};

Run run_of(const at::Tensor& x, const at::Tensor& weight, const Node& node) {
  if (leaves_columns(x, node))
    return run_of(read_columns(x, node).contiguous(x.suggest_memory_format()), weight, node);
  Run run{x, {}, weight, node.padding, node.stride, false};
  if (skips_pixels(node)) {
    run.read = read_pixels(x, node).contiguous(x.suggest_memory_format());
    run.padding = {0, 0};
    run.stride = {1, 1};
  } else if (needs_zeros(x, node)) {
    const auto [high, wide] = node.padding;
    run.read = at::constant_pad_nd(x, {wide, wide, high, high});
    run.padding = {0, 0};
  }
  run.x = run.read;
  run.is_series = is_series(run.read, node, run.padding);
  if (run.is_series) {
    run.x = laid_down(run.read);
    run.weight = laid_down(weight);
    run.padding = {0, run.padding.height};
    run.stride = {1, run.stride.height};
  }
  return run;
}

at::Tensor gradient_by_input(const at::Tensor& of_read, const at::Tensor& x, const Node& node) {
  if (leaves_columns(x, node))
    return at::constant_pad_nd(gradient_by_input(of_read, read_columns(x, node), node),
                               {0, x.size(3) - node.kernel.width});
  if (skips_pixels(node)) {
    at::Tensor made = at::zeros_like(x);
    read_pixels(made, node).copy_(of_read);
    return made;
  }
  if (!needs_zeros(x, node)) return of_read;
  const auto [high, wide] = node.padding;
  return of_read.slice(2, high, of_read.size(2) - high)
      .slice(3, wide, of_read.size(3) - wide)
      .contiguous(of_read.suggest_memory_format());
}

}  // namespace

at::Tensor convolution(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                       const Node& node) {
  const Run run = run_of(x, weight, node);
  const at::Tensor y = at::conv2d(run.x, run.weight, bias, pair_of(run.stride),
                                  pair_of(run.padding), /*dilation=*/1, node.groups);
  return run.is_series ? stood_up(y, {y.size(0), y.size(1), y.size(3), 1}) : y;
}

ConvolutionGradients convolution_backward(const at::Tensor& gradient, const at::Tensor& x,
                                          const at::Tensor& weight, const Node& node,
                                          const ConvolutionWants& wants) {
  const Run run = run_of(x, weight, node);
  const at::Tensor of_output = run.is_series ? laid_down(gradient) : gradient;
  auto [by_input, by_weight, by_bias] = at::convolution_backward(
      of_output, run.x, run.weight, at::IntArrayRef{weight.size(0)}, pair_of(run.stride),
      pair_of(run.padding), {1, 1}, /*transposed=*/false, {0, 0}, node.groups,
      {wants.input, wants.weight, wants.bias});
  if (run.is_series) {
    if (wants.input) by_input = stood_up(by_input, run.read.sizes());
    if (wants.weight) by_weight = stood_up(by_weight, weight.sizes());
  }
  if (wants.input) by_input = gradient_by_input(by_input, x, node);
  return {by_input, by_weight, by_bias};
}

}  // namespace thimble
