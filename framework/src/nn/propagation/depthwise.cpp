#include "depthwise.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <vector>

#include <thimble/core/instruction_sets.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// A row of a result, pixel by pixel, a number a channel in each: what a tap reads for all of it
/// lies side by side as well. Weights repeat after `period` numbers, which is whole vectors.
template <class Scalar>
struct DepthwiseRow {
  const Scalar* from;
  std::vector<std::int64_t> offsets;  ///< of the taps
  const Scalar* weights;              ///< tap x period
  std::int64_t period;
  Scalar* into;  ///< whole vectors
  std::int64_t length;
};

/// Sums of the gradient times what the taps read, over the rows of a sample.
template <class Scalar>
struct DepthwiseSums {
  const Scalar* from;
  std::vector<std::int64_t> offsets;
  std::int64_t pitch;      ///< from what one row of the gradient reads to what the next does
  const Scalar* gradient;  ///< zeros up to whole vectors behind each row
  std::int64_t gradient_pitch;
  std::int64_t period;
  std::int64_t length;
  std::int64_t rows;
  Scalar* into;  ///< tap x period
};

/// Of pixels from one place to another.
template <class Scalar>
struct DepthwiseCopy {
  const Scalar* from;
  std::int64_t from_pixel, from_channel;
  Scalar* into;
  std::int64_t into_pixel, into_channel;
  std::int64_t pixels, channels;
};

#define THIMBLE_KERNELS "nn/propagation/depthwise_kernels.inc"
#include <thimble/core/instruction_sets.inc>

template <class Scalar>
constexpr std::int64_t kLanes = 64 / sizeof(Scalar);

template <class Scalar>
std::int64_t whole_vectors(std::int64_t count) {
  return (count + kLanes<Scalar> - 1) / kLanes<Scalar> * kLanes<Scalar>;
}

/// Where the numbers of a tensor lie, whatever its layout.
template <class Scalar>
struct Place {
  Scalar* first;
  std::int64_t by_sample, by_channel, by_row, by_pixel;
  std::int64_t channels;

  explicit Place(const at::Tensor& x)
      : first{x.data_ptr<Scalar>()},
        by_sample{x.stride(0)},
        by_channel{x.stride(1)},
        by_row{x.stride(2)},
        by_pixel{x.stride(3)},
        channels{x.size(1)} {}

  Scalar* row(std::int64_t sample, std::int64_t y) const {
    return first + sample * by_sample + y * by_row;
  }
};

/// Runs a row to its place in a tensor, through `buffer` where whole vectors do not fit there.
template <class Scalar>
void correlate_row(DepthwiseRow<Scalar>& run, std::vector<Scalar>& buffer,
                   const Place<Scalar>& tensor, Scalar* into, std::int64_t by_pixel) {
  const std::int64_t channels = tensor.channels;
  const bool fits = tensor.by_channel == 1 && by_pixel == channels &&
                    run.length == whole_vectors<Scalar>(run.length);
  run.into = fits ? into : buffer.data();
  THIMBLE_BEST(correlate<Scalar>)(run);
  if (!fits) THIMBLE_BEST(copy_pixels<Scalar>)
  ({buffer.data(), channels, 1, into, by_pixel, tensor.by_channel, run.length / channels,
    channels});
}

/// A sample with zeros around it. The pixels of a row are dealt out to as many runs as the stride
/// has columns, so that what one tap reads lies side by side.
template <class Scalar>
class Padded {
 public:
  /// `size` is with the zeros, of which `before` lie above and to the left.
  Padded(std::int64_t channels, Extent before, Extent size, int stride)
      : channels_{channels},
        before_{before},
        stride_{stride},
        run_{whole_vectors<Scalar>((size.width + stride - 1) / stride * channels) + kLanes<Scalar>},
        numbers_(at::zeros({size.height * pitch()}, at::CppTypeToScalarType<Scalar>::value)) {}

  std::int64_t pitch() const { return run_ * stride_; }
  std::int64_t offset(std::int64_t y, std::int64_t x) const {
    return y * pitch() + x % stride_ * run_ + x / stride_ * channels_;
  }
  Scalar* data() const { return numbers_.template data_ptr<Scalar>(); }
  /// Where the sample's own first number lies.
  Scalar* inside() const { return data() + offset(before_.height, before_.width); }

  void load(const at::Tensor& x, std::int64_t sample) const {
    const Place<Scalar> place{x};
    for (std::int64_t y = 0; y < x.size(2); ++y)
      for (std::int64_t start = 0; start < std::min<std::int64_t>(stride_, x.size(3)); ++start)
        THIMBLE_BEST(copy_pixels<Scalar>)
    ({place.row(sample, y) + start * place.by_pixel, stride_ * place.by_pixel, place.by_channel,
      data() + offset(before_.height + y, before_.width + start), channels_, 1,
      (x.size(3) - start + stride_ - 1) / stride_, channels_});
  }

