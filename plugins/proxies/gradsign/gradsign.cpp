// GradSign, agreement of the samples' gradients: Zhang and Jia (ICLR 2022, arXiv 2110.08616).
//
//     S = sum over weights of convolutions and classifier of | sum_b sign(dL(x_b)/dtheta) |
//
// L(x_b) is the cross-entropy of sample b, sent through the network alone: batch norm takes its
// statistics over the pixels of that image. More is better. Cost: a forward and a backward pass a
// sample, shared with no other proxy.
//
// Traps: S is at most (weights) x (batch) and grows with both: compare at one batch size. A
// gradient that should be zero counts with the sign of its rounding error. Where one image leaves
// batch norm one value a channel, everything before it has no gradient and counts zero; where that
// is all, there is no score.

#include <thimble/core/error.hpp>
#include <thimble/proxy.hpp>

namespace {

class GradSign final : public thimble::ProxyWith<thimble::OneBatchParams> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }

  thimble::Reads reads() const override { return {.classes = true}; }

  double score(thimble::Observation& seen) const override {
    const thimble::Network& network = seen.network();
    const auto nodes = thimble::weighted_nodes(seen.graph());
    std::vector<at::Tensor> votes;
    for (const thimble::NodeId id : nodes)
      votes.push_back(at::zeros_like(network.parameters(id).weight));
    for (std::int64_t sample = 0; sample < seen.images().size(0); ++sample) {
      const auto gradients = loss_gradients(network, seen.images().narrow(0, sample, 1),
                                            seen.labels().narrow(0, sample, 1));
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        const auto& gradient = gradients.parameters[static_cast<std::size_t>(nodes[i])].weight;
        if (gradient.defined()) votes[i] += gradient.sign();
      }
    }
    double sum = 0;
    for (const at::Tensor& vote : votes) sum += vote.abs().sum(at::kDouble).item<double>();
    if (sum == 0) throw thimble::Error{"no weight has a gradient that samples agree on"};
    return sum;
  }

 private:
  static thimble::Gradients loss_gradients(const thimble::Network& network,
                                           const at::Tensor& images, const at::Tensor& labels) {
    const auto forward = thimble::propagate_forward(network, images);
    const auto logits = thimble::logits_of(network, forward);
    if (!logits.isfinite().all().item<bool>())
      throw thimble::Error{"the network's outputs overflow"};  // a sign would hide it
    const auto seed = thimble::cross_entropy_gradient(logits, labels);
    return thimble::propagate_backward(network, forward, network.graph().output(), seed, {});
  }
};

}  // namespace

THIMBLE_PLUGIN("gradsign", "1.0.0") {
  plugin.provides<GradSign>("agreement of the samples' gradients in sign (GradSign)");
}
