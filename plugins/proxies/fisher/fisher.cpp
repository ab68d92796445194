// Fisher information of channels: Theis et al. (2018, arXiv 1801.05787) and Turner et al. (ICLR
// 2020, BlockSwap, arXiv 1906.04113), summed over the network as Abdelfattah et al. (ICLR 2021,
// arXiv 2101.08134) do to score architectures.
//
//     D_c = 1/2 mean_n ( sum_hw a_nc * dL/da_nc )^2,   a: the output of a convolution or classifier
//     S   = sum over channels of D_c * (number of the channel's weights)
//
// L is the mean cross-entropy of one batch. More is better. The number of weights is an accident of
// the published code, which hands a channel's value to each of its weights and then adds them up;
// `per_channel: true` leaves it out. Cost: one forward and one backward pass, shared with every
// other proxy of the same pass.
//
// Trap: the gradient of a mean goes with 1 / N, so S falls with the square of the batch.

#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;
  bool per_channel = false;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"batches"});
    param(&Params::per_channel, "per_channel",
          "count a channel once, not as often as it has weights");
  }
};

class Fisher final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.output_gradients = true}; }

  double score(thimble::Observation& seen) const override {
    const auto& gradients = seen.output_gradients().outputs;
    double sum = 0;
    for (const thimble::NodeId id : thimble::weighted_nodes(seen.graph())) {
      const auto place = static_cast<std::size_t>(id);
      if (!gradients[place].defined()) continue;  // it does not reach the output
      auto signal = seen.forward().output(id) * gradients[place];
      if (signal.dim() == 4) signal = signal.sum({2, 3});
      const auto times = params().per_channel ? 1 : seen.network().parameters(id).weight[0].numel();
      sum += 0.5 * static_cast<double>(times) *
             signal.square().mean(0).sum(at::kDouble).item<double>();
    }
    return sum;
  }
};

}  // namespace

THIMBLE_PLUGIN("fisher", "1.0.0") {
  plugin.provides<Fisher>("Fisher information of the channels (Fisher pruning, BlockSwap)");
}
