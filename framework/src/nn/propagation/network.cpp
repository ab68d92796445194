#include <thimble/nn/propagation/network.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/transforms.hpp>

#include <thimble/nn/propagation/convolution.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include "depthwise.hpp"
#include "device_place.hpp"
#include "mean_pool.hpp"
#include "narrow_convolution.hpp"

namespace thimble {
namespace {

Network::Parameters fresh_parameters(const Graph& graph, NodeId id, at::ScalarType precision) {
  const Node& node = graph.node(id);
  const std::int64_t out = node.shape.channels;
  Network::Parameters made;
  switch (node.op) {
    case Op::conv:
      made.weight = at::zeros({out, graph.input_shape(node).channels / node.groups,
                               node.kernel.height, node.kernel.width},
                              precision);
      break;
    case Op::linear:
      made.weight = at::zeros({out, graph.input_shape(node).elements()}, precision);
      break;
    case Op::batch_norm: made.weight = at::ones({out}, precision); break;
    default: return made;
  }
  if (node.has_bias || node.op == Op::batch_norm) made.bias = at::zeros({out}, precision);
  return made;
}

NodeId first_alike(const Graph& graph, NodeId id) {
  const Node& node = graph.node(id);
  if (node.op != Op::relu && node.op != Op::avg_pool && node.op != Op::max_pool) return id;
  const NodeId input = graph.inputs(node)[0];
  for (NodeId other = input + 1; other < id; ++other) {
    const Node& that = graph.node(other);
    if (that.op == node.op && graph.inputs(that)[0] == input && that.kernel == node.kernel &&
        that.stride == node.stride && that.padding == node.padding &&
        that.activation == node.activation)
      return other;
  }
  return id;
}

/// From this width on, vectors along the channels pay, and for depthwise convolutions at any
/// (measured: docs/performance.md).
bool is_wide(const Graph& graph) {
  constexpr int kWide = 32;
  return std::ranges::any_of(graph.nodes(), [](const Node& node) {
    return node.op == Op::conv && (node.shape.channels >= kWide || node.groups > 1);
  });
}

void require_images(const Network& network, const Node& input, const at::Tensor& images) {
  const Shape& shape = input.shape;
  const bool fits = images.dim() == 4 && images.size(0) >= 1 && images.size(1) == shape.channels &&
                    images.size(2) == shape.height && images.size(3) == shape.width;
  if (!fits)
    throw Error{fmt::format("a network for inputs of {} was given a tensor of {}", to_string(shape),
                            fmt::join(images.sizes().vec(), "x"))};
  if (images.scalar_type() != network.precision())
    throw Error{fmt::format("a network in {} was given inputs in {}",
                            c10::toString(network.precision()),
                            c10::toString(images.scalar_type()))};
}

/// What has to be there for a node: its inputs, or its twin.
std::vector<NodeId> nodes_read(const Network& network, NodeId id) {
  if (network.twin(id) != id) return {network.twin(id)};
  const auto inputs = network.graph().inputs(id);
  return {inputs.begin(), inputs.end()};
}

at::Tensor sum_of_inputs(const Graph& graph, NodeId id, const std::vector<at::Tensor>& outputs) {
  const auto inputs = graph.inputs(id);
  at::Tensor sum = as_image(outputs[static_cast<std::size_t>(inputs[0])]);
  for (const NodeId input : inputs.subspan(1))
    sum = sum + as_image(outputs[static_cast<std::size_t>(input)]);
  return sum;
}

at::Tensor mixture_of_inputs(const Network& network, NodeId id,
                             const std::vector<at::Tensor>& outputs) {
  const auto inputs = network.graph().inputs(id);
  const auto shares = network.shares(network.graph().node(id));
  at::Tensor sum;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const at::Tensor part = as_image(outputs[static_cast<std::size_t>(inputs[i])]) * shares[i];
    sum = sum.defined() ? sum + part : part;
  }
  return sum;
}

bool runs_narrow(const Network& network) {
  return !network.is_channels_last() && !network.is_plain() && !at::GradMode::is_enabled();
}

at::Tensor evaluate_bare(const Network& network, NodeId id, const at::Tensor& images,
                         const std::vector<at::Tensor>& outputs) {
  const Graph& graph = network.graph();
  const Node& node = graph.node(id);
  const auto& [weight, bias] = network.parameters(id);
  const auto x = [&] { return outputs[static_cast<std::size_t>(graph.inputs(node)[0])]; };
  switch (node.op) {
    case Op::input:
      require_images(network, node, images);
      return images.contiguous(memory_format_of(network));
    case Op::zero:
      return at::zeros({images.size(0), node.shape.channels, node.shape.height, node.shape.width},
                       images.options())
          .contiguous(memory_format_of(network));
    case Op::conv:
      if (runs_narrow(network) && is_narrow_convolution(graph, node))
        return narrow_convolution(as_image(x()), weight, bias, node.padding);
      if (is_depthwise(network, node) && !at::GradMode::is_enabled())
        return depthwise(as_image(x()), weight, bias, node);
      return convolution(as_image(x()), weight, bias, node).contiguous(memory_format_of(network));
    case Op::batch_norm:
      return at::batch_norm(as_image(x()), weight, bias, network.statistics(id).mean,
                            network.statistics(id).variance,
                            /*training=*/!network.statistics(id).mean.defined(),
                            /*momentum=*/0.0, kBatchNormEpsilon, /*cudnn_enabled=*/false);
    case Op::relu: return x();
    case Op::avg_pool:
      if (runs_narrow(network) && node.stride == Extent{1, 1})
        return narrow_mean(as_image(x()), node.kernel, node.padding);
      if (network.is_channels_last() && !at::GradMode::is_enabled() && keeps_size(node))
        return mean_pool(as_image(x()), node);
      return at::avg_pool2d(as_image(x()), pair_of(node.kernel), pair_of(node.stride),
                            pair_of(node.padding), /*ceil_mode=*/false,
                            /*count_include_pad=*/false);
    case Op::max_pool:
      return at::max_pool2d(as_image(x()), pair_of(node.kernel), pair_of(node.stride),
                            pair_of(node.padding));
    case Op::global_avg_pool: return as_image(x()).mean({2, 3}, /*keepdim=*/true);
    case Op::linear: return at::linear(x().flatten(1), weight, bias);
    case Op::add: return sum_of_inputs(graph, id, outputs);
    case Op::concat: {
      std::vector<at::Tensor> parts;
      for (const NodeId part : graph.inputs(node))
        parts.push_back(as_image(outputs[static_cast<std::size_t>(part)]));
      return at::cat(parts, 1);
    }
    case Op::softmax: return at::softmax(x().flatten(1), 1);
    case Op::mask: return masked(x(), node);
    case Op::choice:
      if (network.is_mixed()) return mixture_of_inputs(network, id, outputs);
      return sum_of_inputs(graph, id, outputs) / static_cast<double>(node.input_count);
  }
  throw Error{"unknown operator"};
}

}  // namespace

