#include <thimble/deploy/onnx.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/graph/transforms.hpp>

#include "onnx_writer.hpp"

namespace thimble {
namespace {

using Names = OnnxWriter::Names;
using Sizes = OnnxWriter::Sizes;

constexpr const char* kInput = "input";
constexpr const char* kOutput = "output";
constexpr float kInfinity = std::numeric_limits<float>::infinity();

Range range_of(Activation activation) {
  switch (activation) {
    case Activation::none: return {-kInfinity, kInfinity};
    case Activation::relu: return {0, kInfinity};
    case Activation::relu6: return {0, 6};
  }
  throw Error{"unknown activation"};
}

class FloatExport {
 public:
  explicit FloatExport(const FloatNetwork& network)
      : network_{network}, graph_{network.graph}, deployment_{deployment(network.graph)} {}

  std::string run() {
    const Graph& deployed = deployment_.deployed;
    for (NodeId id = 0; id < deployed.size(); ++id) write_chain(id);
    writer_.output(kOutput, deployed.node(deployed.output()).shape);
    return writer_.bytes();
  }

 private:
  const std::vector<NodeId>& chain(NodeId deployed) const {
    return deployment_.made_of[static_cast<std::size_t>(deployed)];
  }

  /// What the readers of a deployed node read.
  std::string result(NodeId deployed) const {
    if (deployed == deployment_.deployed.output()) return kOutput;
    const NodeId last = chain(deployed).back();
    return graph_.node(last).op == Op::input ? kInput : graph_.name(last);
  }

  /// The operators that became one deployed node, one behind the other.
  void write_chain(NodeId deployed) {
    Names inputs;
    for (const NodeId input : deployment_.deployed.inputs(deployed))
      inputs.push_back(result(input));
    for (const NodeId id : chain(deployed)) {
      const std::string y = id == chain(deployed).back() ? result(deployed) : graph_.name(id);
      write(id, y, inputs);
      inputs = {y};
    }
  }

  void write(NodeId id, const std::string& y, const Names& inputs) {
    const Node& node = graph_.node(id);
    switch (node.op) {
      case Op::input: return writer_.input(y, node.shape);
      case Op::conv: return writer_.conv(y, inputs[0], weights(id, y), window(id), node.groups);
      case Op::batch_norm: return writer_.batch_norm(y, inputs[0], statistics(id, y));
      case Op::relu: return writer_.clamp(y, inputs[0], range_of(node.activation));
      case Op::avg_pool: return writer_.avg_pool(y, inputs[0], window(id));
      case Op::max_pool: return writer_.max_pool(y, inputs[0], window(id));
      case Op::global_avg_pool: return writer_.mean(y, inputs[0]);
      case Op::linear: return writer_.linear(y, inputs[0], weights(id, y));
      case Op::add: return writer_.add(y, inputs);
      case Op::concat: return writer_.concat(y, inputs);
      case Op::softmax: return writer_.softmax(y, inputs[0]);
      case Op::zero:
      case Op::mask:
      case Op::choice: break;
    }
    throw Error{fmt::format("a {} cannot be exported to ONNX", name_of(node.op))};
  }

  const Shape& shape_read(NodeId id) const { return graph_.node(graph_.inputs(id)[0]).shape; }

  const FloatParameters& parameters(NodeId id) const {
    return network_.parameters[static_cast<std::size_t>(id)];
  }

  OnnxWindow window(NodeId id) const {
    const Node& node = graph_.node(id);
    return {shape_read(id), node.shape, node.kernel, node.stride, node.padding};
  }

  Names weights(NodeId id, const std::string& y) {
    const FloatParameters& own = parameters(id);
    const Node& node = graph_.node(id);
    const Shape& in = shape_read(id);
    const Sizes sizes = node.op == Op::linear
                            ? Sizes{node.shape.channels, in.elements()}
                            : Sizes{node.shape.channels, in.channels / node.groups,
                                    node.kernel.height, node.kernel.width};
    Names names{writer_.constant(y + "_weight", sizes, std::span{own.weight})};
    if (!own.bias.empty())
      names.push_back(writer_.constant(y + "_bias", {node.shape.channels}, std::span{own.bias}));
    return names;
  }

