// The network in plain C++, one output element after the other: what generated code is compared
// with. Nothing here is made to be fast.
#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/deploy/int8_network.hpp>

#include "fixed_exp.hpp"

namespace thimble {
namespace {

using Values = std::vector<std::int8_t>;

/// One layer with the values it reads. Tensors are height x width x channels.
class Layer {
 public:
  Layer(const Int8Network& network, const Int8Layer& layer, const std::vector<Values>& values)
      : network_{network},
        layer_{layer},
        values_{values},
        in_{network.tensor(layer.inputs[0])},
        out_{network.tensor(layer.output)},
        x_{values[static_cast<std::size_t>(layer.inputs[0])]} {}

  Values run() const {
    if (layer_.kernel == Kernel::softmax) return softmax_of(layer_, x_);
    if (layer_.kernel == Kernel::concat) return concat();
    Values y(static_cast<std::size_t>(out_.shape.elements()));
    std::size_t place = 0;
    for (int row = 0; row < out_.shape.height; ++row)
      for (int column = 0; column < out_.shape.width; ++column)
        for (int channel = 0; channel < out_.shape.channels; ++channel, ++place)
          y[place] = clamped(element(row, column, channel, place));
    return y;
  }

 private:
  std::int8_t clamped(std::int32_t value) const {
    return static_cast<std::int8_t>(std::clamp(value, layer_.lowest, layer_.highest));
  }

  std::int32_t element(int row, int column, int channel, std::size_t place) const {
    switch (layer_.kernel) {
      case Kernel::conv: return conv(row, column, channel);
      case Kernel::depthwise: return depthwise(row, column, channel);
      case Kernel::linear: return linear(channel);
      case Kernel::avg_pool: return avg_pool(row, column, channel);
      case Kernel::max_pool: return max_pool(row, column, channel);
      case Kernel::mean: return mean(channel);
      case Kernel::relu:
        return rescaled(x_[place] - in_.quantisation.zero_point, layer_.rescale[0]) +
               out_.quantisation.zero_point;
      case Kernel::add: return add(place);
      case Kernel::concat:
      case Kernel::softmax: break;
    }
    throw Error{"unknown kernel"};
  }

  std::int32_t input(int row, int column, int channel) const {
    const std::int64_t pixel = std::int64_t{row} * in_.shape.width + column;
    return x_[static_cast<std::size_t>(pixel * in_.shape.channels + channel)];
  }

  /// Calls visit(tap row, tap column, input row, input column) for the cells that are no padding.
  template <class Visit>
  void for_each_tap(int row, int column, Visit visit) const {
    for (int i = 0; i < layer_.window.height; ++i) {
      const int y = row * layer_.stride.height - layer_.padding.height + i;
      if (y < 0 || y >= in_.shape.height) continue;
      for (int j = 0; j < layer_.window.width; ++j) {
        const int x = column * layer_.stride.width - layer_.padding.width + j;
        if (x >= 0 && x < in_.shape.width) visit(i, j, y, x);
      }
    }
  }

  std::int32_t with_constants(std::int64_t sum, int channel) const {
    const auto c = static_cast<std::size_t>(channel);
    const auto biased = static_cast<std::int32_t>(static_cast<std::uint32_t>(sum) +
                                                  static_cast<std::uint32_t>(layer_.bias[c]));
    return rescaled(biased, layer_.rescale[c]) + out_.quantisation.zero_point;
  }

  std::int32_t conv(int row, int column, int channel) const {
    const int depth = in_.shape.channels / layer_.groups;
    const int first = channel / (out_.shape.channels / layer_.groups) * depth;
    std::int64_t sum = 0;
    for_each_tap(row, column, [&](int i, int j, int y, int x) {
      const std::int64_t tap =
          (std::int64_t{channel} * layer_.window.height + i) * layer_.window.width + j;
      for (int k = 0; k < depth; ++k)
        sum += std::int64_t{layer_.weights[static_cast<std::size_t>(tap * depth + k)]} *
               (input(y, x, first + k) - in_.quantisation.zero_point);
    });
    return with_constants(sum, channel);
  }

  std::int32_t depthwise(int row, int column, int channel) const {
    std::int64_t sum = 0;
    for_each_tap(row, column, [&](int i, int j, int y, int x) {
      const std::int64_t tap = std::int64_t{i} * layer_.window.width + j;
      sum +=
          std::int64_t{
              layer_.weights[static_cast<std::size_t>(tap * out_.shape.channels + channel)]} *
          (input(y, x, channel) - in_.quantisation.zero_point);
    });
    return with_constants(sum, channel);
  }