const std::vector<std::pair<std::string, Init>>& names_of(Init) {
  static const std::vector<std::pair<std::string, Init>> kNames{
      {"torch_default", Init::torch_default},
      {"kaiming_normal_fan_out", Init::kaiming_normal_fan_out},
      {"kaiming_normal_fan_in", Init::kaiming_normal_fan_in},
      {"standard_normal", Init::standard_normal}};
  return kNames;
}

at::Tensor evaluate(const Network& network, NodeId id, const at::Tensor& images,
                    const std::vector<at::Tensor>& outputs) {
  at::Tensor bare = evaluate_bare(network, id, images, outputs);
  switch (network.graph().node(id).activation) {
    case Activation::none: return bare;
    case Activation::relu: return at::relu(bare);
    case Activation::relu6: return at::clamp(bare, 0, 6);
  }
  throw Error{"unknown activation"};
}

at::Tensor masked(const at::Tensor& x, const Node& mask) {
  at::Tensor made = x.clone();
  made.narrow(1, mask.first_channels, mask.shape.channels - mask.first_channels).zero_();
  return made;
}

at::MemoryFormat memory_format_of(const Network& network) {
  return network.is_channels_last() ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

void for_each_output(const Network& network, const at::Tensor& images,
                     const std::function<void(NodeId, const at::Tensor&)>& visit) {
  const Graph& graph = network.graph();
  std::vector<int> readers(static_cast<std::size_t>(graph.size()));
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId read : nodes_read(network, id)) ++readers[static_cast<std::size_t>(read)];

  std::vector<at::Tensor> outputs(static_cast<std::size_t>(graph.size()));
  for (NodeId id = 0; id < graph.size(); ++id) {
    auto& output = outputs[static_cast<std::size_t>(id)];
    const NodeId twin = network.twin(id);
    output = twin == id ? evaluate(network, id, images, outputs)
                        : outputs[static_cast<std::size_t>(twin)];
    visit(id, output);
    for (const NodeId read : nodes_read(network, id))
      if (--readers[static_cast<std::size_t>(read)] == 0)
        outputs[static_cast<std::size_t>(read)].reset();
    if (readers[static_cast<std::size_t>(id)] == 0) output.reset();
  }
}

