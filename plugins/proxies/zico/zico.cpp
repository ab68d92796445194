// ZiCo, the inverse coefficient of variation of gradients: Li et al. (ICLR 2023, arXiv 2301.11300).
//
//     s_l = sum over weights with std > 0 of  mean_j |g_j| / std_j g_j,   g_j = dL_j/dtheta
//     S   = sum over layers with s_l > 0 of log s_l
//
// over the batches j of a pass, two as published, under the same weights; std divides by their
// number (ddof 0). Layers are convolutions and the classifier. More is better. Cost: a forward and
// a backward pass a batch; the first one is shared with every other proxy of the same pass.
//
// Trap: S sums logarithms over layers, so depth and width raise it whatever the gradients do.

#include <cmath>

#include <thimble/core/error.hpp>
#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;

  Params() { pass.batches = 2; }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass);
  }
};

class Zico final : public thimble::ProxyWith<Params> {
 public:
  explicit Zico(Params given) : ProxyWith{std::move(given)} {
    if (params().pass.batches < 2)
      throw thimble::Error{"one batch has no variation", "set 'batches' to 2 or more"};
  }

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.loss_gradients = true}; }

  double score(thimble::Observation& seen) const override {
    double sum = 0;
    bool has_layer = false;
    for (const thimble::NodeId id : thimble::weighted_nodes(seen.graph())) {
      if (!seen.loss_gradients().parameters[static_cast<std::size_t>(id)].weight.defined())
        continue;  // it does not reach the output
      const double layer = coefficient(seen, id);
      if (layer <= 0) continue;
      sum += std::log(layer);  // what is not a number must show
      has_layer = true;
    }
    if (!has_layer) throw thimble::Error{"no gradient varies between the batches"};
    return sum;
  }

 private:
  /// Two passes over the batches' gradients, as small differences deserve.
  double coefficient(thimble::Observation& seen, thimble::NodeId id) const {
    const auto count = static_cast<std::size_t>(params().pass.batches);
    const auto gradient = [&](std::size_t batch) {
      return seen.loss_gradients(batch).parameters[static_cast<std::size_t>(id)].weight;
    };
    auto mean = gradient(0).clone();
    auto size = gradient(0).abs();
    for (std::size_t j = 1; j < count; ++j) {
      mean += gradient(j);
      size += gradient(j).abs();
    }
    mean /= static_cast<double>(count);
    auto squares = at::zeros_like(mean);
    for (std::size_t j = 0; j < count; ++j) squares += (gradient(j) - mean).square();
    const auto deviation = (squares / static_cast<double>(count)).sqrt();
    const auto ratios = size / static_cast<double>(count) / deviation;
    // Not `> 0`: what is not a number must stay so.
    return at::where(deviation == 0, at::zeros_like(ratios), ratios)
        .sum(at::kDouble)
        .item<double>();
  }
};

}  // namespace

THIMBLE_PLUGIN("zico", "1.0.0") {
  plugin.provides<Zico>("mean over deviation of gradients between batches (ZiCo)");
}