  std::int32_t linear(int channel) const {
    std::int64_t sum = 0;
    for (std::size_t k = 0; k < x_.size(); ++k)
      sum += std::int64_t{layer_.weights[static_cast<std::size_t>(channel) * x_.size() + k]} *
             (x_[k] - in_.quantisation.zero_point);
    return with_constants(sum, channel);
  }

  std::int32_t avg_pool(int row, int column, int channel) const {
    std::int32_t sum = 0;
    std::int32_t cells = 0;
    for_each_tap(row, column, [&](int, int, int y, int x) {
      sum += input(y, x, channel);
      ++cells;
    });
    return mean_of(sum, cells);
  }

  std::int32_t max_pool(int row, int column, int channel) const {
    std::int32_t largest = -128;
    for_each_tap(row, column, [&](int, int, int y, int x) {
      largest = std::max(largest, input(y, x, channel));
    });
    return largest;
  }

  std::int32_t mean(int channel) const {
    std::int32_t sum = 0;
    for (int row = 0; row < in_.shape.height; ++row)
      for (int column = 0; column < in_.shape.width; ++column)
        sum += input(row, column, channel) - in_.quantisation.zero_point;
    return rescaled(sum, layer_.rescale[0]) + out_.quantisation.zero_point;
  }

  std::int32_t add(std::size_t place) const {
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < layer_.inputs.size(); ++i) {
      const auto index = static_cast<std::size_t>(layer_.inputs[i]);
      const std::int32_t zero_point = network_.tensors[index].quantisation.zero_point;
      sum += rescaled((values_[index][place] - zero_point) * (1 << kSumShift),
                      layer_.input_rescale[i]);
    }
    return rescaled(sum, layer_.rescale[0]) + out_.quantisation.zero_point;
  }

  Values concat() const {
    Values y;
    const std::int64_t pixels = out_.shape.pixels();
    for (std::int64_t pixel = 0; pixel < pixels; ++pixel) {
      for (std::size_t i = 0; i < layer_.inputs.size(); ++i) {
        const auto index = static_cast<std::size_t>(layer_.inputs[i]);
        const auto& [name, shape, quantisation] = network_.tensors[index];
        for (int channel = 0; channel < shape.channels; ++channel) {
          const std::int8_t x =
              values_[index][static_cast<std::size_t>(pixel * shape.channels + channel)];
          y.push_back(layer_.input_rescale.empty()
                          ? x
                          : clamped(rescaled(x - quantisation.zero_point, layer_.input_rescale[i]) +
                                    out_.quantisation.zero_point));
        }
      }
    }
    return y;
  }

  const Int8Network& network_;
  const Int8Layer& layer_;
  const std::vector<Values>& values_;
  const Int8Tensor& in_;
  const Int8Tensor& out_;
  const Values& x_;
};

}  // namespace

std::vector<std::int8_t> softmax_of(const Int8Layer& layer, std::span<const std::int8_t> values) {
  const auto clamped = [&](std::int32_t value) {
    return static_cast<std::int8_t>(std::clamp(value, layer.lowest, layer.highest));
  };
  const std::int32_t largest = *std::max_element(values.begin(), values.end());
  const auto scaled = [&](std::int8_t x) { return rescaled(x - largest, layer.rescale[0]); };
  constexpr std::int64_t kMostSum = 1 << 28;  // 512: shares of at most half a step, which are 0
  std::int64_t total = 0;                     // Q12.19
  for (const std::int8_t x : values)
    if (x - largest >= layer.diff_min)
      total += rounding_divide_by_power_of_two(exp_on_negative_values(scaled(x)), 12);
  if (total >= kMostSum) return Values(values.size(), clamped(-128));
  const auto [inverse, exponent] = reciprocal(static_cast<std::int32_t>(total));
  Values y;
  for (const std::int8_t x : values) {
    std::int32_t share = 0;
    if (x - largest >= layer.diff_min)
      share = rounding_divide_by_power_of_two(
          doubling_high_product(inverse, exp_on_negative_values(scaled(x))), exponent + 31 - 8);
    y.push_back(clamped(share - 128));
  }
  return y;
}

std::vector<std::vector<std::int8_t>> run_reference(const Int8Network& network,
                                                    std::span<const std::int8_t> input) {
  const auto expected = static_cast<std::size_t>(network.tensor(0).shape.elements());
  if (input.size() != expected)
    throw Error{fmt::format("a network for {} values was given {}", expected, input.size())};
  std::vector<Values> values(network.tensors.size());
  values[0] = {input.begin(), input.end()};
  for (const Int8Layer& layer : network.layers)
    values[static_cast<std::size_t>(layer.output)] = Layer{network, layer, values}.run();
  return values;
}

}  // namespace thimble