 private:
  std::int64_t channels_;
  Extent before_;
  std::int64_t stride_;
  std::int64_t run_;
  at::Tensor numbers_;
};

/// A window with its weights as the kernels read them.
template <class Scalar>
struct Window {
  std::int64_t period;
  std::vector<std::vector<Scalar>> taps;  ///< by row and column, of `period` numbers

  explicit Window(const at::Tensor& weight) : period{std::lcm(weight.size(0), kLanes<Scalar>)} {
    const at::Tensor whole = weight.contiguous();
    const std::int64_t channels = weight.size(0), count = weight.size(2) * weight.size(3);
    for (std::int64_t tap = 0; tap < count; ++tap) {
      std::vector<Scalar>& made = taps.emplace_back();
      for (std::int64_t i = 0; i < period; ++i)
        made.push_back(whole.data_ptr<Scalar>()[i % channels * count + tap]);
    }
  }
};

Extent extent_of(const at::Tensor& x) {
  return {static_cast<int>(x.size(2)), static_cast<int>(x.size(3))};
}

/// What the windows of `outputs` cover.
Extent covered(const Node& node, Extent outputs) {
  return {(outputs.height - 1) * node.stride.height + node.kernel.height,
          (outputs.width - 1) * node.stride.width + node.kernel.width};
}

/// x with the zeros around it that the windows read.
template <class Scalar>
Padded<Scalar> padded_for(const at::Tensor& x, const Node& node, Extent outputs) {
  const Extent windows = covered(node, outputs), inside = extent_of(x);
  return {x.size(1),
          node.padding,
          {std::max(windows.height, inside.height + node.padding.height),
           std::max(windows.width, inside.width + node.padding.width)},
          node.stride.width};
}

template <class Scalar>
std::vector<std::int64_t> offsets_in(const Padded<Scalar>& x, const Node& node) {
  std::vector<std::int64_t> offsets;
  for (int i = 0; i < node.kernel.height; ++i)
    for (int j = 0; j < node.kernel.width; ++j) offsets.push_back(x.offset(i, j));
  return offsets;
}

template <class Scalar>
void forward(const at::Tensor& x, const at::Tensor& weight, const Node& node, at::Tensor& y) {
  const Window<Scalar> window{weight};
  const Padded<Scalar> padded = padded_for<Scalar>(x, node, extent_of(y));
  const std::int64_t length = y.size(3) * y.size(1);
  std::vector<Scalar> weights, row(static_cast<std::size_t>(whole_vectors<Scalar>(length)));
  for (const auto& tap : window.taps) weights.insert(weights.end(), tap.begin(), tap.end());
  DepthwiseRow<Scalar> run{
      padded.data(), offsets_in(padded, node), weights.data(), window.period, row.data(), length};
  const Place<Scalar> into{y};
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    padded.load(x, n);
    for (std::int64_t i = 0; i < y.size(2); ++i) {
      run.from = padded.data() + i * node.stride.height * padded.pitch();
      correlate_row(run, row, into, into.row(n, i), into.by_pixel);
    }
  }
}

/// The pixels of the input in a line that read the same taps: every stride-th.
struct Phase {
  std::int64_t first;  ///< pixel
  std::int64_t count;
  std::int64_t from;  ///< the output that meets the first pixel at the first tap

  Phase(int of, int stride, int padding, std::int64_t size)
      : first{((of - padding) % stride + stride) % stride},
        count{first < size ? (size - first + stride - 1) / stride : 0},
        from{(first + padding - of) / stride} {}
};

/// Gradients by the input, phase by phase, each of which is a convolution with stride 1 of the
/// gradient by the output.
template <class Scalar>
class ByInput {
 public:
  /// `padded` has the gradient by the output behind `before` zeros.
  ByInput(const Padded<Scalar>& padded, Extent before, const Window<Scalar>& window,
          const Node& node, const at::Tensor& result)
      : padded_{padded},
        before_{before},
        stride_{node.stride},
        into_{result},
        row_(static_cast<std::size_t>(whole_vectors<Scalar>(result.size(3) * result.size(1)))) {
    for (int down = 0; down < stride_.height; ++down)
      for (int across = 0; across < stride_.width; ++across) {
        Part& part =
            parts_.emplace_back(Part{{down, stride_.height, node.padding.height, result.size(2)},
                                     {across, stride_.width, node.padding.width, result.size(3)}});
        for (int i = down; i < node.kernel.height; i += stride_.height)
          for (int j = across; j < node.kernel.width; j += stride_.width) {
            part.run.offsets.push_back(-padded.offset(i / stride_.height, j / stride_.width));
            const auto& tap =
                window.taps[static_cast<std::size_t>(std::int64_t{i} * node.kernel.width + j)];
            part.weights.insert(part.weights.end(), tap.begin(), tap.end());
          }
        part.run.period = window.period;
        part.run.length = part.columns.count * result.size(1);
      }
  }

