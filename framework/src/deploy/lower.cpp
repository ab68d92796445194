#include <thimble/deploy/lower.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/deploy/quantisation.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble {
namespace {

constexpr int kSoftmaxIntegerBits = 5;

double ratio(float of_input, float of_weight, float of_output) {
  return static_cast<double>(of_input) * static_cast<double>(of_weight) /
         static_cast<double>(of_output);
}

Kernel kernel_of(const Graph& graph, const Node& node) {
  switch (node.op) {
    case Op::conv: {
      const bool is_depthwise = node.groups > 1 && node.groups == node.shape.channels &&
                                node.groups == graph.input_shape(node).channels;
      return is_depthwise ? Kernel::depthwise : Kernel::conv;
    }
    case Op::batch_norm: return node.shape.channels > 1 ? Kernel::depthwise : Kernel::conv;
    case Op::linear: return Kernel::linear;
    case Op::avg_pool: return Kernel::avg_pool;
    case Op::max_pool: return Kernel::max_pool;
    case Op::global_avg_pool: return Kernel::mean;
    case Op::relu: return Kernel::relu;
    case Op::add: return Kernel::add;
    case Op::concat: return Kernel::concat;
    case Op::softmax: return Kernel::softmax;
    case Op::input:
    case Op::zero:
    case Op::mask:
    case Op::choice: break;
  }
  throw Unsupported{fmt::format("a {} cannot be lowered to int8", name_of(node.op))};
}

Int8Layer bare_layer(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  Int8Layer made;
  made.kernel = kernel_of(graph, node);
  made.name = graph.name(id);
  made.inputs.assign(graph.inputs(id).begin(), graph.inputs(id).end());
  made.output = id;
  made.window = node.kernel;
  made.stride = node.stride;
  made.padding = node.padding;
  made.groups = made.kernel == Kernel::depthwise ? node.shape.channels : node.groups;
  if (node.activation != Activation::none) made.lowest = 0;
  return made;
}

/// Fills a skeleton with constants.
class Lowering {
 public:
  explicit Lowering(const FloatNetwork& network)
      : network_{network}, graph_{network.graph}, lowered_{skeleton(graph_)} {}

  Int8Network run() {
    const auto quantisations = quantisations_of(graph_, network_.ranges);
    for (NodeId id = 0; id < graph_.size(); ++id)
      lowered_.tensors[at(id)].quantisation = quantisations[at(id)];
    for (Int8Layer& layer : lowered_.layers) fill(layer);
    return std::move(lowered_);
  }

 private:
  const Quantisation& quantised(NodeId id) const { return lowered_.tensors[at(id)].quantisation; }
  NodeId source(NodeId id) const { return graph_.inputs(id)[0]; }

  float largest_scale(NodeId id) const {
    float largest = 0;
    for (const NodeId input : graph_.inputs(id))
      largest = std::max(largest, quantised(input).scale);
    return largest;
  }

  void fill(Int8Layer& made) const {
    const NodeId id = made.output;
    clamp(made, graph_.node(id).activation);
    const Quantisation& in = quantised(source(id));
    const Quantisation& out = quantised(id);
    switch (made.kernel) {
      case Kernel::conv:
      case Kernel::depthwise: return conv(made, id);
      case Kernel::linear: return linear(made, id);
      case Kernel::avg_pool:
      case Kernel::max_pool: return;
      case Kernel::mean:
        made.rescale = {mean_rescale(graph_.node(source(id)).shape.pixels(), in, out)};
        return;
      case Kernel::relu: made.rescale = {rescale_of(ratio(in.scale, 1, out.scale))}; return;
      case Kernel::add: return add(made, id);
      case Kernel::concat: return concat(made, id);
      case Kernel::softmax: return softmax(made, in);
    }
  }

  static void clamp_to(Int8Layer& made, const Quantisation& out, float highest) {
    made.lowest = std::max(made.lowest, out.zero_point);
    const float bound = static_cast<float>(out.zero_point) + std::round(highest / out.scale);
    made.highest = static_cast<std::int32_t>(std::min(127.0F, bound));
  }

  void clamp(Int8Layer& made, Activation activation) const {
    made.lowest = -128;
    const Quantisation& out = quantised(made.output);
    if (activation == Activation::relu) clamp_to(made, out, std::numeric_limits<float>::max());
    if (activation == Activation::relu6) clamp_to(made, out, 6);
  }

  Filters filters(NodeId id) const {
    const FloatParameters& own = network_.parameters[at(id)];
    return {own.weight, own.bias, own.weight.size() / own.bias.size()};
  }

