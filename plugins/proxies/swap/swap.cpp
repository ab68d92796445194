// SWAP, sample-wise activation patterns: Peng et al. (ICLR 2024, arXiv 2403.04161).
//
//     S = |{ (ReLU output > 0 for each sample of the batch)(v) : v in neurons }|
//
// A neuron is one element of one ReLU's output, its pattern one bit a sample: S counts the
// different columns of a matrix of samples x neurons, where linear_regions counts different rows,
// and is bounded by 2^batch and the number of neurons instead of the batch. Weights ~ N(0, 1). More
// is better. Forward only; the value is the mean over the repeats.
//
// Regularised, S is multiplied by exp(-(P - mu)^2 / sigma), where P is the network's parameters in
// thousands: this prefers networks of about `mu`, the sharper the less `sigma`, in millions.
//
// Traps: a small batch saturates at 2^batch; widths and resolutions raise S as they raise the
// number of neurons. Where sigma is small the factor is 0 for all but a few networks.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/proxy.hpp>

namespace {

using Patterns = std::vector<std::uint64_t>;

void keep_different(Patterns& patterns) {
  std::ranges::sort(patterns);
  const auto repeated = std::ranges::unique(patterns);
  patterns.erase(repeated.begin(), repeated.end());
}

/// The patterns of a ReLU's neurons, N x ...; up to 64 samples as they are, and more hashed.
Patterns different_patterns(const at::Tensor& output) {
  const at::Tensor is_active = (output > 0).contiguous(output.suggest_memory_format());
  const bool* bit = is_active.data_ptr<bool>();
  const std::int64_t samples = is_active.size(0);
  Patterns patterns(static_cast<std::size_t>(is_active.numel() / samples));
  for (std::int64_t i = 0; i < samples; ++i) {
    if (i > 0 && i % 64 == 0)
      for (std::uint64_t& pattern : patterns) pattern = thimble::Random{pattern}();
    for (std::uint64_t& pattern : patterns) pattern ^= std::uint64_t{*bit++} << (i % 64);
  }
  keep_different(patterns);
  return patterns;
}

struct Params {
  thimble::Pass pass;
  double mu = 0;
  double sigma = 0;

  Params() {
    pass.init = thimble::Init::standard_normal;
    pass.batch = 16;
    pass.repeats = 8;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass, {"init"});
    param(&Params::mu, "mu", "parameters to prefer, in thousands, where 'sigma' is not 0")
        .at_least(0);
    param(&Params::sigma, "sigma", "width of the preference for 'mu'; 0: not regularised")
        .at_least(0);
  }
};

class Swap final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.outputs = true}; }

  double score(thimble::Observation& seen) const override {
    const auto relus = thimble::relu_nodes(seen.graph());
    if (relus.empty()) throw thimble::Error{"the network has no ReLU"};
    Patterns all;
    for (const thimble::NodeId id : relus) {
      if (seen.network().twin(id) != id) continue;
      const Patterns found = different_patterns(seen.forward().output(id));
      all.insert(all.end(), found.begin(), found.end());
    }
    keep_different(all);
    return static_cast<double>(all.size()) * preference(seen.graph());
  }

 private:
  double preference(const thimble::Graph& graph) const {
    if (params().sigma == 0) return 1;
    const double distance = static_cast<double>(thimble::params(graph)) / 1e3 - params().mu;
    return std::exp(-distance * distance / params().sigma);
  }
};

}  // namespace

THIMBLE_PLUGIN("swap", "1.0.0") {
  plugin.provides<Swap>("different patterns of neurons over a batch (SWAP)");
}
