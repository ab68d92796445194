#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include <thimble/nn/propagation/propagation.hpp>

#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include "blend_run.hpp"

namespace thimble {
namespace {

struct Statistics {
  ByChannel mean;
  ByChannel inverse_deviation;
};

/// Sums are taken about the first sample's mean: those of squares about zero would cancel where
/// values differ little.
Statistics statistics_of(const at::Tensor& x) {
  const auto channels = static_cast<std::size_t>(x.size(1));
  const at::Tensor sample = x.narrow(0, 0, 1);
  Statistics made{run(Blend{sample}, {.partners = {{sample, ByChannel(channels)}}}).of_sum, {}};
  for (double& mean : made.mean) mean /= static_cast<double>(x.size(2) * x.size(3));
  // As the run will have it.
  if (x.scalar_type() == at::kFloat)
    for (double& mean : made.mean) mean = static_cast<float>(mean);
  Blend about{x};
  for (const double mean : made.mean) about.shift.push_back(-mean);
  const auto [sums, products] = run(about, {.partners = {{x, made.mean}}});
  const double elements = static_cast<double>(x.numel()) / static_cast<double>(x.size(1));
  for (std::size_t c = 0; c < sums.size(); ++c) {
    const double off = sums[c] / elements;
    const double squares = products[0][c] / elements - off * off;
    const double variance = squares < 0 ? 0 : squares;  // what is not a number stays so
    made.mean[c] += off;
    made.inverse_deviation.push_back(1 / std::sqrt(variance + kBatchNormEpsilon));
  }
  return made;
}

/// One forward run.
class Running {
 public:
  Running(const Network& network, const at::Tensor& images)
      : network_{network}, graph_{network.graph()}, images_{images}, readers_(count()) {
    forward_.blends.resize(count());
    forward_.means.resize(count());
    forward_.inverse_deviations.resize(count());
    outputs_.resize(count());
    for (NodeId id = 0; id < graph_.size(); ++id)
      for (const NodeId input : graph_.inputs(id)) readers_[at(input)].push_back(id);
  }

  Forward run() {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      const NodeId twin = network_.twin(id);
      if (twin != id) {
        forward_.blends[at(id)] = forward_.blends[at(twin)];
        outputs_[at(id)] = outputs_[at(twin)];
      } else if (forward_.blends[at(id)].terms.empty()) {
        visit(id);
      }
    }
    return std::move(forward_);
  }

 private:
  std::size_t count() const { return graph_.nodes().size(); }

  void visit(NodeId id) {
    const Node& node = graph_.node(id);
    const bool is_put_off = network_.is_channels_last() && node.activation == Activation::none;
    if (is_put_off && node.op == Op::batch_norm) return put_off(id, normalised(id));
    if (is_put_off && node.op == Op::add) return put_off(id, joined(id));
    if (node.op == Op::batch_norm) return keep(id, normalised_at_once(id));
    if (network_.is_channels_last() && node.op == Op::relu) return rectify(id);
    for (const NodeId input : graph_.inputs(id)) write_down(input);
    keep(id, evaluate(network_, id, images_, outputs_));
  }

  void keep(NodeId id, const at::Tensor& output) {
    outputs_[at(id)] = output;
    forward_.blends[at(id)] = Blend{output};
  }

  const at::Tensor& write_down(NodeId id) {
    if (!outputs_[at(id)].defined()) keep(id, forward_.output(id));
    return outputs_[at(id)];
  }

  at::Tensor normalised_at_once(NodeId id) {
    const auto& [scale, shift] = network_.parameters(id);
    auto [output, mean, inverse_deviation] = at::native_batch_norm(
        as_image(write_down(graph_.inputs(id)[0])), scale, shift, {}, {}, /*training=*/true,
        /*momentum=*/0.0, kBatchNormEpsilon);
    forward_.means[at(id)] = mean;
    forward_.inverse_deviations[at(id)] = inverse_deviation;
    return output;
  }