  /// Of the i-th scale's weights.
  float weight_scale(NodeId id, std::size_t i, std::span<const float> weights) const {
    const std::vector<float>& given = network_.parameters[at(id)].scales;
    return given.empty() ? symmetric_scale(weights) : given.at(i);
  }

  /// Constants of a layer with filters, whose scales are known.
  void quantise_bias(Int8Layer& made, const std::vector<float>& bias) const {
    const Quantisation& in = quantised(made.inputs[0]);
    const Quantisation& out = quantised(made.output);
    for (std::size_t c = 0; c < bias.size(); ++c) {
      const double scale =
          static_cast<double>(in.scale) * static_cast<double>(made.weight_scales[c]);
      constexpr double kLargestBias = 1 << 30;  // leaves as much for the sum
      made.bias.push_back(static_cast<std::int32_t>(std::clamp(
          std::round(static_cast<double>(bias[c]) / scale), -kLargestBias, kLargestBias)));
      made.rescale.push_back(rescale_of(ratio(in.scale, made.weight_scales[c], out.scale)));
    }
  }

  void conv(Int8Layer& made, NodeId id) const {
    const Node& node = graph_.node(id);
    const int depth = graph_.node(source(id)).shape.channels / node.groups;
    const bool is_depthwise = made.kernel == Kernel::depthwise;
    Filters real = filters(id);
    const auto channels = real.bias.size();
    const auto taps =
        static_cast<std::size_t>(node.kernel.height) * static_cast<std::size_t>(node.kernel.width);
    const auto deep = static_cast<std::size_t>(depth);
    made.weights.resize(real.weights.size());
    for (std::size_t c = 0; c < channels; ++c) {
      const auto filter = real.filter(c);
      const float scale = weight_scale(id, c, filter);
      made.weight_scales.push_back(scale);
      for (std::size_t k = 0; k < deep; ++k)
        for (std::size_t tap = 0; tap < taps; ++tap) {
          const std::size_t place = is_depthwise ? tap * channels + c : (c * taps + tap) * deep + k;
          made.weights[place] = rounded_weight(filter[k * taps + tap], scale);
        }
    }
    quantise_bias(made, real.bias);
  }

  void linear(Int8Layer& made, NodeId id) const {
    Filters real = filters(id);
    const float scale = weight_scale(id, 0, real.weights);
    made.weight_scales.assign(real.bias.size(), scale);
    const Shape& in = graph_.node(source(id)).shape;
    for (std::size_t c = 0; c < real.bias.size(); ++c)
      for (std::int64_t pixel = 0; pixel < in.pixels(); ++pixel)
        for (int k = 0; k < in.channels; ++k)
          made.weights.push_back(rounded_weight(
              real.filter(c)[static_cast<std::size_t>(k * in.pixels() + pixel)], scale));
    quantise_bias(made, real.bias);
    // Per-tensor layers of TensorFlow Lite Micro multiply the two scales in float.
    const float product = quantised(source(id)).scale * scale;
    made.rescale.assign(real.bias.size(), rescale_of(ratio(product, 1, quantised(id).scale)));
  }

  /// As TensorFlow Lite Micro's reduction does, with the division in the multiplier.
  static Rescale mean_rescale(std::int64_t pixels, const Quantisation& in,
                              const Quantisation& out) {
    Rescale made = rescale_of(ratio(in.scale, 1, out.scale));
    const int zeros = std::countl_zero(static_cast<std::uint64_t>(pixels));
    const int shift = std::min({63 - zeros, 32, 31 + made.shift});
    made.multiplier = static_cast<std::int32_t>(
        (static_cast<std::int64_t>(made.multiplier) * (std::int64_t{1} << shift)) / pixels);
    made.shift -= shift;
    return made;
  }

  void add(Int8Layer& made, NodeId id) const {
    constexpr std::size_t kMostTerms = 16;  // of which a sum is sure to fit 32 bits
    if (made.inputs.size() > kMostTerms)
      throw Unsupported{fmt::format("a sum of {} terms cannot be lowered to int8: at most {}",
                                    made.inputs.size(), kMostTerms)};
    const double twice = 2.0 * static_cast<double>(largest_scale(id));
    for (const NodeId input : graph_.inputs(id))
      made.input_rescale.push_back(rescale_of(static_cast<double>(quantised(input).scale) / twice));
    made.rescale = {
        rescale_of(twice / (double{1 << 20} * static_cast<double>(quantised(id).scale)))};
  }

  void concat(Int8Layer& made, NodeId id) const {
    const Quantisation& out = quantised(id);
    const auto inputs = graph_.inputs(id);
    if (std::ranges::all_of(inputs, [&](NodeId input) { return quantised(input) == out; })) return;
    for (const NodeId input : inputs)
      made.input_rescale.push_back(rescale_of(ratio(quantised(input).scale, 1, out.scale)));
  }