  Names statistics(NodeId id, const std::string& y) {
    const FloatParameters& norm = parameters(id);
    const Sizes sizes{graph_.node(id).shape.channels};
    return {writer_.constant(y + "_scale", sizes, std::span{norm.weight}),
            writer_.constant(y + "_shift", sizes, std::span{norm.bias}),
            writer_.constant(y + "_mean", sizes, std::span{norm.mean}),
            writer_.constant(y + "_variance", sizes, std::span{norm.variance})};
  }

  const FloatNetwork& network_;
  const Graph& graph_;
  Deployment deployment_;
  OnnxWriter writer_{"network"};
};

/// Weights in the order of ONNX, channels before height and width.
std::vector<std::int8_t> channels_first(const std::vector<std::int8_t>& weights,
                                        std::int64_t filters, std::int64_t taps,
                                        std::int64_t depth) {
  std::vector<std::int8_t> made;
  made.reserve(weights.size());
  for (std::int64_t filter = 0; filter < filters; ++filter)
    for (std::int64_t k = 0; k < depth; ++k)
      for (std::int64_t tap = 0; tap < taps; ++tap)
        made.push_back(weights[static_cast<std::size_t>((filter * taps + tap) * depth + k)]);
  return made;
}

class Int8Export {
 public:
  explicit Int8Export(const Int8Network& network) : network_{network}, writer_{network.name} {}

  std::string run() {
    writer_.input(kInput, network_.tensor(0).shape);
    quantise(0, kInput);
    for (const Int8Layer& layer : network_.layers) {
      require_scales(layer);
      write_clamped(layer);
      quantise(layer.output, network_.tensor(layer.output).name);
    }
    writer_.output(kOutput, network_.tensor(network_.output).shape);
    return writer_.bytes();
  }

 private:
  const Quantisation& quantisation(int tensor) const {
    return network_.tensor(tensor).quantisation;
  }

  /// Only exports need these, so a network made for other ends may lack them.
  static void require_scales(const Int8Layer& layer) {
    if (layer.weight_scales.size() != layer.bias.size())
      throw Error{fmt::format("'{}' has {} weight scales for {} channels", layer.name,
                              layer.weight_scales.size(), layer.bias.size())};
  }

  /// What the readers of a tensor read: floats that have been int8.
  std::string dequantised(int tensor) const {
    return tensor == network_.output ? kOutput : network_.tensor(tensor).name + "_dequantized";
  }

  /// Squeezes what an operator computed into a tensor's int8.
  void quantise(int tensor, const std::string& x) {
    const std::string& name = network_.tensor(tensor).name;
    const auto& [scale, zero_point] = quantisation(tensor);
    const auto byte = static_cast<std::int8_t>(zero_point);
    writer_.constant(name + "_scale", {}, std::span{&scale, 1});
    writer_.constant(name + "_zero_point", {}, std::span{&byte, 1});
    requantise(tensor, x, name + "_quantized", dequantised(tensor));
  }

  void requantise(int tensor, const std::string& x, const std::string& quantised,
                  const std::string& y) {
    const std::string& name = network_.tensor(tensor).name;
    writer_.quantise(quantised, {x, name + "_scale", name + "_zero_point"});
    writer_.dequantise(y, {quantised, name + "_scale", name + "_zero_point"});
  }

  /// A tensor as N x C. Converters want a pair of its own behind the reshaping, too.
  std::string flat(int tensor) {
    std::string x = dequantised(tensor);
    if (writer_.is_flat(x)) return x;
    const std::string y = network_.tensor(tensor).name + "_flat";
    if (!writer_.is_flat(y + "_dequantized"))
      requantise(tensor, writer_.flat(x), y + "_quantized", y + "_dequantized");
    return y + "_dequantized";
  }

  /// The layer's clamp in real numbers, where int8 does not clamp anyway.
  Range clamp_of(const Int8Layer& layer) const {
    const Quantisation& out = quantisation(layer.output);
    const auto bound = [&](std::int32_t value) {
      return out.scale * static_cast<float>(value - out.zero_point);
    };
    Range clamp{layer.lowest > -128 ? bound(layer.lowest) : -kInfinity,
                layer.highest < 127 ? bound(layer.highest) : kInfinity};
    if (layer.kernel == Kernel::relu) clamp.lowest = 0;
    return clamp;
  }

