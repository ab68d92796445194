// The signed product of weights and gradients: the control ("plain") of Abdelfattah et al. (ICLR
// 2021, arXiv 2101.08134), SNIP without its absolute value.
//
//     S = sum over weights of convolutions and classifier of theta * dL/dtheta
//
// L is the mean cross-entropy of one batch. More is better by name; published values correlate
// negatively with accuracy. Cost: one forward and one backward pass, shared with every other proxy
// of the same pass.
//
// Trap: batch norm makes the loss indifferent to the scale of the weights in front of it, so their
// terms add up to zero: on most networks S is the classifier's share alone, and noise.

#include <thimble/proxy.hpp>

namespace {

class Plain final : public thimble::ProxyWith<thimble::OneBatchParams> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.loss_gradients = true}; }

  double score(thimble::Observation& seen) const override {
    return thimble::sum_over_weights(
        seen, [](const auto& weight, const auto& gradient) { return weight * gradient; });
  }
};

}  // namespace

THIMBLE_PLUGIN("plain", "1.0.0") {
  plugin.provides<Plain>("sum of weight x gradient, signed: a control");
}