  void write(std::int64_t sample) {
    for (Part& part : parts_) {
      part.run.weights = part.weights.data();
      for (std::int64_t i = 0; i < part.rows.count; ++i) {
        part.run.from = padded_.data() + padded_.offset(before_.height + part.rows.from + i,
                                                        before_.width + part.columns.from);
        correlate_row(part.run, row_, into_,
                      into_.row(sample, part.rows.first + i * stride_.height) +
                          part.columns.first * into_.by_pixel,
                      stride_.width * into_.by_pixel);
      }
    }
  }

 private:
  struct Part {
    Phase rows;
    Phase columns;
    std::vector<Scalar> weights = {};
    DepthwiseRow<Scalar> run = {};
  };

  const Padded<Scalar>& padded_;
  Extent before_;
  Extent stride_;
  Place<Scalar> into_;
  std::vector<Scalar> row_;
  std::vector<Part> parts_;
};

/// Totals are tap x period, of numbers by channel that repeat.
at::Tensor weight_of(const std::vector<double>& totals, std::int64_t period,
                     const at::Tensor& like) {
  const std::int64_t channels = like.size(0);
  return at::tensor(totals, at::kDouble)
      .view({-1, period / channels, channels})
      .sum(1)
      .t()
      .to(like.scalar_type())
      .reshape(like.sizes());
}

template <class Scalar>
DepthwiseGradients backward(const at::Tensor& gradient, const at::Tensor& x,
                            const at::Tensor& weight, const Node& node, bool wants_input,
                            bool wants_weight) {
  const Window<Scalar> window{weight};
  const Padded<Scalar> padded = padded_for<Scalar>(x, node, extent_of(gradient));
  const Extent before{(node.kernel.height - 1) / node.stride.height,
                      (node.kernel.width - 1) / node.stride.width};
  const auto reach = [](int before_it, std::int64_t outputs, std::int64_t inputs, int padding,
                        int stride) {
    return static_cast<int>(before_it + std::max(outputs, (inputs + padding - 1) / stride + 1));
  };
  const Padded<Scalar> out{
      gradient.size(1),
      before,
      {reach(before.height, gradient.size(2), x.size(2), node.padding.height, node.stride.height),
       reach(before.width, gradient.size(3), x.size(3), node.padding.width, node.stride.width)},
      1};
  std::vector<Scalar> sums(window.taps.size() * static_cast<std::size_t>(window.period));
  const DepthwiseSums<Scalar> run{padded.data(),
                                  offsets_in(padded, node),
                                  node.stride.height * padded.pitch(),
                                  out.inside(),
                                  out.pitch(),
                                  window.period,
                                  gradient.size(3) * gradient.size(1),
                                  gradient.size(2),
                                  sums.data()};
  DepthwiseGradients made;
  std::vector<double> totals(sums.size());  // over samples, in their order
  std::optional<ByInput<Scalar>> by_input;
  if (wants_input) by_input.emplace(out, before, window, node, made.by_input = at::empty_like(x));
  for (std::int64_t n = 0; n < x.size(0); ++n) {
    out.load(gradient, n);
    if (wants_input) by_input->write(n);
    if (!wants_weight) continue;
    padded.load(x, n);
    THIMBLE_BEST(multiply<Scalar>)(run);
    std::ranges::transform(sums, totals, totals.begin(), std::plus<double>{});
  }
  if (wants_weight) made.by_weight = weight_of(totals, window.period, weight);
  return made;
}

}  // namespace

bool is_depthwise(const Network& network, const Node& node) {
  const Graph& graph = network.graph();
  constexpr int kFewestPixels = 16;
  const bool pays = (node.stride == Extent{1, 1} && node.shape.pixels() >= kFewestPixels) ||
                    node.kernel.height * node.kernel.width > 9;
  return pays && !network.is_plain() && node.op == Op::conv && node.groups > 1 &&
         node.groups == node.shape.channels && node.groups == graph.input_shape(node).channels;
}

at::Tensor depthwise(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const Node& node) {
  at::Tensor y = at::empty({x.size(0), x.size(1), node.shape.height, node.shape.width}, x.options(),
                           x.suggest_memory_format());
  if (x.scalar_type() == at::kDouble) {
    forward<double>(x, weight, node, y);
  } else {
    forward<float>(x, weight, node, y);
  }
  if (bias.defined()) y += bias.view({1, -1, 1, 1});
  return y;
}

DepthwiseGradients depthwise_backward(const at::Tensor& gradient, const at::Tensor& x,
                                      const at::Tensor& weight, const Node& node, bool wants_input,
                                      bool wants_weight) {
  return x.scalar_type() == at::kDouble
             ? backward<double>(gradient, x, weight, node, wants_input, wants_weight)
             : backward<float>(gradient, x, weight, node, wants_input, wants_weight);
}

}  // namespace thimble
