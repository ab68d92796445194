#include "packing.hpp"

#include <algorithm>
#include <limits>
#include <span>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

namespace thimble {
namespace {

int rounded_up(int value, int multiple) { return (value + multiple - 1) / multiple * multiple; }

const Shape& input_shape(const Int8Network& network, const Int8Layer& layer) {
  return network.tensor(layer.inputs[0]).shape;
}

const Shape& output_shape(const Int8Network& network, const Int8Layer& layer) {
  return network.tensor(layer.output).shape;
}

/// Rows of some filters, which take turns word by word; weight(filter, row, value).
template <class Weight>
void append_in_turn(std::span<const int> filters, int rows, int row_values, const Weight& weight,
                    std::vector<std::int8_t>& to) {
  for (int row = 0; row < rows; ++row)
    for (int value = 0; value < row_values; value += kLanes)
      for (const int filter : filters)
        for (int lane = value; lane < value + kLanes; ++lane)
          to.push_back(filter >= 0 && lane < row_values ? weight(filter, row, lane)
                                                        : std::int8_t{0});
}

std::int64_t weight_bytes(const Packed& packed, std::int64_t bytes_a_channel) {
  return static_cast<std::int64_t>(packed.channels.size()) * bytes_a_channel;
}

/// Four channels' weights: of two neighbouring cells a and b as a0 a1 b0 b1 a2 a3 b2 b3, those of
/// a row's last cell, where it has no neighbour, in order.
template <class Weight>
void append_block(const Extent& window, const Weight& weight, std::vector<std::int8_t>& to) {
  for (int y = 0; y < window.height; ++y) {
    int x = 0;
    for (; x + 1 < window.width; x += 2)
      for (const int half : {0, 2})
        for (const int cell : {x, x + 1})
          for (const int channel : {half, half + 1}) to.push_back(weight(y, cell, channel));
    for (int channel = 0; x < window.width && channel < kLanes; ++channel)
      to.push_back(weight(y, x, channel));
  }
}

}  // namespace

Kernel kernel_for(const Int8Network& network, const Int8Layer& layer) {
  const Shape& in = input_shape(network, layer);
  Kernel kernel = layer.kernel;
  if (kernel == Kernel::depthwise && in.channels < kLanes) kernel = Kernel::conv;
  const bool sees_all = layer.kernel == Kernel::conv && layer.groups == 1 &&
                        layer.window == Extent{in.height, in.width} &&
                        layer.padding == Extent{0, 0} && output_shape(network, layer).pixels() == 1;
  return sees_all ? Kernel::linear : kernel;
}

Unfolded::Unfolded(const Int8Network& network, const Int8Layer& layer)
    : groups{layer.kernel == Kernel::depthwise ? 1 : layer.groups},
      rows{layer.window.height},
      row_values{layer.window.width * input_shape(network, layer).channels / groups},
      row_words{words(row_values)} {}

bool reaches_beyond(const Int8Network& network, const Int8Layer& layer) {
  const Shape& in = input_shape(network, layer);
  const Shape& out = output_shape(network, layer);
  const auto leaves = [](int size, int outputs, int window, int stride, int padding) {
    return padding > 0 || (outputs - 1) * stride + window > size;
  };
  return leaves(in.height, out.height, layer.window.height, layer.stride.height,
                layer.padding.height) ||
         leaves(in.width, out.width, layer.window.width, layer.stride.width, layer.padding.width);
}

Factor factor_of(const Rescale& rescale) {
  // So small that every sum below 2^31 - 1 becomes 0.
  if (rescale.multiplier == 0) return {std::numeric_limits<std::int32_t>::min(), 30};
  if (rescale.multiplier < 1 << 30 || rescale.shift < -31 || rescale.shift > 30)
    throw Error{fmt::format("cannot rescale by {} / 2^31 x 2^{}: not as rescale_of() gives it",
                            rescale.multiplier, rescale.shift)};
  return {wrapped(2 * std::int64_t{rescale.multiplier}), ~rescale.shift};
}

Factor factor_of_term(const Rescale& rescale) {
  // Terms end with 20 zero bits. So one half can be the last shift alone, which is faster than a
  // multiplication without a shift, as TFLite writes it.
  if (rescale == Rescale{1 << 30, 0}) return {0, 0};
  return factor_of(rescale);
}

Packed packed_conv(const Int8Network& network, const Int8Layer& layer) {
  constexpr int kFilters = 2;
  const Unfolded window{network, layer};
  const int filters = output_shape(network, layer).channels / window.groups;
  const int depth = input_shape(network, layer).channels;
  const auto weight = [&](int filter, int row, int value) {
    if (layer.kernel == Kernel::depthwise)
      return value % depth == filter ? layer.weights[at(row * window.row_values + value)]
                                     : std::int8_t{0};
    return layer
        .weights[at((std::int64_t{filter} * window.rows + row) * window.row_values + value)];
  };
  Packed packed;
  for (int group = 0; group < window.groups; ++group)
    for (int f = 0; f < rounded_up(filters, kFilters); ++f)
      packed.channels.push_back(f < filters ? group * filters + f : -1);
  packed.bytes = weight_bytes(packed, window.rows * window.row_words * kLanes);
  if (layer.weights.empty()) return packed;
  for (std::size_t i = 0; i < packed.channels.size(); i += kFilters)
    append_in_turn(std::span{packed.channels}.subspan(i, kFilters), window.rows, window.row_values,
                   weight, packed.weights);
  return packed;
}

Packed packed_linear(const Int8Network& network, const Int8Layer& layer) {
  const auto values = static_cast<int>(input_shape(network, layer).elements());
  const int filters = output_shape(network, layer).channels;
  const auto weight = [&](int filter, int, int value) {
    return layer.weights[at(std::int64_t{filter} * values + value)];
  };
  Packed packed;
  for (int f = 0; f < rounded_up(filters, kLanes); ++f)
    packed.channels.push_back(f < filters ? f : -1);
  packed.bytes = weight_bytes(packed, words(values) * kLanes);
  if (layer.weights.empty()) return packed;
  for (std::size_t i = 0; i < packed.channels.size(); i += kLanes)
    append_in_turn(std::span{packed.channels}.subspan(i, kLanes), 1, values, weight,
                   packed.weights);
  return packed;
}

Packed packed_depthwise(const Int8Network& network, const Int8Layer& layer) {
  const int channels = input_shape(network, layer).channels;
  Packed packed;
  for (int c = 0; c < channels; c += kLanes) {
    const int first = std::min(c, channels - kLanes);  // the last block may overlap
    for (int lane = 0; lane < kLanes; ++lane) packed.channels.push_back(first + lane);
    if (layer.weights.empty()) continue;
    const auto weight = [&](int y, int x, int lane) {
      return layer.weights[at((y * layer.window.width + x) * channels + first + lane)];
    };
    append_block(layer.window, weight, packed.weights);
  }
  packed.bytes = weight_bytes(packed, std::int64_t{layer.window.height} * layer.window.width);
  return packed;
}

std::int32_t folded_bias(const Int8Network& network, const Int8Layer& layer, int channel) {
  const auto channels = static_cast<std::int64_t>(layer.bias.size());
  const std::int64_t taps = static_cast<std::int64_t>(layer.weights.size()) / channels;
  const bool is_depthwise = layer.kernel == Kernel::depthwise;
  std::int64_t sum = 0;
  for (std::int64_t tap = 0; tap < taps; ++tap)
    sum += layer.weights[at(is_depthwise ? tap * channels + channel : channel * taps + tap)];
  const std::int32_t zero_point = network.tensor(layer.inputs[0]).quantisation.zero_point;
  return wrapped(layer.bias[at(channel)] - zero_point * sum);
}

}  // namespace thimble