  /// x * scale / deviation + (shift - mean * scale / deviation)
  Blend normalised(NodeId id) {
    const at::Tensor x = as_image(write_down(graph_.inputs(id)[0]));
    auto [mean, inverse_deviation] = statistics_of(x);
    const auto& parameters = network_.parameters(id);
    const ByChannel scale = by_channel(parameters.weight);
    ByChannel factor, shift = by_channel(parameters.bias);
    for (std::size_t c = 0; c < scale.size(); ++c) {
      factor.push_back(scale[c] * inverse_deviation[c]);
      shift[c] -= mean[c] * factor[c];
    }
    forward_.means[at(id)] = at::tensor(mean, network_.precision());
    forward_.inverse_deviations[at(id)] = at::tensor(inverse_deviation, network_.precision());
    Blend blend;
    blend.terms.emplace_back(x, std::move(factor));
    blend.shift = std::move(shift);
    return blend;
  }

  Blend joined(NodeId id) const {
    Blend sum;
    for (const NodeId input : graph_.inputs(id)) {
      const Blend& blend = forward_.blends[at(input)];
      for (Blend::Term term : blend.terms) {
        term.x = as_image(term.x);
        sum.terms.push_back(std::move(term));
      }
      if (sum.shift.empty()) sum.shift.resize(blend.shift.size());
      std::ranges::transform(blend.shift, sum.shift, sum.shift.begin(), std::plus{});
    }
    return sum;
  }

  /// Written down now, later, or never; and, when a ReLU reads it, that with it in one run.
  void put_off(NodeId id, Blend blend) {
    constexpr std::size_t kMostTerms = 8;
    const auto is_add = [&](NodeId reader) { return graph_.node(reader).op == Op::add; };
    const auto is_relu = [&](NodeId reader) { return graph_.node(reader).op == Op::relu; };
    const std::vector<NodeId>& readers = readers_[at(id)];
    const bool is_output = id == graph_.output();
    const bool is_read_elsewhere = !std::ranges::all_of(
        readers, [&](NodeId reader) { return is_add(reader) || is_relu(reader); });
    const bool is_read_often = std::ranges::count_if(readers, is_add) > 1;
    const bool is_kept = !blend.is_plain() && (is_output || is_read_elsewhere || is_read_often ||
                                               blend.terms.size() > kMostTerms);
    at::Tensor sum, rectified;
    const auto relu = std::ranges::find_if(readers, is_relu);
    const bool has_relu = relu != readers.end();
    if (is_kept || has_relu)
      thimble::run(blend, {.sum = is_kept ? &sum : nullptr,
                           .rectified = has_relu ? &rectified : nullptr,
                           .ceiling = has_relu ? ceiling_of(graph_.node(*relu)) : 0});
    if (has_relu) keep(*relu, rectified);
    if (is_kept) return keep(id, sum);
    if (blend.is_plain()) return keep(id, blend.terms[0].x);
    forward_.blends[at(id)] = std::move(blend);
  }

  void rectify(NodeId id) {
    at::Tensor output;
    thimble::run(forward_.blends[at(graph_.inputs(id)[0])],
                 {.rectified = &output, .ceiling = ceiling_of(graph_.node(id))});
    keep(id, output);
  }

  const Network& network_;
  const Graph& graph_;
  const at::Tensor& images_;
  std::vector<std::vector<NodeId>> readers_;
  std::vector<at::Tensor> outputs_;  // what is written down
  Forward forward_;
};

}  // namespace

Forward propagate_forward(const Network& network, const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  return Running{network, images}.run();
}

at::Tensor logits_of(const Network& network, const Forward& forward) {
  const NodeId output = network.graph().output();
  const at::Tensor made = forward.output(output);
  return network.graph().node(output).shape.pixels() == 1 ? made.flatten(1) : made;
}

}  // namespace thimble
