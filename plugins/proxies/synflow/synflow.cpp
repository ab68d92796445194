// SynFlow, synaptic flow: Tanaka et al. (NeurIPS 2020, arXiv 2006.05467), summed over the network
// as Abdelfattah et al. (ICLR 2021, arXiv 2101.08134) do to score architectures.
//
//     R = sum of the logits for an image of ones, all parameters replaced by their absolute values
//     S = log( sum over weights of convolutions and classifier of |theta * dR/dtheta| )
//
// without batch norm, in double. More is better; no data. The logarithm changes no rank and is what
// NASLib records. `batch_norm: batch` keeps batch norm in (synflow_bn), with the statistics of the
// one image. Cost: one forward and one backward pass of one image.
//
// Traps: the sum is beyond a float for large cells (NASLib's column for NAS-Bench-201 has 1e49). It
// measures capacity: among cells of equal size it hardly ranks.

#include <cmath>

#include <thimble/core/error.hpp>
#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;

  Params() {
    pass.input = thimble::InputKind::ones;
    pass.batch = 1;
    pass.batch_norm = thimble::BatchNorm::off;
    pass.double_precision = true;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass,
                  {"input", "batch", "batches", "augment", "fit", "double_precision"});
  }
};

class Synflow final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }

  double score(thimble::Observation& seen) const override {
    thimble::Network linear = seen.network().clone();
    for (thimble::NodeId id = 0; id < linear.graph().size(); ++id)
      for (at::Tensor* const values : {&linear.parameters(id).weight, &linear.parameters(id).bias})
        if (values->defined()) *values = values->abs();

    const auto forward = thimble::propagate_forward(linear, seen.images());
    const thimble::NodeId output = linear.graph().output();
    const auto ones = at::ones_like(thimble::logits_of(linear, forward));
    const auto flow = thimble::propagate_backward(linear, forward, output, ones, {});
    double sum = 0;
    for (const thimble::NodeId id : thimble::weighted_nodes(linear.graph())) {
      const auto& gradient = flow.parameters[static_cast<std::size_t>(id)].weight;
      if (gradient.defined())
        sum += (linear.parameters(id).weight * gradient).abs().sum().item<double>();
    }
    if (sum == 0) throw thimble::Error{"nothing flows from the input to the output"};
    return std::log(sum);
  }
};

}  // namespace

THIMBLE_PLUGIN("synflow", "1.0.0") {
  plugin.provides<Synflow>("flow through the weights' absolute values, without data (SynFlow)");
}
