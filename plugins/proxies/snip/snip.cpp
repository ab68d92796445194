// SNIP, connection sensitivity: Lee, Ajanthan and Torr (ICLR 2019, arXiv 1810.02340), summed over
// the network as Abdelfattah et al. (ICLR 2021, arXiv 2101.08134) do to score architectures.
//
//     S = sum over weights of convolutions and classifier of |theta * dL/dtheta|
//
// L is the mean cross-entropy of one batch. More is better. Cost: one forward and one backward
// pass, shared with every other proxy of the same pass.
//
// Trap: cells with exploding gradients score highest; on NAS-Bench-201 its best cells are poor.

#include <thimble/proxy.hpp>

namespace {

class Snip final : public thimble::ProxyWith<thimble::OneBatchParams> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.loss_gradients = true}; }

  double score(thimble::Observation& seen) const override {
    return thimble::sum_over_weights(
        seen, [](const auto& weight, const auto& gradient) { return (weight * gradient).abs(); });
  }
};

}  // namespace

THIMBLE_PLUGIN("snip", "1.0.0") {
  plugin.provides<Snip>("connection sensitivity: sum of |weight x gradient| (SNIP)");
}
