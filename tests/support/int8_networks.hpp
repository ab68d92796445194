#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/random.hpp>
#include <thimble/deploy/int8_network.hpp>

/// Int8 networks of random constants, put together layer by layer.
namespace thimble::test {

struct Window {
  Extent size;
  Extent stride{1, 1};
  Extent before{0, 0};  ///< padding above and left
  Extent after{0, 0};   ///< padding below and right
};

inline Window window(int size, int stride = 1, int padding = 0) {
  return {{size, size}, {stride, stride}, {padding, padding}, {padding, padding}};
}

class NetworkBuilder {
 public:
  NetworkBuilder(const std::string& name, const Shape& input, std::uint64_t seed) : random_{seed} {
    network_.name = name;
    network_.tensors.push_back({"input", input, {1.0F, any(-128, 127)}});
    network_.output = 0;
  }

  /// Layers return their output's tensor; the last one's is the network's. They may be changed
  /// afterwards: layer() is the last one, zero_point() that of a tensor.
  int conv(int x, const Window& window, int filters, int groups = 1) {
    const int depth = shape(x).channels / groups;
    Int8Layer& layer = windowed(Kernel::conv, x, window, filters);
    layer.groups = groups;
    weigh(layer, filters, window.size.height * window.size.width * depth);
    return layer.output;
  }

  int depthwise(int x, const Window& window) {
    Int8Layer& layer = windowed(Kernel::depthwise, x, window, shape(x).channels);
    weigh(layer, shape(x).channels, window.size.height * window.size.width);
    return layer.output;
  }

  int linear(int x, int filters) {
    Int8Layer& layer = append(Kernel::linear, {x}, {filters, 1, 1});
    weigh(layer, filters, static_cast<int>(shape(x).elements()));
    return layer.output;
  }

  int pool(Kernel kernel, int x, const Window& window) {
    Int8Layer& layer = windowed(kernel, x, window, shape(x).channels);
    network_.tensors.back().quantisation = network_.tensor(x).quantisation;
    return layer.output;
  }

  int mean(int x) {
    Int8Layer& layer = append(Kernel::mean, {x}, {shape(x).channels, 1, 1});
    layer.rescale = {factor(1.0 / static_cast<double>(shape(x).pixels()))};
    return layer.output;
  }

  int relu(int x) {
    Int8Layer& layer = append(Kernel::relu, {x}, shape(x));
    layer.rescale = {factor(1.0)};
    layer.lowest = network_.tensors.back().quantisation.zero_point;
    return layer.output;
  }

  int add(const std::vector<int>& terms) {
    Int8Layer& layer = append(Kernel::add, terms, shape(terms[0]));
    for (std::size_t i = 0; i < terms.size(); ++i)
      layer.input_rescale.push_back(i == 0 ? Rescale{1 << 30, 0} : factor(0.25));
    layer.rescale = {factor(1.0 / (1 << 20))};
    return layer.output;
  }

  int concat(const std::vector<int>& parts, bool is_rescaled) {
    Shape whole = shape(parts[0]);
    whole.channels = 0;
    for (const int part : parts) whole.channels += shape(part).channels;
    Int8Layer& layer = append(Kernel::concat, parts, whole);
    if (is_rescaled)
      for (std::size_t i = 0; i < parts.size(); ++i) layer.input_rescale.push_back(factor(0.8));
    return layer.output;
  }

  int softmax(int x) {
    Int8Layer& layer = append(Kernel::softmax, {x}, shape(x));
    network_.tensors.back().quantisation = {1.0F / 256, -128};
    layer.rescale = {factor(0.1 * (1 << 26))};
    layer.diff_min = -200;
    return layer.output;
  }

  Int8Layer& layer() { return network_.layers.back(); }
  std::int32_t& zero_point(int tensor) {
    return network_.tensors[static_cast<std::size_t>(tensor)].quantisation.zero_point;
  }
  Shape& shape(int tensor) { return network_.tensors[static_cast<std::size_t>(tensor)].shape; }
  const Int8Network& network() const { return network_; }

  std::vector<std::int8_t> values(std::int64_t count) {
    std::vector<std::int8_t> values(static_cast<std::size_t>(count));
    for (std::int8_t& value : values) value = static_cast<std::int8_t>(any(-128, 127));
    return values;
  }

  /// Both included.
  std::int32_t any(std::int32_t lowest, std::int32_t highest) {
    return lowest + static_cast<std::int32_t>(
                        random_.below(static_cast<std::uint64_t>(highest - lowest) + 1));
  }

 private:
  Int8Layer& append(Kernel kernel, std::vector<int> inputs, const Shape& shape) {
    Int8Layer layer;
    layer.kernel = kernel;
    layer.name = name_of(kernel) + std::to_string(network_.layers.size());
    layer.inputs = std::move(inputs);
    layer.output = static_cast<int>(network_.tensors.size());
    network_.tensors.push_back({layer.name, shape, {1.0F, any(-128, 127)}});
    network_.output = layer.output;
    network_.layers.push_back(std::move(layer));
    return network_.layers.back();
  }

  Int8Layer& windowed(Kernel kernel, int x, const Window& window, int channels) {
    const auto outputs = [](int size, int before, int after, int cells, int stride) {
      return (size + before + after - cells) / stride + 1;
    };
    const Shape& in = shape(x);
    const Shape out{channels,
                    outputs(in.height, window.before.height, window.after.height,
                            window.size.height, window.stride.height),
                    outputs(in.width, window.before.width, window.after.width, window.size.width,
                            window.stride.width)};
    Int8Layer& layer = append(kernel, {x}, out);
    layer.window = window.size;
    layer.stride = window.stride;
    layer.padding = window.before;
    return layer;
  }

  /// Weights, biases and factors that spread the outputs over all values.
  void weigh(Int8Layer& layer, int filters, int taps) {
    layer.weights = values(std::int64_t{filters} * taps);
    for (std::int8_t& weight : layer.weights) weight = weight == -128 ? std::int8_t{-127} : weight;
    for (int i = 0; i < filters; ++i) {
      layer.bias.push_back(any(-5000, 5000));
      layer.rescale.push_back(factor(60.0 / (std::sqrt(taps) * 73 * 100)));
    }
  }

  Rescale factor(double around) { return rescale_of(around * (0.5 + random_.uniform())); }

  Int8Network network_;
  Random random_;
};

}  // namespace thimble::test
