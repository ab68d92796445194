// The condition number of the neural tangent kernel at initialisation: TE-NAS (Chen, Gong and
// Wang, ICLR 2021, arXiv 2102.11535), and MicroNAS (arXiv 2401.08996).
//
//     g_b = d(sum_k f_k(x_b)) / d theta,   Theta = G G^T,   kappa = lambda_max / lambda_min
//
// Less is better: a large kappa means that gradient descent learns some samples far slower than
// others. theta are the weights of convolutions, classifier and batch norm's scales. Cost: one
// forward and B backward passes a repeat, done at once (thimble/nn/ntk/ntk.hpp).
//
// Traps: TE-NAS's launcher asks for Kaiming initialisation by a name its helper does not know, so
// the published code runs PyTorch's default initialisation, once, for all repeats; `profile: tenas`
// does that. The mean of kappa over repeats is dominated by its largest; ours is geometric.

#include <algorithm>
#include <cmath>

#include <thimble/core/error.hpp>
#include <thimble/nn/ntk/ntk.hpp>
#include <thimble/proxy.hpp>

namespace {

enum class Mean { geometric, arithmetic };

const std::vector<std::pair<std::string, Mean>>& names_of(Mean) {
  static const std::vector<std::pair<std::string, Mean>> kNames{{"geometric", Mean::geometric},
                                                                {"arithmetic", Mean::arithmetic}};
  return kNames;
}

struct Params {
  thimble::Pass pass;
  thimble::SampleCoupling coupling = thimble::SampleCoupling::coupled;
  Mean mean = Mean::geometric;

  Params() {
    pass.net = thimble::Value::scalar("narrow");
    pass.init = thimble::Init::kaiming_normal_fan_out;
    pass.batch = 32;
    pass.repeats = 3;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"batches"});  // the kernel is that of one
    param(&Params::coupling, "coupling",
          "how batch norm takes part: through the batch as published, or frozen, which is cheaper "
          "and another measure");
    param(&Params::mean, "mean", "how the repeats become one value");
  }
};

class Ntk final : public thimble::ProxyWith<Params> {
 public:
  explicit Ntk(Params given) : ProxyWith{std::move(given)} {
    if (params().pass.batch < 2)
      throw thimble::Error{"one sample has no condition number", "set 'batch' to 2 or more"};
  }

  thimble::Direction direction() const override { return thimble::Direction::minimize; }
  thimble::Reads reads() const override { return {.kernel = true}; }

  double score(thimble::Observation& seen) const override {
    return thimble::condition_number(
        thimble::ntk_gram(seen.network(), seen.images(), params().coupling));
  }

  double combine(std::span<const double> repeats) const override {
    if (params().mean == Mean::arithmetic) return Proxy::combine(repeats);
    double sum = 0;
    for (const double kappa : repeats) sum += std::log(kappa);
    return std::min(1e12, std::exp(sum / static_cast<double>(repeats.size())));
  }
};

}  // namespace

THIMBLE_PLUGIN("ntk", "1.0.0") {
  plugin.provides<Ntk>("condition number of the neural tangent kernel (TE-NAS, MicroNAS)")
      .profile("tenas", "{init: torch_default, fresh_weights: false, batch: 72, mean: arithmetic}");
}
