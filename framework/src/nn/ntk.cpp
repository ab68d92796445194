#include <thimble/nn/ntk.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>

#include "ntk_engine.hpp"

namespace thimble {
namespace {

/// The weights that count, as leaves of a tape; the network given keeps its own.
std::vector<torch::Tensor> make_leaves(Network& copy) {
  std::vector<torch::Tensor> leaves;
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

const std::vector<std::pair<std::string, Coupling>>& names_of(Coupling) {
  static const std::vector<std::pair<std::string, Coupling>> names{{"coupled", Coupling::coupled},
                                                                   {"frozen", Coupling::frozen}};
  return names;
}

torch::Tensor ntk_gram(const Network& network, const torch::Tensor& images, Coupling coupling) {
  const at::NoGradGuard no_grad;
  if (network.precision() == at::kDouble) return ntk::gram<double>(network, images, coupling);
  if (network.precision() == at::kFloat) return ntk::gram<float>(network, images, coupling);
  throw Error{"the neural tangent kernel needs a network in float or double"};
}

torch::Tensor ntk_gram_by_rows(const Network& network, const torch::Tensor& images) {
  const at::AutoGradMode with_grad{true};
  Network copy = network;
  const std::vector<torch::Tensor> leaves = make_leaves(copy);
  const std::int64_t samples = images.size(0);
  const torch::Tensor logits = copy.forward(images.detach());
  if (leaves.empty() || !logits.requires_grad()) return at::zeros({samples, samples}, at::kDouble);

  std::vector<torch::Tensor> rows;
  for (std::int64_t sample = 0; sample < samples; ++sample) {
    const auto gradients =
        torch::autograd::grad({logits[sample].sum()}, leaves, {}, /*retain_graph=*/true,
                              /*create_graph=*/false, /*allow_unused=*/true);
    std::vector<torch::Tensor> row;
    for (const torch::Tensor& gradient : gradients)
      if (gradient.defined()) row.push_back(gradient.flatten().to(at::kDouble));
    rows.push_back(at::cat(row));
  }
  const torch::Tensor jacobian = at::stack(rows);
  return jacobian.mm(jacobian.t()).detach();
}

double condition_number(const torch::Tensor& gram) {
  constexpr double kLargest = 1e12;
  if (!at::isfinite(gram).all().item<bool>()) return std::numeric_limits<double>::quiet_NaN();
  const torch::Tensor values = at::linalg_eigvalsh(gram.to(at::kDouble));  // ascending
  const double largest = values[-1].item<double>();
  if (largest <= 0.0) return kLargest;
  return largest / std::max(values[0].item<double>(), largest / kLargest);
}

}  // namespace thimble
