// Zen-score, how far a small step of the input moves the features: Lin et al. (ICCV 2021, arXiv
// 2102.01063).
//
//     x ~ N(0, 1),  x' = x + 0.01 n,  n ~ N(0, 1),  weights ~ N(0, 1)
//     S = log mean_b ||phi(x_b) - phi(x'_b)||_1 + sum over batch norms of log sqrt(mean_c var_c)
//
// phi are the features before pooling and classifier; var_c is the variance that batch norm takes
// out of channel c, and adding its logarithm puts the scale back. More is better. Forward only, two
// passes, of which the first is shared with every other proxy of the same pass. No data.
//
// The published code reads batch norm's running variance after both passes of the first repeat,
// where 0.81 is left of its initial 1: `compat: true`. It lets the variance run on over further
// repeats; ours starts anew.
//
// Traps: made for plain networks. Skips let the variance grow from cell to cell, which is most of S
// on NAS-Bench-201 and says little of accuracy. S grows with the number of batch norms.

#include <cmath>

#include <thimble/core/error.hpp>
#include <thimble/proxy.hpp>

namespace {

using thimble::Forward;
using thimble::NodeId;
using thimble::Op;

struct Params {
  thimble::Pass pass;
  bool compat = false;

  Params() {
    pass.init = thimble::Init::standard_normal;
    pass.input = thimble::InputKind::normal;
    pass.batch = 16;
    pass.repeats = 4;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"init", "input", "augment", "fit", "batch_norm"});
    param(&Params::compat, "compat",
          "batch norm's running variance, as the published code leaves it after one repeat");
  }
};

class Zen final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.outputs = true}; }

  double score(thimble::Observation& seen) const override {
    const Forward& forward = seen.forward();
    const Forward moved = propagate_forward(seen.network(), moved_images(seen));
    const NodeId features = features_of(seen.graph());
    const auto step = (forward.output(features) - moved.output(features)).abs();
    const auto samples = static_cast<double>(seen.images().size(0));
    double score = std::log(step.sum(at::kDouble).item<double>() / samples);
    for (NodeId id = 0; id < seen.graph().size(); ++id) {
      if (seen.graph().node(id).op != Op::batch_norm) continue;
      double variance = mean_variance(forward, id);
      if (params().compat) {
        const double values = samples * static_cast<double>(seen.graph().node(id).shape.pixels());
        const double unbiased = values / (values - 1);
        variance = 0.81 + unbiased * (0.09 * variance + 0.1 * mean_variance(moved, id));
      }
      constexpr double kRounding = 1e-11;  // of what is left of 1e-5 in float
      if (variance <= kRounding) throw thimble::Error{"a batch norm's input is constant"};
      score += 0.5 * std::log(variance);
    }
    return score;
  }

 private:
  static at::Tensor moved_images(thimble::Observation& seen) {
    thimble::Random random = seen.random("zen");
    const at::Tensor noise = at::empty(seen.images().sizes(), at::kFloat);
    random.fill_normal({noise.data_ptr<float>(), static_cast<std::size_t>(noise.numel())}, 1);
    return seen.images() + 0.01 * noise.to(seen.images().scalar_type());
  }

  /// What stands before the classifier and its pooling.
  static NodeId features_of(const thimble::Graph& graph) {
    NodeId id = graph.output();
    while (graph.node(id).op == Op::linear || graph.node(id).op == Op::global_avg_pool)
      id = graph.inputs(id)[0];
    return id;
  }

  /// Of a batch norm's input, the mean over its channels.
  static double mean_variance(const Forward& forward, NodeId id) {
    const auto inverse = forward.inverse_deviations[static_cast<std::size_t>(id)].to(at::kDouble);
    return (inverse.square().reciprocal() - 1e-5).mean().item<double>();
  }
};

}  // namespace

THIMBLE_PLUGIN("zen", "1.0.0") {
  plugin.provides<Zen>("how far a small step of the input moves the features (Zen-score)");
}
