#include <algorithm>
#include <cassert>
#include <iterator>
#include <tuple>

#include <thimble/nn/propagation/propagation.hpp>

#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/convolution.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include "blend_run.hpp"
#include "depthwise.hpp"
#include "mean_pool.hpp"

namespace thimble {
namespace {

/// What batch norm needs of the gradient by its output: sums by channel of it, and of it times
/// x - mean.
struct NormTotals {
  at::Tensor gradient;  ///< that they are of
  BlendTotals totals;
};

/// One backward run: what adds up to the gradient by an output waits until its node's turn comes.
class Backward {
 public:
  Backward(const Network& network, const Forward& forward, const Wanted& wanted)
      : network_{network},
        graph_{network.graph()},
        forward_{forward},
        wanted_{wanted},
        is_wanted_(at(graph_.size())),
        leads_somewhere_(at(graph_.size())),
        pending_(at(graph_.size())),
        totals_(at(graph_.size())) {
    found_.parameters.resize(at(graph_.size()));
    found_.outputs.resize(at(graph_.size()));
  }

  Gradients run(NodeId from, const at::Tensor& seed) {
    for (const NodeId id : wanted_.outputs) is_wanted_[at(id)] = true;
    for (NodeId id = 0; id <= from; ++id) {
      bool leads = is_wanted_[at(id)] || has_wanted_parameters(id);
      for (const NodeId input : graph_.inputs(id)) leads = leads || leads_somewhere_[at(input)];
      leads_somewhere_[at(id)] = leads;
    }
    pending_[at(from)] = Blend{seed.reshape(sizes_of(from))};
    for (NodeId id = from; id >= 0; --id) {
      if (pending_[at(id)].terms.empty()) continue;
      if (is_wanted_[at(id)]) found_.outputs[at(id)] = gathered(id);
      propagate(id);
      pending_[at(id)] = {};
      totals_[at(id)] = {};
    }
    return std::move(found_);
  }

 private:
  bool has_wanted_parameters(NodeId id) const {
    return wanted_.parameters && network_.parameters(id).weight.defined();
  }

  at::Tensor output(NodeId id) const { return forward_.output(id); }
  at::IntArrayRef sizes_of(NodeId id) const { return forward_.blends[at(id)].terms[0].x.sizes(); }

  void give_term(NodeId to, Blend::Term term) {
    if (!leads_somewhere_[at(to)]) return;
    constexpr std::size_t kMostTerms = 4;  // they hold memory
    auto& terms = pending_[at(to)].terms;
    terms.push_back(std::move(term));
    if (terms.size() > kMostTerms) gathered(to);
  }

  void give(NodeId to, const at::Tensor& gradient) {
    if (leads_somewhere_[at(to)])
      give_term(to, Blend::Term{gradient.sizes() == sizes_of(to) ? gradient
                                                                 : gradient.reshape(sizes_of(to))});
  }

  /// The gradient by the output of a node as one tensor. While it is at hand, batch norm's totals
  /// are taken of it.
  at::Tensor gathered(NodeId id) {
    Blend& sum = pending_[at(id)];
    if (sum.is_plain()) return sum.terms[0].x;
    at::Tensor made;
    if (network_.is_channels_last()) {
      const auto norms = norms_behind(id);
      BlendRun wanted{.sum = &made};
      for (const NodeId norm : norms) wanted.partners.push_back(partner_of_norm(norm));
      BlendTotals totals = thimble::run(sum, wanted);
      for (std::size_t i = 0; i < norms.size(); ++i)
        totals_[at(norms[i])] = {made, {totals.of_sum, {std::move(totals.of_products[i])}}};
    } else {
      for ([[maybe_unused]] const Blend::Term& term : sum.terms) assert(term.is_plain());
      made = sum.terms[0].x + sum.terms[1].x;
      for (std::size_t i = 2; i < sum.terms.size(); ++i) made.add_(sum.terms[i].x);
    }
    sum = Blend{made};
    return made;
  }

