#include <thimble/nn/ntk/ntk.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "engine.hpp"
#include "terms.hpp"

namespace thimble {
namespace {

/// The weights that count, as leaves of a tape; the network given keeps its own.
std::vector<at::Tensor> make_leaves(Network& copy) {
  std::vector<at::Tensor> leaves;
  for (NodeId id = 0; id < copy.graph().size(); ++id) {
    auto& [weight, bias] = copy.parameters(id);
    if (!weight.defined()) continue;
    weight = weight.detach().clone().requires_grad_();
    if (bias.defined()) bias = bias.detach();
    leaves.push_back(weight);
  }
  return leaves;
}

}  // namespace

const std::vector<std::pair<std::string, SampleCoupling>>& names_of(SampleCoupling) {
  static const std::vector<std::pair<std::string, SampleCoupling>> kNames{
      {"coupled", SampleCoupling::coupled}, {"frozen", SampleCoupling::frozen}};
  return kNames;
}

at::Tensor ntk_gram(const Network& network, const at::Tensor& images, SampleCoupling coupling) {
  const at::NoGradGuard no_grad;
  if (network.precision() == at::kDouble) return ntk::gram<double>(network, images, coupling);
  if (network.precision() == at::kFloat) return ntk::gram<float>(network, images, coupling);
  throw Error{"the neural tangent kernel needs a network in float or double"};
}

std::int64_t ntk_bytes(const Graph& graph, std::int64_t samples, int scalar_bytes) {
  constexpr int kPixelBytes = 8;  // what a ReLU lets through is kept as a list
  constexpr int kLaneBytes = 64;  // a cotangent's element, one lane for each of a block
  ntk::Terms terms = ntk::terms_of(graph);
  std::int64_t forward = 0, weights = 0;
  std::int64_t largest = graph.node(graph.output()).shape.elements();
  std::int64_t open = 1, most_open = 1;  // the output's; then as the backward pass goes
  for (NodeId id = graph.output(); id >= 0; --id) {
    const std::int64_t elements = graph.node(id).shape.elements();
    weights += params(graph, graph.node(id));
    if (graph.node(id).op == Op::batch_norm) forward += elements * scalar_bytes;
    if (terms.into[at(id)].empty()) continue;
    forward += elements * scalar_bytes;
    if (terms.is_wanted[at(id)]) {
      largest = std::max(largest, elements);
      most_open = std::max(most_open, ++open);
      if (terms.readers[at(id)] == 0) --open;
    }
    for (const ntk::Term& term : terms.into[at(id)]) {
      if (term.is_rectified) forward += elements * kPixelBytes;
      if (--terms.readers[at(term.from)] == 0) --open;
    }
  }
  return samples * (forward + weights * scalar_bytes + most_open * largest * kLaneBytes);
}

at::Tensor ntk_gram_by_rows(const Network& network, const at::Tensor& images) {
  const at::AutoGradMode with_grad{true};
  Network copy = network.clone();
  const std::vector<at::Tensor> leaves = make_leaves(copy);
  const std::int64_t samples = images.size(0);
  const at::Tensor logits = copy.forward(images.detach());
  if (leaves.empty() || !logits.requires_grad()) return at::zeros({samples, samples}, at::kDouble);

  std::vector<at::Tensor> rows;
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const auto gradients =
        torch::autograd::grad({logits[sample].sum()}, leaves, {}, /*retain_graph=*/true,
                              /*create_graph=*/false, /*allow_unused=*/true);
    std::vector<at::Tensor> row;
    for (const at::Tensor& gradient : gradients)
      if (gradient.defined()) row.push_back(gradient.flatten().to(at::kDouble));
    rows.push_back(at::cat(row));
  }
  const at::Tensor jacobian = at::stack(rows);
  return jacobian.mm(jacobian.t()).detach();
}

double condition_number(const at::Tensor& gram) {
  constexpr double kLargest = 1e12;
  if (!at::isfinite(gram).all().item<bool>()) return std::numeric_limits<double>::quiet_NaN();
  const at::Tensor values = at::linalg_eigvalsh(gram.to(at::kDouble));  // ascending
  const double largest = values[-1].item<double>();
  if (largest <= 0.0) return kLargest;
  return largest / std::max(values[0].item<double>(), largest / kLargest);
}

}  // namespace thimble
