// The norm of the loss's gradient, as Abdelfattah et al. (ICLR 2021, arXiv 2101.08134) take it:
//
//     S = sum over convolutions and classifier of ||dL/dW||_2
//
// L is the mean cross-entropy of one batch. More is better. `norm: whole` is ZenNAS's baseline (Lin
// et al., ICCV 2021, arXiv 2102.01063): one norm over all parameters, batch norm's and biases too.
// Cost: one forward and one backward pass, shared with every other proxy of the same pass.
//
// Traps: the sum over layers grows with depth, the whole norm does not. As with SNIP, cells with
// exploding gradients score highest.

#include <cmath>

#include <thimble/proxy.hpp>

namespace {

enum class Norm { per_layer, whole };

const std::vector<std::pair<std::string, Norm>>& names_of(Norm) {
  static const std::vector<std::pair<std::string, Norm>> kNames{{"per_layer", Norm::per_layer},
                                                                {"whole", Norm::whole}};
  return kNames;
}

struct Params {
  thimble::Pass pass;
  Norm norm = Norm::per_layer;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"batches"});
    param(&Params::norm, "norm",
          "per_layer: one norm a convolution or classifier, added up; whole: one over all "
          "parameters");
  }
};

class GradNorm final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.loss_gradients = true}; }

  double score(thimble::Observation& seen) const override {
    if (params().norm == Norm::per_layer)
      return thimble::sum_over_weights(
          seen, [](const auto&, const auto& gradient) { return gradient.norm(); });
    double squares = 0;
    for (const auto& [weight, bias] : seen.loss_gradients().parameters)
      for (const at::Tensor& gradient : {weight, bias})
        if (gradient.defined()) squares += std::pow(gradient.norm().item<double>(), 2);
    return std::sqrt(squares);
  }
};

}  // namespace

THIMBLE_PLUGIN("grad_norm", "1.0.0") {
  plugin.provides<GradNorm>("norm of the loss's gradient, summed over layers")
      .profile("zennas",
               "{norm: whole, init: standard_normal, input: normal, batch: 16, repeats: 32}");
}