  /// The batch norms for which the gradient of a node may be that by their output.
  std::vector<NodeId> norms_behind(NodeId id) const {
    const Node& node = graph_.node(id);
    if (node.op == Op::batch_norm) return {id};
    std::vector<NodeId> found;
    if (node.op != Op::add || node.activation != Activation::none) return found;
    std::ranges::copy_if(graph_.inputs(node), std::back_inserter(found), [&](NodeId input) {
      return graph_.node(input).op == Op::batch_norm && leads_somewhere_[at(input)];
    });
    return found;
  }

  at::Tensor input_of_norm(NodeId norm) const { return as_image(output(graph_.inputs(norm)[0])); }
  Partner partner_of_norm(NodeId norm) const {
    return {input_of_norm(norm), by_channel(forward_.means[at(norm)])};
  }

  /// What a ReLU is given passes it unread: its place in the input's sum is behind a gate.
  bool is_passed(NodeId id) const {
    const auto& terms = pending_[at(id)].terms;
    return graph_.node(id).op == Op::relu && network_.is_channels_last() &&
           forward_.clamps.empty() && std::ranges::none_of(terms, &Blend::Term::is_gated);
  }

  /// Where a ReLU let its input pass. Behind batch norm it is told by what batch norm was given,
  /// which its own gradient reads anyway.
  Blend::Gate gate_of(NodeId relu) const {
    const double ceiling = ceiling_of(graph_.node(relu));
    const Blend& input = forward_.blends[at(graph_.inputs(relu)[0])];
    const Blend::Term& term = input.terms[0];
    if (input.terms.size() > 1 || term.is_gated() || term.factor.empty() || input.shift.empty())
      return {output(relu), {}, {}, ceiling};
    return {term.x, term.factor, input.shift, ceiling};
  }

  /// Whether a batch norm's gradient is faster read twice as it is pending than written down.
  bool is_read_in_place(NodeId id) const {
    constexpr std::size_t kMostTerms = 2;
    const Node& node = graph_.node(id);
    return node.op == Op::batch_norm && node.activation == Activation::none &&
           network_.is_channels_last() && forward_.clamps.empty() &&
           pending_[at(id)].terms.size() <= kMostTerms;
  }

  void propagate(NodeId id) {
    assert(pending_[at(id)].shift.empty());  // it is made of what give_term() was given
    const Node& node = graph_.node(id);
    const NodeId twin = network_.twin(id);
    if (twin != id) {
      for (Blend::Term& term : pending_[at(id)].terms) give_term(twin, std::move(term));
      return;
    }
    const auto inputs = graph_.inputs(id);
    if (is_passed(id)) {
      const Blend::Gate gate = gate_of(id);
      for (const Blend::Term& term : pending_[at(id)].terms) give_term(inputs[0], term.gated(gate));
      return;
    }
    if (is_read_in_place(id)) return batch_norm_in_two_runs(id, pending_[at(id)]);
    at::Tensor gradient = gathered(id);
    if (!forward_.clamps.empty()) {
      const auto [lowest, highest] = forward_.clamps[at(id)];
      gradient = at::hardtanh_backward(gradient, output(id), lowest, highest);
    } else if (node.activation != Activation::none) {
      gradient = by_activation(id, gradient);
    }
    switch (node.op) {
      case Op::input:
      case Op::zero: return;
      case Op::conv: return convolution(id, gradient);
      case Op::batch_norm: return batch_norm(id, gradient);
      case Op::linear: return linear(id, gradient);
      case Op::relu: return give(inputs[0], gradient);
      case Op::avg_pool: return give(inputs[0], by_pool(node, inputs[0], gradient));
      case Op::max_pool: return give(inputs[0], by_max_pool(node, inputs[0], gradient));
      case Op::softmax:
        return give(inputs[0],
                    at::_softmax_backward_data(gradient.flatten(1), output(id).flatten(1), 1,
                                               gradient.scalar_type()));
      case Op::concat: return concat(inputs, gradient);
      case Op::global_avg_pool: {
        const at::Tensor x = output(inputs[0]);
        const auto pixels = static_cast<double>(x.size(2) * x.size(3));
        return give(inputs[0],
                    (gradient / pixels).expand_as(x).contiguous(memory_format_of(network_)));
      }
      case Op::mask: return give(inputs[0], masked(gradient, node));
      case Op::choice: return choice(node, inputs, gradient);
      case Op::add:
        for (const NodeId input : inputs) give(input, gradient);
        return;
    }
  }

