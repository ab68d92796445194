#include <thimble/nn/integer_network.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <span>
#include <utility>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/instruction_sets.hpp>
#include <thimble/deploy/quantisation.hpp>
#include <thimble/nn/propagation/convolution.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include "integer_kernels.hpp"

namespace thimble {
namespace {

#define THIMBLE_KERNELS "nn/integer_kernels.inc"
#include <thimble/core/instruction_sets.inc>

constexpr auto kLast = at::MemoryFormat::ChannelsLast;

at::Tensor images_of(std::int64_t samples, const Shape& shape) {
  return at::empty({samples, shape.channels, shape.height, shape.width},
                   at::TensorOptions{at::kFloat}.memory_format(kLast));
}

/// The numbers of a tensor as they lie, pixel after pixel, the channels of each side by side.
std::span<float> numbers(const at::Tensor& images) {
  return {images.data_ptr<float>(), at(images.numel())};
}

std::int32_t whole(float value) { return static_cast<std::int32_t>(value); }

/// The window's cells of a pool that are no padding, in one direction.
std::pair<int, int> cells(int place, int stride, int padding, int window, int size) {
  const int first = place * stride - padding;
  return {std::max(first, 0), std::min(first + window, size)};
}

at::Tensor weights_of(const Int8Network& network, const Int8Layer& layer) {
  if (layer.weights.empty()) return {};
  const std::int64_t out = network.tensor(layer.output).shape.channels;
  const Shape& in = network.tensor(layer.inputs[0]).shape;
  const std::int64_t high = layer.window.height, wide = layer.window.width;
  const at::Tensor all =
      at::tensor(at::ArrayRef<std::int8_t>{layer.weights}, at::kChar).to(at::kFloat);
  switch (layer.kernel) {
    case Kernel::conv:
      return all.view({out, high, wide, -1}).permute({0, 3, 1, 2}).contiguous(kLast);
    case Kernel::depthwise:
      return all.view({high, wide, out, 1}).permute({2, 3, 0, 1}).contiguous();
    default:
      return all.view({out, in.height, in.width, in.channels})
          .permute({0, 3, 1, 2})
          .reshape({out, in.elements()});
  }
}

/// Whether a sum of products might leave the whole numbers that float has.
bool exceeds_float(const at::Tensor& weights, const Quantisation& input) {
  constexpr double kExact = 1 << 24;
  const int largest = std::max(127 - input.zero_point, 128 + input.zero_point);
  return weights.flatten(1).abs().sum(1).max().item<double>() * largest >= kExact;
}

/// One layer on many samples.
class LayerRun {
 public:
  LayerRun(const Int8Network& network, const Int8Layer& layer, const at::Tensor& weights,
           bool is_double, const std::vector<at::Tensor>& values)
      : network_{network},
        layer_{layer},
        weights_{is_double ? weights.to(at::kDouble) : weights},
        values_{values},
        x_{values[at(layer.inputs[0])]},
        in_{network.tensor(layer.inputs[0])},
        out_{network.tensor(layer.output)},
        zero_{out_.quantisation.zero_point},
        lowest_{layer.lowest - zero_},
        highest_{layer.highest - zero_},
        made_{images_of(x_.size(0), out_.shape)} {}

  at::Tensor run() {
    switch (layer_.kernel) {
      case Kernel::conv:
      case Kernel::depthwise: convolution(); break;
      case Kernel::linear:
        requantise(at::linear(x_.contiguous().flatten(1).to(weights_.scalar_type()), weights_));
        break;
      case Kernel::mean: mean(); break;
      case Kernel::relu:
        each([&](std::size_t i) { return rescaled(whole(numbers(x_)[i]), layer_.rescale[0]); });
        break;
      case Kernel::add: add(); break;
      case Kernel::avg_pool: avg_pool(); break;
      case Kernel::max_pool: max_pool(); break;
      case Kernel::concat: concat(); break;
      case Kernel::softmax: softmax(); break;
    }
    return made_;
  }

