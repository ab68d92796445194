#include <thimble/nn/propagation.hpp>

#include <tuple>

#include <ATen/ATen.h>

#include "evaluate.hpp"
#include "mean_pool.hpp"
#include "wide_batch_norm.hpp"

namespace thimble {
namespace {

std::size_t at_node(NodeId id) { return static_cast<std::size_t>(id); }

/// One backward run: gradients by outputs wait in `pending_` until their node's turn comes.
class Backward {
 public:
  Backward(const Network& network, const Forward& forward, const Wanted& wanted)
      : network_{network},
        graph_{network.graph()},
        forward_{forward},
        wanted_{wanted},
        leads_somewhere_(at_node(graph_.size())),
        pending_(at_node(graph_.size())) {
    found_.parameters.resize(at_node(graph_.size()));
    found_.outputs.resize(at_node(graph_.size()));
  }

  Gradients run(NodeId from, const torch::Tensor& seed) {
    std::vector<bool> is_wanted(at_node(graph_.size()));
    for (const NodeId id : wanted_.outputs) is_wanted[at_node(id)] = true;
    for (NodeId id = 0; id <= from; ++id) {
      bool leads = is_wanted[at_node(id)] || has_wanted_parameters(id);
      for (const NodeId input : graph_.inputs(id))
        leads = leads || leads_somewhere_[at_node(input)];
      leads_somewhere_[at_node(id)] = leads;
    }
    pending_[at_node(from)] = {seed.reshape(forward_.outputs[at_node(from)].sizes()), false};
    for (NodeId id = from; id >= 0; --id) {
      torch::Tensor gradient = std::move(pending_[at_node(id)].sum);
      if (!gradient.defined()) continue;
      if (is_wanted[at_node(id)]) found_.outputs[at_node(id)] = gradient;
      propagate(id, std::move(gradient));
    }
    return std::move(found_);
  }

 private:
  struct Pending {
    torch::Tensor sum;
    bool is_owned = false;  ///< nobody else holds it: may be added to in place
  };

  bool has_wanted_parameters(NodeId id) const {
    return wanted_.parameters && network_.parameters(id).weight.defined();
  }

  const torch::Tensor& output(NodeId id) const { return forward_.outputs[at_node(id)]; }

  void give(NodeId to, torch::Tensor gradient, bool is_owned) {
    if (!leads_somewhere_[at_node(to)]) return;
    auto& [sum, is_own_sum] = pending_[at_node(to)];
    gradient = gradient.reshape(output(to).sizes());
    if (!sum.defined()) {
      sum = std::move(gradient);
      is_own_sum = is_owned;
    } else if (is_own_sum) {
      sum.add_(gradient);
    } else {
      sum = sum + gradient;
      is_own_sum = true;
    }
  }

  void propagate(NodeId id, torch::Tensor gradient) {
    const Node& node = graph_.node(id);
    if (network_.twin(id) != id) return give(network_.twin(id), std::move(gradient), false);
    if (node.activation != Activation::none) gradient = by_activation(id, gradient);
    const auto inputs = graph_.inputs(id);
    switch (node.op) {
      case Op::input:
      case Op::zero: return;
      case Op::conv: return convolution(id, gradient);
      case Op::batch_norm: return batch_norm(id, gradient);
      case Op::linear: return linear(id, gradient);
      case Op::relu: return give(inputs[0], std::move(gradient), true);
      case Op::avg_pool: return give(inputs[0], by_pool(node, inputs[0], gradient), true);
      case Op::max_pool: return give(inputs[0], by_max_pool(node, inputs[0], gradient), true);
      case Op::softmax:
        return give(inputs[0],
                    at::_softmax_backward_data(gradient.flatten(1), output(id).flatten(1), 1,
                                               gradient.scalar_type()),
                    true);
      case Op::concat: return concat(inputs, gradient);
      case Op::global_avg_pool: {
        const torch::Tensor& x = output(inputs[0]);
        const auto pixels = static_cast<double>(x.size(2) * x.size(3));
        return give(inputs[0],
                    (gradient / pixels).expand_as(x).contiguous(memory_format_of(network_)), true);
      }
      case Op::choice: gradient = gradient / static_cast<double>(node.input_count); [[fallthrough]];
      case Op::add:
        for (const NodeId input : inputs) give(input, gradient, false);
        return;
    }
  }

