// jacov (jacob_cov), how differently samples move the logits: Mellor et al. (arXiv 2006.04647,
// first version), as Abdelfattah et al. (ICLR 2021, arXiv 2101.08134) run it.
//
//     J_b = d(sum_k f_k) / d x_b,   v = eigenvalues of the correlation between the rows J_b
//     S   = -sum_i ( log(v_i + 1e-5) + 1 / (v_i + 1e-5) )
//
// of one batch of B samples. More is better; -B is the most, where no two samples are correlated.
// Cost: one forward pass and one backward pass to the input, shared with epe_nas and every other
// proxy of the same pass; no labels.
//
// Traps: each eigenvalue near 0 costs 1e5, so networks with dependent samples are ranked by their
// number alone. A sample that the logits do not depend on has no correlation: no score. Batch norm
// couples the samples: J_b is through the batch's statistics too.

#include <thimble/nn/correlation.hpp>
#include <thimble/proxy.hpp>

namespace {

class Jacov final : public thimble::ProxyWith<thimble::PassParams> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.input_gradients = true}; }

  double score(thimble::Observation& seen) const override {
    const auto correlation = thimble::correlation_of_input_gradients(seen);
    const auto shifted = at::linalg_eigvalsh(correlation) + 1e-5;
    return -(shifted.log() + shifted.reciprocal()).sum().item<double>();
  }
};

}  // namespace

THIMBLE_PLUGIN("jacov", "1.0.0") {
  plugin.provides<Jacov>("correlation between the samples' gradients of the logits (jacob_cov)");
}
