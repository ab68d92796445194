// NASWOT, the kernel of ReLU patterns: Mellor, Turner, Storkey and Crowley (ICML 2021, arXiv
// 2006.04647).
//
//     K_ij = number of ReLU outputs that are both on or both off for samples i and j
//     S    = log |det K|
//
// More is better: samples that the network tells apart. Forward only. The published code counts
// only ReLUs that a backward signal reaches, and so do we; `dead_ends: true` counts the others too.
//
// Traps: two samples of one pattern make K singular, as do fewer ReLU outputs than samples: no
// score. S is about batch x log(number of ReLU outputs): between networks of different width it is
// first of all a measure of size.

#include <limits>

#include <thimble/core/error.hpp>
#include <thimble/nn/patterns.hpp>
#include <thimble/proxy.hpp>

namespace {

class Naswot final : public thimble::ProxyWith<thimble::PassParams> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.outputs = true}; }

  double score(thimble::Observation& seen) const override {
    std::int64_t bits = 0;
    const auto distances = thimble::hamming_distances(seen.network(), seen.forward(), bits);
    if (bits == 0) throw thimble::Error{"the network has no ReLU"};
    const auto kernel = (bits - distances).to(at::kDouble);
    const auto eigenvalues = at::linalg_eigvalsh(kernel);
    const double rounding = std::numeric_limits<double>::epsilon() *
                            static_cast<double>(kernel.size(0)) * eigenvalues.max().item<double>();
    if (eigenvalues.min().item<double>() <= rounding)
      throw thimble::Error{"samples cannot be told apart by their ReLU patterns"};
    return eigenvalues.log().sum().item<double>();
  }
};

}  // namespace

THIMBLE_PLUGIN("naswot", "1.0.0") {
  plugin.provides<Naswot>("log-determinant of the kernel of ReLU patterns (NASWOT)");
}