  torch::Tensor by_activation(NodeId id, const torch::Tensor& gradient) const {
    if (graph_.node(id).activation == Activation::relu)
      return at::threshold_backward(gradient, output(id), 0);
    return at::hardtanh_backward(gradient, output(id), 0, 6);
  }

  void concat(std::span<const NodeId> inputs, const torch::Tensor& gradient) {
    std::int64_t first = 0;
    for (const NodeId input : inputs) {
      const std::int64_t channels = graph_.node(input).shape.channels;
      give(input, as_image(gradient).narrow(1, first, channels), false);
      first += channels;
    }
  }

  /// The places of the maxima are found again: keeping them would cost every forward run memory.
  torch::Tensor by_max_pool(const Node& node, NodeId input, const torch::Tensor& gradient) const {
    const torch::Tensor x = as_image(output(input));
    const auto places = std::get<1>(at::max_pool2d_with_indices(
        x, pair_of(node.kernel), pair_of(node.stride), pair_of(node.padding)));
    return at::max_pool2d_with_indices_backward(gradient, x, pair_of(node.kernel),
                                                pair_of(node.stride), pair_of(node.padding), {1, 1},
                                                /*ceil_mode=*/false, places);
  }

  torch::Tensor by_pool(const Node& node, NodeId input, const torch::Tensor& gradient) const {
    if (network_.is_channels_last() && keeps_size(node)) return mean_pool_backward(gradient, node);
    return at::avg_pool2d_backward(gradient, as_image(output(input)), pair_of(node.kernel),
                                   pair_of(node.stride), pair_of(node.padding),
                                   /*ceil_mode=*/false, /*count_include_pad=*/false, c10::nullopt);
  }

  /// `left` is the padding that was left to the convolution.
  static torch::Tensor without_padding(const torch::Tensor& gradient, const Node& node,
                                       const Extent& left) {
    if (left == node.padding) return gradient;
    const auto [high, wide] = node.padding;
    return gradient.slice(2, high, gradient.size(2) - high)
        .slice(3, wide, gradient.size(3) - wide)
        .contiguous(gradient.suggest_memory_format());
  }

  void convolution(NodeId id, const torch::Tensor& gradient) {
    const Node& node = graph_.node(id);
    const auto& [weight, bias] = network_.parameters(id);
    const NodeId input = graph_.inputs(id)[0];
    const bool wants = wanted_.parameters;
    const auto [x, padding] = padded_input(as_image(output(input)), node);
    auto [by_input, by_weight, by_bias] = at::convolution_backward(
        gradient, x, weight, at::IntArrayRef{weight.size(0)}, pair_of(node.stride),
        pair_of(padding), {1, 1}, /*transposed=*/false, {0, 0}, node.groups,
        {leads_somewhere_[at_node(input)], wants, wants && bias.defined()});
    found_.parameters[at_node(id)] = {by_weight, by_bias};
    if (by_input.defined()) give(input, without_padding(by_input, node, padding), true);
  }

  void batch_norm(NodeId id, const torch::Tensor& gradient) {
    const NodeId input = graph_.inputs(id)[0];
    const torch::Tensor x = as_image(output(input));
    const torch::Tensor& scale = network_.parameters(id).weight;
    const torch::Tensor& mean = forward_.means[at_node(id)];
    const torch::Tensor& inverse_deviation = forward_.inverse_deviations[at_node(id)];
    torch::Tensor by_input, by_scale, by_shift;
    if (network_.is_channels_last()) {
      auto found = wide_batch_norm_backward(gradient, x, scale, mean, inverse_deviation);
      std::tie(by_input, by_scale, by_shift) = std::tie(found.input, found.scale, found.shift);
    } else {
      std::tie(by_input, by_scale, by_shift) =
          at::native_batch_norm_backward(gradient, x, scale, {}, {}, mean, inverse_deviation,
                                         /*train=*/true, kBatchNormEpsilon, {true, true, true});
    }
    if (wanted_.parameters) found_.parameters[at_node(id)] = {by_scale, by_shift};
    give(input, std::move(by_input), true);
  }

