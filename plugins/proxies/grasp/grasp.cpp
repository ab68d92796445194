// GraSP, gradient signal preservation: Wang, Zhang and Grosse (ICLR 2020, arXiv 2002.07376), summed
// over the network as Abdelfattah et al. (ICLR 2021, arXiv 2101.08134) do to score architectures.
//
//     S = sum over weights of convolutions and classifier of -theta * (H g)
//     g = dL/dtheta,   H g = d <stop(g), g> / dtheta
//
// L is the mean cross-entropy of the logits / T of one batch. More is better (the published code
// has this sign after it had the other). Cost: a forward, a backward and a double backward pass on
// LibTorch's tape, shared with no other proxy.
//
// Traps: the tape keeps every operator of the backward pass, several times the memory of one
// gradient. Batch norm couples the samples, so the batch cannot be split without another score.

#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>
#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;
  double temperature = 1;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"batches"});
    param(&Params::temperature, "temperature", "T: logits are divided by it").range(1e-3, 1e6);
  }
};

class Grasp final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.tape = true, .classes = true}; }

  double score(thimble::Observation& seen) const override {
    const at::AutoGradMode with_grad{true};
    thimble::Network copy = seen.network().clone();
    std::vector<at::Tensor> weights;
    for (const thimble::NodeId id : thimble::weighted_nodes(copy.graph())) {
      at::Tensor& weight = copy.parameters(id).weight;
      weights.push_back(weight = weight.detach().requires_grad_());
    }
    const auto logits = copy.forward(seen.images()) / params().temperature;
    const auto loss = at::cross_entropy_loss(logits, seen.labels());
    if (!loss.requires_grad()) throw thimble::Error{"no weight reaches the output"};

    const auto gradients = torch::autograd::grad({loss}, weights, {}, /*retain_graph=*/true,
                                                 /*create_graph=*/true, /*allow_unused=*/true);
    at::Tensor product = at::zeros({}, loss.options());
    for (const at::Tensor& gradient : gradients)
      if (gradient.defined()) product = product + (gradient.detach() * gradient).sum();
    if (product.item<double>() == 0) throw thimble::Error{"the loss does not depend on any weight"};
    const auto curved = torch::autograd::grad({product}, weights, {}, /*retain_graph=*/false,
                                              /*create_graph=*/false, /*allow_unused=*/true);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i)
      if (curved[i].defined())
        sum -= (weights[i].detach() * curved[i]).sum(at::kDouble).item<double>();
    return sum;
  }
};

}  // namespace

THIMBLE_PLUGIN("grasp", "1.0.0") {
  plugin.provides<Grasp>("what is left of the gradient's flow: sum of -weight x Hg (GraSP)");
}