Network::Network(Graph graph, at::ScalarType precision)
    : graph_{std::move(graph)}, precision_{precision}, is_channels_last_{is_wide(graph_)} {
  for (NodeId id = 0; id < graph_.size(); ++id) {
    parameters_.push_back(fresh_parameters(graph_, id, precision_));
    twins_.push_back(first_alike(graph_, id));
    statistics_.emplace_back();
  }
}

Network Network::clone() const {
  Network made{*this};
  for (auto& [weight, bias] : made.parameters_) {
    if (weight.defined()) weight = weight.detach().clone();
    if (bias.defined()) bias = bias.detach().clone();
  }
  for (auto& [mean, variance] : made.statistics_) {
    if (mean.defined()) mean = mean.clone();
    if (variance.defined()) variance = variance.clone();
  }
  return made;
}

Network Network::on(const Device& device) const {
  Network made = clone();
  made.is_plain_ = !device.is_cpu();
  made.is_channels_last_ = made.is_channels_last_ && !made.is_plain_;
  made.place_ = place_of(device);
  const auto move = [&](at::Tensor& tensor) {
    if (tensor.defined()) tensor = tensor.to(made.place_);
  };
  for (auto& [weight, bias] : made.parameters_) {
    move(weight);
    move(bias);
  }
  for (auto& [mean, variance] : made.statistics_) {
    move(mean);
    move(variance);
  }
  return made;
}

Network Network::mixed(OptionNumbers shares) const {
  Network made{*this};
  made.shares_ = std::move(shares);
  return made;
}

std::vector<double> Network::shares(const Node& choice) const {
  std::vector<double> made;
  for (const int option : options_in(choice.alive))
    made.push_back(
        shares_[static_cast<std::size_t>(choice.decision)][static_cast<std::size_t>(option)]);
  return made;
}

void Network::initialise(Init init, std::uint64_t seed, std::string_view stream) {
  // Always drawn in float and then copied: the same weights in every precision.
  const auto draw = [&](NodeId id, std::string_view what, at::Tensor& into, auto fill) {
    Random random = Random::stream(seed, {stream, graph_.name(id), what});
    at::Tensor drawn = at::empty(into.sizes(), at::kFloat);
    fill(random, std::span{drawn.data_ptr<float>(), static_cast<std::size_t>(drawn.numel())});
    into.copy_(drawn);
  };
  const at::NoGradGuard no_grad;
  for (NodeId id = 0; id < graph_.size(); ++id) {
    auto& [weight, bias] = parameters(id);
    if (!weight.defined()) continue;
    if (graph_.node(id).op == Op::batch_norm) {
      weight.fill_(1.0);
      bias.zero_();
      continue;
    }
    const auto fan_in = static_cast<double>(weight[0].numel());
    const std::int64_t readers = weight.numel() / weight.size(1);
    const auto fan_out = static_cast<double>(readers);
    if (init == Init::torch_default) {
      const double bound = 1.0 / std::sqrt(fan_in);
      const auto uniform = [bound](Random& random, std::span<float> values) {
        random.fill_uniform(values, -bound, bound);
      };
      draw(id, "weight", weight, uniform);
      if (bias.defined()) draw(id, "bias", bias, uniform);
      continue;
    }
    const double variance = init == Init::standard_normal         ? 1.0
                            : init == Init::kaiming_normal_fan_in ? 2.0 / fan_in
                                                                  : 2.0 / fan_out;
    const double deviation = std::sqrt(variance);
    draw(id, "weight", weight, [deviation](Random& random, std::span<float> values) {
      random.fill_normal(values, deviation);
    });
    if (bias.defined()) bias.zero_();
  }
}

std::vector<at::Tensor> Network::all_parameters() const {
  std::vector<at::Tensor> all;
  for (const auto& [weight, bias] : parameters_) {
    if (weight.defined()) all.push_back(weight);
    if (bias.defined()) all.push_back(bias);
  }
  return all;
}

at::Tensor Network::forward(const at::Tensor& images) const {
  at::Tensor logits;
  for_each_output(*this, images, [&](NodeId id, const at::Tensor& output) {
    if (id == graph_.output()) logits = output;
  });
  return graph_.node(graph_.output()).shape.pixels() == 1 ? logits.flatten(1) : logits;
}

}  // namespace thimble