  static void softmax(Int8Layer& made, const Quantisation& in) {
    constexpr int kFraction = 31 - kSoftmaxIntegerBits;
    const double factor = std::min(static_cast<double>(in.scale) * (1 << kFraction), 2147483647.0);
    made.rescale = {rescale_of(factor)};
    const double radius =
        std::ldexp((1 << kSoftmaxIntegerBits) - 1, kFraction - made.rescale[0].shift);
    made.diff_min = -static_cast<std::int32_t>(std::min(std::floor(radius), 255.0));
  }

  const FloatNetwork& network_;  ///< folded
  const Graph& graph_;
  Int8Network lowered_;
};

/// What the nodes that become one layer make of its input: a filter a channel, and a bias.
FloatParameters folded_parameters(const FloatNetwork& network, std::span<const NodeId> nodes) {
  Filters made;
  for (const NodeId id : nodes) {
    const FloatParameters& own = network.parameters[at(id)];
    const auto channels = at(network.graph.node(id).shape.channels);
    switch (network.graph.node(id).op) {
      case Op::conv:
      case Op::linear:
        made = {own.weight, own.bias, own.weight.size() / channels};
        made.bias.resize(channels);
        break;
      case Op::batch_norm:
        if (made.weights.empty())
          made = {std::vector<float>(channels, 1.0F), std::vector<float>(channels), 1};
        fold(made, own);
        break;
      default: break;
    }
  }
  return {std::move(made.weights), std::move(made.bias), {}, {}};
}

/// Behind a ReLU, and wherever only such tensors meet. `network` has the ranges before `id`.
bool is_positive(const FloatNetwork& network, NodeId id) {
  switch (network.graph.node(id).op) {
    case Op::relu: return true;
    case Op::avg_pool:
    case Op::max_pool:
    case Op::global_avg_pool:
    case Op::add:
    case Op::concat:
      return std::ranges::all_of(network.graph.inputs(id), [&](NodeId input) {
        return network.ranges[at(input)].lowest >= 0;
      });
    default: return false;
  }
}

}  // namespace

Unsupported::~Unsupported() = default;

FloatNetwork drawn_network(const Graph& graph, std::uint64_t seed) {
  FloatNetwork made{graph, {}, {}};
  const auto channels = [&](NodeId id) {
    return static_cast<std::size_t>(graph.node(id).shape.channels);
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    FloatParameters& own = made.parameters.emplace_back();
    made.ranges.push_back({is_positive(made, id) ? 0.0F : -4.0F, 4.0F});
    if (node.op == Op::batch_norm) {
      own = {std::vector<float>(channels(id), 1.0F), std::vector<float>(channels(id)),
             std::vector<float>(channels(id)), std::vector<float>(channels(id), 1.0F)};
    } else if (node.op == Op::conv || node.op == Op::linear) {
      const Shape& in = graph.node(graph.inputs(id)[0]).shape;
      const auto length = static_cast<std::size_t>(
          node.op == Op::linear
              ? in.elements()
              : std::int64_t{in.channels / node.groups} * node.kernel.height * node.kernel.width);
      own.weight.resize(channels(id) * length);
      own.bias.resize(channels(id));
      Random random = Random::stream(seed, {"drawn", graph.name(id)});
      random.fill_normal(own.weight, std::sqrt(2.0 / static_cast<double>(length)));
      random.fill_normal(own.bias, 0.1);
    }
  }
  return made;
}

Int8Network skeleton(const Graph& deployed) {
  Int8Network made;
  made.tensors.reserve(deployed.nodes().size());
  made.layers.reserve(deployed.nodes().size());
  for (NodeId id = 0; id < deployed.size(); ++id) {
    made.tensors.push_back({deployed.name(id), deployed.node(id).shape, {}});
    if (deployed.node(id).op != Op::input) made.layers.push_back(bare_layer(deployed, id));
  }
  made.output = deployed.output();
  return made;
}

FloatNetwork folded(const FloatNetwork& network) {
  const auto [graph, made_of] = deployment(network.graph);
  FloatNetwork made{as_filters(graph), {}, {}};
  for (NodeId id = 0; id < graph.size(); ++id) {
    made.parameters.push_back(folded_parameters(network, made_of[at(id)]));
    made.ranges.push_back(network.ranges[at(made_of[at(id)].back())]);
  }
  return made;
}

Int8Network lower_folded(const FloatNetwork& folded) { return Lowering{folded}.run(); }

Int8Network lower(const FloatNetwork& network) { return lower_folded(folded(network)); }

}  // namespace thimble