  at::Tensor by_activation(NodeId id, const at::Tensor& gradient) const {
    if (graph_.node(id).activation == Activation::relu)
      return at::threshold_backward(gradient, output(id), 0);
    return at::hardtanh_backward(gradient, output(id), 0, 6);
  }

  void choice(const Node& node, std::span<const NodeId> inputs, const at::Tensor& gradient) {
    if (!network_.is_mixed()) {
      const at::Tensor mean = gradient / static_cast<double>(node.input_count);
      for (const NodeId input : inputs) give(input, mean);
      return;
    }
    const auto shares = network_.shares(node);
    for (std::size_t i = 0; i < inputs.size(); ++i) give(inputs[i], gradient * shares[i]);
  }

  void concat(std::span<const NodeId> inputs, const at::Tensor& gradient) {
    std::int64_t first = 0;
    for (const NodeId input : inputs) {
      const std::int64_t channels = graph_.node(input).shape.channels;
      give(input, as_image(gradient).narrow(1, first, channels));
      first += channels;
    }
  }

  /// The places of the maxima are found again: keeping them would cost every forward run memory.
  at::Tensor by_max_pool(const Node& node, NodeId input, const at::Tensor& gradient) const {
    const at::Tensor x = as_image(output(input));
    const auto places = std::get<1>(at::max_pool2d_with_indices(
        x, pair_of(node.kernel), pair_of(node.stride), pair_of(node.padding)));
    return at::max_pool2d_with_indices_backward(gradient, x, pair_of(node.kernel),
                                                pair_of(node.stride), pair_of(node.padding), {1, 1},
                                                /*ceil_mode=*/false, places);
  }

  at::Tensor by_pool(const Node& node, NodeId input, const at::Tensor& gradient) const {
    if (network_.is_channels_last() && keeps_size(node)) return mean_pool_backward(gradient, node);
    return at::avg_pool2d_backward(gradient, as_image(output(input)), pair_of(node.kernel),
                                   pair_of(node.stride), pair_of(node.padding),
                                   /*ceil_mode=*/false, /*count_include_pad=*/false, {});
  }

  void convolution(NodeId id, const at::Tensor& gradient) {
    const Node& node = graph_.node(id);
    const auto& [weight, bias] = network_.parameters(id);
    const NodeId input = graph_.inputs(id)[0];
    const bool wants = wanted_.parameters;
    if (is_depthwise(network_, node)) {
      auto [by_input, by_weight] =
          depthwise_backward(as_image(gradient), as_image(output(input)), weight, node,
                             leads_somewhere_[at(input)], wants);
      found_.parameters[at(id)] = {
          by_weight, wants && bias.defined() ? gradient.sum({0, 2, 3}) : at::Tensor{}};
      if (by_input.defined()) give(input, by_input);
      return;
    }
    const ConvolutionWants wanted{leads_somewhere_[at(input)], wants, wants && bias.defined()};
    auto [by_input, by_weight, by_bias] =
        convolution_backward(gradient, as_image(output(input)), weight, node, wanted);
    found_.parameters[at(id)] = {by_weight, by_bias};
    if (by_input.defined()) give(input, by_input);
  }

