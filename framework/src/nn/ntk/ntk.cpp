#include <thimble/nn/ntk/ntk.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/nn/propagation/propagation.hpp>
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

/// How many channels convolutions have where the work is.
double mean_channels(const Graph& graph) {
  double sum = 0, weight = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    if (node.op != Op::conv) continue;
    const auto work = static_cast<double>(macs(graph, node));
    sum += work * node.shape.channels / node.groups;
    weight += work;
  }
  return weight > 0 ? sum / weight : 0;
}

/// From here on, matrix products make more of a core than lanes of cotangents do (bench_ntk: with
/// 37 channels they take 0.6 of the time, with 28 half as much again).
constexpr double kWide = 32;

constexpr int kDoubleBytes = 8;  // of the layer that is multiplied

bool goes_in_turn(const Graph& graph) {
  return mean_channels(graph) >= kWide || !ntk::unknown_in(graph).empty();
}

/// One cotangent after the other, each layer a matrix product.
at::Tensor gram_in_turn(const Network& network, const at::Tensor& images) {
  const Forward forward = propagate_forward(network, images);
  const at::Tensor logits = logits_of(network, forward);
  const std::int64_t samples = logits.size(0);
  std::vector<at::Tensor> jacobian(static_cast<std::size_t>(network.graph().size()));
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const at::Tensor seed = at::zeros_like(logits);
    seed[sample].fill_(1);
    const Gradients gradients =
        propagate_backward(network, forward, network.graph().output(), seed, {true, {}});
    for (std::size_t node = 0; node < jacobian.size(); ++node) {
      const at::Tensor& weight = gradients.parameters[node].weight;
      if (!weight.defined()) continue;
      if (!jacobian[node].defined())
        jacobian[node] = at::zeros({samples, weight.numel()}, weight.options());
      jacobian[node][sample].copy_(weight.reshape(-1));
    }
  }
  at::Tensor gram = at::zeros({samples, samples}, at::kDouble);
  for (at::Tensor& rows : jacobian) {
    if (!rows.defined()) continue;
    const at::Tensor exact = std::exchange(rows, {}).to(at::kDouble);
    gram.addmm_(exact, exact.t());
  }
  return gram;
}

/// Outputs of the forward run, what waits backwards, and the Jacobian.
std::int64_t bytes_in_turn(const Graph& graph, std::int64_t samples, int scalar_bytes) {
  std::int64_t elements = 0, weights = 0, most_weights = 0;
  for (const Node& node : graph.nodes()) {
    elements += node.shape.elements();
    weights += params(graph, node);
    most_weights = std::max(most_weights, params(graph, node));
  }
  return samples * ((2 * elements + weights) * scalar_bytes + most_weights * kDoubleBytes);
}

}  // namespace

const std::vector<std::pair<std::string, SampleCoupling>>& names_of(SampleCoupling) {
  static const std::vector<std::pair<std::string, SampleCoupling>> kNames{
      {"coupled", SampleCoupling::coupled}, {"frozen", SampleCoupling::frozen}};
  return kNames;
}

at::Tensor ntk_gram(const Network& network, const at::Tensor& images, SampleCoupling coupling) {
  const at::NoGradGuard no_grad;
  if (coupling == SampleCoupling::coupled && goes_in_turn(network.graph()))
    return gram_in_turn(network, images);
  if (network.precision() == at::kDouble) return ntk::gram<double>(network, images, coupling);
  if (network.precision() == at::kFloat) return ntk::gram<float>(network, images, coupling);
  throw Error{"the neural tangent kernel needs a network in float or double"};
}

std::int64_t ntk_bytes(const Graph& graph, std::int64_t samples, int scalar_bytes) {
  constexpr int kPixelBytes = 8;  // what a ReLU lets through is kept as a list
  constexpr int kLaneBytes = 64;  // a cotangent's element, one lane for each of a block
  if (goes_in_turn(graph)) return bytes_in_turn(graph, samples, scalar_bytes);
  ntk::Terms terms = ntk::terms_of(graph);
  std::int64_t forward = 0, weights = 0, most_weights = 0;
  std::int64_t largest = graph.node(graph.output()).shape.elements();
  std::int64_t open = 1, most_open = 1;  // the output's; then as the backward pass goes
  for (NodeId id = graph.output(); id >= 0; --id) {
    const std::int64_t elements = graph.node(id).shape.elements();
    weights += params(graph, graph.node(id));
    most_weights = std::max(most_weights, params(graph, graph.node(id)));
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
  return samples * (forward + weights * scalar_bytes + most_weights * kDoubleBytes +
                    most_open * largest * kLaneBytes);
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