  /// What the output would reach without a clamp.
  Range range() const {
    const float scale = out_.quantisation.scale;
    // A fused ReLU's own ends are no matter of int8.
    const bool is_rectified = lowest_ == 0;
    const float highest = scale * static_cast<float>(ends_.most);
    return {
        is_rectified ? 0 : scale * static_cast<float>(ends_.least),
        highest_ < 127 - zero_ ? std::min(highest, scale * static_cast<float>(highest_)) : highest};
  }

 private:
  void convolution() {
    Node node;
    node.kernel = layer_.window;
    node.stride = layer_.stride;
    node.padding = layer_.padding;
    node.groups = layer_.kernel == Kernel::depthwise ? out_.shape.channels : layer_.groups;
    const at::Tensor x = reaching(x_, 0).to(weights_.scalar_type());
    requantise(fitting(thimble::convolution(x, weights_, {}, node)));
  }

  void max_pool() {
    const auto none = -std::numeric_limits<double>::infinity();
    made_ = fitting(at::max_pool2d(reaching(x_, none), pair_of(layer_.window),
                                   pair_of(layer_.stride), pair_of(layer_.padding)))
                .clamp(lowest_, highest_);
  }

  /// What windows read, with rows below and columns on the right where they reach farther than
  /// above and on the left.
  at::Tensor reaching(const at::Tensor& x, double padding) const {
    const auto missing = [](int out, int stride, int window, int size, int before) {
      return std::max(0, (out - 1) * stride + window - size - 2 * before);
    };
    const int below = missing(out_.shape.height, layer_.stride.height, layer_.window.height,
                              in_.shape.height, layer_.padding.height);
    const int right = missing(out_.shape.width, layer_.stride.width, layer_.window.width,
                              in_.shape.width, layer_.padding.width);
    return below > 0 || right > 0 ? at::constant_pad_nd(x, {0, right, 0, below}, padding) : x;
  }

  at::Tensor fitting(const at::Tensor& y) const {
    return y.slice(2, 0, out_.shape.height).slice(3, 0, out_.shape.width).contiguous(kLast);
  }

  /// sums: with the channels running fastest.
  void requantise(const at::Tensor& sums) {
    if (sums.scalar_type() == at::kDouble) return requantise_one_by_one(sums.data_ptr<double>());
    const bool is_whole = out_.shape.channels % 8 == 0 &&
                          std::ranges::all_of(layer_.rescale, [](const Rescale& factor) {
                            return factor.shift <= 0;
                          });
    if (!is_whole) return requantise_one_by_one(sums.data_ptr<float>());
    std::vector<std::int32_t> multiplier, shift;
    for (const Rescale& factor : layer_.rescale) {
      multiplier.push_back(factor.multiplier);
      shift.push_back(factor.shift);
    }
    const std::int64_t channels = out_.shape.channels;
    ends_ = THIMBLE_BEST(requantise)({made_.numel() / channels, channels, layer_.bias.data(),
                                      multiplier.data(), shift.data(), lowest_, highest_},
                                     sums.data_ptr<float>(), made_.data_ptr<float>());
  }

  template <class Sum>
  void requantise_one_by_one(const Sum* sums) {
    const auto channels = at(out_.shape.channels);
    each([&](std::size_t i) {
      const std::size_t c = i % channels;
      return rescaled(wrapped(static_cast<std::int64_t>(sums[i]) + layer_.bias[c]),
                      layer_.rescale[c]);
    });
  }

  /// Numbers one by one: what value(i) gives, clamped.
  template <class Value>
  void each(const Value& value) {
    const std::span<float> into = numbers(made_);
    ends_ = {std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};
    for (std::size_t i = 0; i < into.size(); ++i) {
      const std::int32_t wanted = value(i);
      ends_ = {std::min(ends_.least, wanted), std::max(ends_.most, wanted)};
      into[i] = static_cast<float>(std::clamp(wanted, lowest_, highest_));
    }
  }

