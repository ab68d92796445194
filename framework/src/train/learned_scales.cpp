#include <thimble/train/learned_scales.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>

#include <thimble/core/index.hpp>
#include <thimble/deploy/quantisation.hpp>
#include <thimble/nn/propagation/evaluate.hpp>

namespace thimble {
namespace {

constexpr int kLargestWeight = 127;

/// The largest integer of a tensor, less its zero point.
int largest_of(int zero_point) { return std::max(127 - zero_point, 128 + zero_point); }

/// The scale's pace, times what the largest value is its multiple by.
double pace_of(std::int64_t numbers, int largest) {
  return largest / std::sqrt(static_cast<double>(numbers) * largest);
}

/// (gradient x what a scale of 1 more would change): the sum's terms.
at::Tensor terms(const at::Tensor& gradient, const at::Tensor& quotient, const at::Tensor& rounded,
                 const at::Tensor& is_inside) {
  return gradient * (rounded - quotient * is_inside);
}

/// Pools, copies and softmax have no ends of their own.
bool is_clamped(const Int8Layer& layer) {
  switch (layer.kernel) {
    case Kernel::avg_pool:
    case Kernel::max_pool:
    case Kernel::softmax: return false;
    case Kernel::concat: return !layer.input_rescale.empty();
    default: return true;
  }
}

}  // namespace

LearnedScales::LearnedScales(const FloatNetwork& folded)
    : owners_{range_owners(folded.graph, folded.ranges)} {
  std::vector<float> of_tensors, of_filters;
  for (const auto& [scale, zero] : quantisations_of(folded.graph, folded.ranges)) {
    of_tensors.push_back(scale * static_cast<float>(largest_of(zero)));
    zeros_.push_back(zero);
  }
  const Int8Network lowered = lower_folded(folded);
  for (NodeId id = 0; id < folded.graph.size(); ++id) {
    first_.push_back(std::ssize(of_filters));
    if (id == 0) continue;
    const auto& scales = lowered.layers[at(id) - 1].weight_scales;
    const std::size_t count = folded.graph.node(id).op == Op::linear ? 1 : scales.size();
    of_filters.insert(of_filters.end(), scales.begin(),
                      scales.begin() + static_cast<std::ptrdiff_t>(count));
  }
  first_.push_back(std::ssize(of_filters));
  of_tensors_ = at::tensor(of_tensors);
  of_filters_ = at::tensor(of_filters) * kLargestWeight;
}

void LearnedScales::apply(FloatNetwork& folded) const {
  for (NodeId id = 0; id < folded.graph.size(); ++id) {
    const int zero = zeros_[at(id)];
    const float scale = of_tensors_.data_ptr<float>()[id] / static_cast<float>(largest_of(zero));
    folded.ranges[at(id)] = {scale * static_cast<float>(-128 - zero),
                             scale * static_cast<float>(127 - zero)};
    auto& scales = folded.parameters[at(id)].scales;
    scales.clear();
    for (std::int64_t i = first_[at(id)]; i < first_[at(id) + 1]; ++i)
      scales.push_back(of_filters_.data_ptr<float>()[i] / kLargestWeight);
  }
}

void LearnedScales::begin_step() { before_ = {of_tensors_.clone(), of_filters_.clone()}; }

void LearnedScales::end_step() {
  constexpr double kMost = 0.01;
  const auto bound = [](at::Tensor& now, const at::Tensor& before) {
    now.copy_(at::min(at::max(now, before * (1 - kMost)), before * (1 + kMost)));
  };
  bound(of_tensors_, before_[0]);
  bound(of_filters_, before_[1]);
}

std::vector<NodeId> LearnedScales::nodes() const {
  std::vector<NodeId> all(owners_.size());
  std::iota(all.begin(), all.end(), 0);
  return all;
}

/// Of a node's output, by the scale that it has.
double LearnedScales::of_output(const Steps& steps, NodeId id, const at::Tensor& gradient,
                                const std::vector<at::Tensor>& outputs) const {
  const auto [scale, zero] = steps.integers.network().tensor(id).quantisation;
  const at::Tensor exact =
      id == 0 ? steps.images : evaluate(steps.rounded, id, steps.images, outputs);
  const at::Tensor quotient = exact.reshape(gradient.sizes()) / scale;
  const at::Tensor rounded = (outputs[at(id)].reshape(gradient.sizes()) / scale).round_();
  const bool may_clamp = id == 0 || is_clamped(steps.integers.network().layers[at(id) - 1]);
  const at::Tensor is_inside = may_clamp
                                   ? quotient.gt(-128 - zero).logical_and_(quotient.lt(127 - zero))
                                   : at::ones_like(quotient, at::kBool);
  return terms(gradient, quotient, rounded, is_inside).sum(at::kDouble).item<double>();
}

/// Of a layer's weights, by the scales of its filters.
void LearnedScales::by_filters(const Steps& steps, NodeId id, at::Tensor& gradient,
                               at::Tensor& into) const {
  const std::int64_t begin = first_[at(id)], count = first_[at(id) + 1] - begin;
  const at::Tensor scales =
      of_filters_.slice(0, begin, begin + count).view({count, 1}) / kLargestWeight;
  const at::Tensor quotient = steps.exact.parameters(id).weight.reshape({count, -1}) / scales;
  const at::Tensor is_inside = quotient.abs().lt(kLargestWeight);
  const at::Tensor rounded = steps.integers.weights(at(id) - 1).reshape({count, -1});
  const at::Tensor slopes = gradient.reshape({count, -1});
  into.slice(0, begin, begin + count)
      .copy_(terms(slopes, quotient, rounded, is_inside).sum(1) *
             pace_of(quotient.size(1), kLargestWeight));
  gradient = (slopes * is_inside).view(gradient.sizes());
}

std::vector<at::Tensor> LearnedScales::gradients(const Steps& steps, Gradients& found) const {
  const at::NoGradGuard no_grad;
  at::Tensor by_tensors = at::zeros_like(of_tensors_), by_filter = at::zeros_like(of_filters_);
  const Graph& graph = steps.rounded.graph();
  std::vector<at::Tensor> outputs;
  for (NodeId id = 0; id < graph.size(); ++id) outputs.push_back(steps.forward.output(id));
  for (NodeId id = 0; id < graph.size(); ++id) {
    const NodeId owner = owners_[at(id)];
    if (const at::Tensor& gradient = found.outputs[at(id)]; gradient.defined() && owner >= 0) {
      const double pace =
          pace_of(graph.node(owner).shape.elements(), largest_of(zeros_[at(owner)]));
      by_tensors.data_ptr<float>()[owner] +=
          static_cast<float>(pace * of_output(steps, id, gradient, outputs));
    }
    if (at::Tensor& gradient = found.parameters[at(id)].weight; gradient.defined())
      by_filters(steps, id, gradient, by_filter);
  }
  return {by_tensors, by_filter};
}

}  // namespace thimble