  void write_clamped(const Int8Layer& layer) {
    const std::string& y = network_.tensor(layer.output).name;
    const Range clamp = clamp_of(layer);
    if (layer.kernel == Kernel::relu) return writer_.clamp(y, dequantised(layer.inputs[0]), clamp);
    if (std::isinf(clamp.lowest) && std::isinf(clamp.highest)) return write(layer, y);
    write(layer, y + "_unclamped");
    writer_.clamp(y, y + "_unclamped", clamp);
  }

  void write(const Int8Layer& layer, const std::string& y) {
    const int first = layer.inputs[0];
    const std::string x = dequantised(first);
    switch (layer.kernel) {
      case Kernel::conv:
      case Kernel::depthwise:
        return writer_.conv(y, x, filters(layer), window(layer), layer.groups);
      case Kernel::linear: return writer_.linear(y, flat(first), matrix(layer));
      case Kernel::avg_pool: return writer_.avg_pool(y, x, window(layer));
      case Kernel::max_pool: return writer_.max_pool(y, x, window(layer));
      case Kernel::mean: return writer_.mean(y, x);
      case Kernel::add: return writer_.add(y, inputs(layer));
      case Kernel::concat: return writer_.concat(y, inputs(layer));
      case Kernel::softmax: return writer_.softmax(y, flat(first));
      case Kernel::relu: break;
    }
    throw Error{fmt::format("a {} cannot be exported to ONNX", name_of(layer.kernel))};
  }

  Names inputs(const Int8Layer& layer) const {
    Names names;
    for (const int input : layer.inputs) names.push_back(dequantised(input));
    return names;
  }

  OnnxWindow window(const Int8Layer& layer) const {
    return {network_.tensor(layer.inputs[0]).shape, network_.tensor(layer.output).shape,
            layer.window, layer.stride, layer.padding};
  }

  Names filters(const Int8Layer& layer) {
    const std::int64_t filters = network_.tensor(layer.output).shape.channels;
    const std::int64_t depth = network_.tensor(layer.inputs[0]).shape.channels / layer.groups;
    const std::int64_t taps = std::int64_t{layer.window.height} * layer.window.width;
    const Sizes sizes{filters, depth, layer.window.height, layer.window.width};
    // Depthwise weights are a single "filter" of as many channels as there are filters.
    const auto weights = layer.kernel == Kernel::depthwise
                             ? channels_first(layer.weights, 1, taps, filters)
                             : channels_first(layer.weights, filters, taps, depth);
    return constants(layer, sizes, weights, layer.weight_scales);
  }

  Names matrix(const Int8Layer& layer) {
    const Shape& in = network_.tensor(layer.inputs[0]).shape;
    const std::int64_t rows = network_.tensor(layer.output).shape.channels;
    return constants(layer, {rows, in.elements()},
                     channels_first(layer.weights, rows, in.pixels(), in.channels),
                     std::span{layer.weight_scales}.first(1));  // all are the same
  }

  /// Dequantised weights and bias. Weights are symmetric; a bias has the scale of the products.
  Names constants(const Int8Layer& layer, const Sizes& sizes,
                  const std::vector<std::int8_t>& weights, std::span<const float> scales) {
    const std::string& y = network_.tensor(layer.output).name;
    const auto count = static_cast<std::int64_t>(scales.size());
    const Sizes per_scale = count == sizes[0] ? Sizes{count} : Sizes{};
    const std::vector<std::int8_t> zeros(scales.size());
    std::vector<float> products;
    for (const float scale : scales)
      products.push_back(quantisation(layer.inputs[0]).scale * scale);
    writer_.dequantise(y + "_weight_dequantized",
                       {writer_.constant(y + "_weight_quantized", sizes, std::span{weights}),
                        writer_.constant(y + "_weight_scale", per_scale, scales),
                        writer_.constant(y + "_weight_zero_point", per_scale, std::span{zeros})});
    writer_.dequantise(y + "_bias_dequantized",
                       {writer_.constant(y + "_bias_quantized", {sizes[0]}, std::span{layer.bias}),
                        writer_.constant(y + "_bias_scale", per_scale, std::span{products})});
    return {y + "_weight_dequantized", y + "_bias_dequantized"};
  }

  const Int8Network& network_;
  OnnxWriter writer_;
};

}  // namespace

std::string onnx_of(const FloatNetwork& network) { return FloatExport{network}.run(); }

std::string onnx_of(const Int8Network& network) { return Int8Export{network}.run(); }

}  // namespace thimble