  void mean() {
    const at::Tensor sums = x_.to(at::kDouble).sum({2, 3}).contiguous();  // exact
    const auto* const sum = sums.data_ptr<double>();
    each([&](std::size_t i) {
      return rescaled(static_cast<std::int32_t>(sum[i]), layer_.rescale[0]);
    });
  }

  void add() {
    std::vector<std::int32_t> sums(at(made_.numel()));
    for (std::size_t i = 0; i < layer_.inputs.size(); ++i) THIMBLE_BEST(add_term)
    (values_[at(layer_.inputs[i])].data_ptr<float>(), made_.numel(), layer_.input_rescale[i],
     sums.data());
    const Rescale factor = layer_.rescale[0];
    if (factor.shift <= 0 && made_.numel() % 8 == 0)
      ends_ = THIMBLE_BEST(finish_sum)(sums.data(), made_.numel(), factor, lowest_, highest_,
                                       made_.data_ptr<float>());
    else
      each([&](std::size_t i) { return rescaled(sums[i], factor); });
  }

  /// Means of the values with their zero point, as the kernels take them.
  void avg_pool() {
    const Shape& from = in_.shape;
    const float* const x = x_.data_ptr<float>();
    float* into = made_.data_ptr<float>();
    std::vector<std::int32_t> sums(at(from.channels));
    for (std::int64_t n = 0; n < made_.size(0); ++n)
      for (int row = 0; row < out_.shape.height; ++row) {
        const auto [top, bottom] = cells(row, layer_.stride.height, layer_.padding.height,
                                         layer_.window.height, from.height);
        for (int column = 0; column < out_.shape.width; ++column) {
          const auto [left, right] = cells(column, layer_.stride.width, layer_.padding.width,
                                           layer_.window.width, from.width);
          std::ranges::fill(sums, (bottom - top) * (right - left) * zero_);
          for (int i = top; i < bottom; ++i)
            for (int j = left; j < right; ++j) {
              const float* const pixel =
                  x + ((n * from.height + i) * from.width + j) * from.channels;
              for (std::size_t c = 0; c < sums.size(); ++c) sums[c] += whole(pixel[c]);
            }
          for (const std::int32_t sum : sums)
            *into++ = static_cast<float>(std::clamp(
                mean_of(sum, (bottom - top) * (right - left)) - zero_, lowest_, highest_));
        }
      }
  }

  void concat() {
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < layer_.inputs.size(); ++i) {
      parts.push_back(values_[at(layer_.inputs[i])]);
      if (layer_.input_rescale.empty()) continue;
      at::Tensor part = at::empty_like(parts.back());
      const std::span<float> from = numbers(parts.back()), into = numbers(part);
      for (std::size_t k = 0; k < into.size(); ++k)
        into[k] = static_cast<float>(
            std::clamp(rescaled(whole(from[k]), layer_.input_rescale[i]), lowest_, highest_));
      parts.back() = part;
    }
    made_ = at::cat(parts, 1).contiguous(kLast);
  }

  void softmax() {
    const std::int64_t length = out_.shape.elements();
    for (std::int64_t n = 0; n < made_.size(0); ++n) {
      std::vector<std::int8_t> values;
      for (const float value : numbers(x_).subspan(at(n * length), at(length)))
        values.push_back(static_cast<std::int8_t>(whole(value) + in_.quantisation.zero_point));
      const auto shares = softmax_of(layer_, values);
      for (std::size_t i = 0; i < shares.size(); ++i)
        numbers(made_)[at(n * length) + i] = static_cast<float>(shares[i] - zero_);
    }
  }