  void batch_norm(NodeId id, const at::Tensor& gradient) {
    if (network_.is_channels_last()) return batch_norm_in_two_runs(id, Blend{gradient});
    const at::Tensor& scale = network_.parameters(id).weight;
    auto [by_input, by_scale, by_shift] = at::native_batch_norm_backward(
        gradient, input_of_norm(id), scale, {}, {}, forward_.means[at(id)],
        forward_.inverse_deviations[at(id)], /*train=*/true, kBatchNormEpsilon, {true, true, true});
    if (wanted_.parameters) found_.parameters[at(id)] = {by_scale, by_shift};
    give(graph_.inputs(id)[0], by_input);
  }

  /// With n = (x - mean) / deviation: dx = scale / deviation (dy - mean(dy) - n mean(dy n)). The
  /// first run over memory takes the means, if they were not taken before; the second makes dx.
  void batch_norm_in_two_runs(NodeId id, const Blend& gradient) {
    const auto [x, mean] = partner_of_norm(id);
    auto& [of, totals] = totals_[at(id)];
    if (!gradient.is_plain() || !of.is_same(gradient.terms[0].x))
      totals = thimble::run(gradient, {.partners = {{x, mean}}});
    const double elements = static_cast<double>(x.numel()) / static_cast<double>(x.size(1));
    const ByChannel& by_shift = totals.of_sum;
    ByChannel& by_scale = totals.of_products[0];
    const ByChannel inverse = by_channel(forward_.inverse_deviations[at(id)]);
    ByChannel of_gradient = by_channel(network_.parameters(id).weight), of_x, shift;
    for (std::size_t c = 0; c < mean.size(); ++c) {
      by_scale[c] *= inverse[c];
      of_gradient[c] *= inverse[c];
      of_x.push_back(-of_gradient[c] * inverse[c] * by_scale[c] / elements);
      shift.push_back(-of_gradient[c] * by_shift[c] / elements - of_x[c] * mean[c]);
    }
    const auto type = network_.precision();
    if (wanted_.parameters)
      found_.parameters[at(id)] = {at::tensor(by_scale, type), at::tensor(by_shift, type)};
    Blend by_input;
    for (const Blend::Term& term : gradient.terms)
      by_input.terms.push_back(term.scaled(of_gradient));
    by_input.terms.emplace_back(x, std::move(of_x));
    by_input.shift = std::move(shift);
    if (leads_somewhere_[at(graph_.inputs(id)[0])]) give(graph_.inputs(id)[0], by_input.value());
  }

  void linear(NodeId id, const at::Tensor& gradient) {
    const NodeId input = graph_.inputs(id)[0];
    const auto& [weight, bias] = network_.parameters(id);
    if (wanted_.parameters)
      found_.parameters[at(id)] = {gradient.t().mm(output(input).flatten(1)),
                                   bias.defined() ? gradient.sum(0) : at::Tensor{}};
    if (leads_somewhere_[at(input)]) give(input, gradient.mm(weight));
  }

  const Network& network_;
  const Graph& graph_;
  const Forward& forward_;
  const Wanted& wanted_;
  std::vector<bool> is_wanted_;
  std::vector<bool> leads_somewhere_;  // to something wanted
  std::vector<Blend> pending_;
  std::vector<NormTotals> totals_;
  Gradients found_;
};

std::vector<NodeId> nodes_where(const Graph& graph, bool (*holds)(const Node&)) {
  std::vector<NodeId> found;
  for (NodeId id = 0; id < graph.size(); ++id)
    if (holds(graph.node(id))) found.push_back(id);
  return found;
}

}  // namespace

Gradients propagate_backward(const Network& network, const Forward& forward, NodeId from,
                             const at::Tensor& seed, const Wanted& wanted) {
  const at::NoGradGuard no_grad;
  return Backward{network, forward, wanted}.run(from, seed);
}

at::Tensor cross_entropy_gradient(const at::Tensor& logits, const at::Tensor& labels) {
  const at::NoGradGuard no_grad;
  const at::Tensor one_hot = at::one_hot(labels, logits.size(1));
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
