// The norm of the weights, a baseline of Abdelfattah et al. (ICLR 2021, arXiv 2101.08134):
//
//     S = sum over convolutions and classifier of ||W||_2
//
// More is better. Cost: none but that of drawing the weights; nothing is run.
//
// Trap: it measures the initialisation and the layers' sizes and nothing else. Under torch_default
// a layer's norm is close to sqrt(output channels / 3), whatever its kernel and input.

#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;

  Params() {
    pass.input = thimble::InputKind::ones;  // nothing is drawn for what looks at none
    pass.batch = 1;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"input", "batch", "batches", "augment", "fit", "batch_norm",
                                  "double_precision"});
  }
};

class L2Norm final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }

  double score(thimble::Observation& seen) const override {
    double sum = 0;
    for (const thimble::NodeId id : thimble::weighted_nodes(seen.graph()))
      sum += seen.network().parameters(id).weight.norm().item<double>();
    return sum;
  }
};

}  // namespace

THIMBLE_PLUGIN("l2_norm", "1.0.0") {
  plugin.provides<L2Norm>("norm of the weights, summed over layers: a baseline");
}