  const Int8Network& network_;
  const Int8Layer& layer_;
  at::Tensor weights_;
  const std::vector<at::Tensor>& values_;
  const at::Tensor& x_;
  const Int8Tensor& in_;
  const Int8Tensor& out_;
  std::int32_t zero_;
  std::int32_t lowest_;   ///< of the output, less its zero point
  std::int32_t highest_;  ///< likewise
  at::Tensor made_;
  Ends ends_;
};

Range hull(const Range& a, const Range& b) {
  return {std::min(a.lowest, b.lowest), std::max(a.highest, b.highest)};
}

/// As the reference's input is, less the zero point.
at::Tensor centred(const at::Tensor& images, const Quantisation& q) {
  at::Tensor made = images.contiguous(kLast).clone();
  for (float& value : numbers(made))
    value = static_cast<float>(rounded_value(value, q) - q.zero_point);
  return made;
}

}  // namespace

IntegerNetwork::IntegerNetwork(Int8Network network)
    : network_{std::move(network)}, last_readers_(network_.tensors.size()) {
  for (const Int8Layer& layer : network_.layers) {
    for (const int input : layer.inputs) last_readers_[at(input)] = weights_.size();
    const at::Tensor& weights = weights_.emplace_back(weights_of(network_, layer));
    is_double_.push_back(weights.defined() &&
                         exceeds_float(weights, network_.tensor(layer.inputs[0]).quantisation));
  }
}

IntegerRun IntegerNetwork::run(const at::Tensor& images) const {
  IntegerRun made = begin(images);
  for (std::size_t i = 0; i < network_.layers.size(); ++i) run_layer(i, made);
  return made;
}

IntegerRun IntegerNetwork::begin(const at::Tensor& images) const {
  const at::NoGradGuard no_grad;
  const Shape& shape = network_.tensor(0).shape;
  if (images.dim() != 4 ||
      images[0].sizes() != at::IntArrayRef{shape.channels, shape.height, shape.width})
    throw Error{fmt::format("a network for images of {} was given others", to_string(shape))};
  IntegerRun made;
  made.values.resize(network_.tensors.size());
  made.ranges.resize(network_.tensors.size());
  made.values[0] = centred(images, network_.tensor(0).quantisation);
  made.ranges[0] = {images.min().item<float>(), images.max().item<float>()};
  return made;
}

void IntegerNetwork::run_layer(std::size_t index, IntegerRun& run) const {
  const at::NoGradGuard no_grad;
  const Int8Layer& layer = network_.layers[index];
  LayerRun layer_run{network_, layer, weights_[index], is_double_[index], run.values};
  run.values[at(layer.output)] = layer_run.run();
  Range& range = run.ranges[at(layer.output)];
  range = layer_run.range();
  if (layer.kernel != Kernel::concat) return;
  range = run.ranges[at(layer.inputs[0])];  // it has what its inputs have
  for (const int input : layer.inputs) range = hull(range, run.ranges[at(input)]);
}

at::Tensor IntegerNetwork::rounded_weights(std::size_t layer) const {
  std::vector<std::int64_t> by_filter(at(weights_[layer].dim()), 1);
  by_filter[0] = -1;
  return weights_[layer] * at::tensor(network_.layers[layer].weight_scales).view(by_filter);
}

at::Tensor IntegerNetwork::real(const IntegerRun& run, int tensor) const {
  return run.values[at(tensor)] * network_.tensor(tensor).quantisation.scale;
}

at::Tensor IntegerNetwork::forward(const at::Tensor& images) const {
  IntegerRun run = begin(images);
  for (std::size_t i = 0; i < network_.layers.size(); ++i) {
    run_layer(i, run);
    for (const int input : network_.layers[i].inputs)
      if (last_readers_[at(input)] == i && input != network_.output) run.values[at(input)].reset();
  }
  const at::Tensor made = real(run, network_.output).contiguous();
  return network_.tensor(network_.output).shape.pixels() == 1 ? made.flatten(1) : made;
}

}  // namespace thimble