  void linear(NodeId id, const torch::Tensor& gradient) {
    const NodeId input = graph_.inputs(id)[0];
    const auto& [weight, bias] = network_.parameters(id);
    if (wanted_.parameters)
      found_.parameters[at_node(id)] = {gradient.t().mm(output(input).flatten(1)),
                                        bias.defined() ? gradient.sum(0) : torch::Tensor{}};
    if (leads_somewhere_[at_node(input)]) give(input, gradient.mm(weight), true);
  }

  const Network& network_;
  const Graph& graph_;
  const Forward& forward_;
  const Wanted& wanted_;
  std::vector<bool> leads_somewhere_;  // to something wanted
  std::vector<Pending> pending_;
  Gradients found_;
};

std::vector<NodeId> nodes_where(const Graph& graph, bool (*holds)(const Node&)) {
  std::vector<NodeId> found;
  for (NodeId id = 0; id < graph.size(); ++id)
    if (holds(graph.node(id))) found.push_back(id);
  return found;
}

}  // namespace

Forward propagate_forward(const Network& network, const torch::Tensor& images) {
  const at::NoGradGuard no_grad;
  const Graph& graph = network.graph();
  const auto count = at_node(graph.size());
  Forward forward{std::vector<torch::Tensor>(count), std::vector<torch::Tensor>(count),
                  std::vector<torch::Tensor>(count)};
  for (NodeId id = 0; id < graph.size(); ++id) {
    torch::Tensor& output = forward.outputs[at_node(id)];
    if (network.twin(id) != id) {
      output = forward.outputs[at_node(network.twin(id))];
    } else if (graph.node(id).op == Op::batch_norm) {
      const auto& [scale, shift] = network.parameters(id);
      const torch::Tensor x = as_image(forward.outputs[at_node(graph.inputs(id)[0])]);
      torch::Tensor& mean = forward.means[at_node(id)];
      torch::Tensor& inverse_deviation = forward.inverse_deviations[at_node(id)];
      if (network.is_channels_last()) {
        auto made = wide_batch_norm(x, scale, shift, kBatchNormEpsilon);
        std::tie(output, mean, inverse_deviation) =
            std::tie(made.output, made.mean, made.inverse_deviation);
      } else {
        std::tie(output, mean, inverse_deviation) = at::native_batch_norm(
            x, scale, shift, {}, {}, /*training=*/true, /*momentum=*/0.0, kBatchNormEpsilon);
      }
    } else {
      output = evaluate(network, id, images, forward.outputs);
    }
  }
  return forward;
}

torch::Tensor logits_of(const Network& network, const Forward& forward) {
  return forward.outputs[at_node(network.graph().output())].flatten(1);
}

Gradients propagate_backward(const Network& network, const Forward& forward, NodeId from,
                             const torch::Tensor& seed, const Wanted& wanted) {
  const at::NoGradGuard no_grad;
  return Backward{network, forward, wanted}.run(from, seed);
}

torch::Tensor cross_entropy_gradient(const torch::Tensor& logits, const torch::Tensor& labels) {
  const at::NoGradGuard no_grad;
  const torch::Tensor one_hot = at::one_hot(labels, logits.size(1));
  return (at::softmax(logits, 1) - one_hot) / static_cast<double>(logits.size(0));
}

std::vector<NodeId> weighted_nodes(const Graph& graph) {
  return nodes_where(graph,
                     [](const Node& node) { return node.op == Op::conv || node.op == Op::linear; });
}

std::vector<NodeId> relu_nodes(const Graph& graph) {
  return nodes_where(graph, [](const Node& node) { return node.activation != Activation::none; });
}

}  // namespace thimble
