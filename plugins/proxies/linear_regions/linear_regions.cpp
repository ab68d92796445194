// The number of linear regions that a batch of samples meets at initialisation: TE-NAS (Chen, Gong
// and Wang, ICLR 2021, arXiv 2102.11535), and MicroNAS (arXiv 2401.08996).
//
//     R = |{ (sign of every ReLU's output)(x) : x in samples }|
//
// More is better: more regions can express more. Forward only. As published: a network of one
// channel, 3x3 pixels, one cell and no stem, 3 batches of 1,000 training images, each cropped at
// random to 3x3 pixels of one random channel.
//
// Traps: on a network of ordinary width every sample has a pattern of its own and the count is the
// number of samples, so the tiny network is part of the measure; even there strong supernets come
// close to it. The published code counts ReLUs that do not reach the output too (dead_ends) and
// runs PyTorch's default initialisation, once, for all repeats; `profile: tenas` does both.

#include <thimble/nn/patterns.hpp>
#include <thimble/proxy.hpp>

namespace {

struct Params {
  thimble::Pass pass;

  Params() {
    pass.net = thimble::Value::scalar("tiny");
    pass.init = thimble::Init::kaiming_normal_fan_in;
    pass.batch = 1000;
    pass.batches = 3;
    pass.repeats = 3;
    pass.fit = thimble::Fit::crop;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass);
  }
};

class LinearRegions final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }

  double score(thimble::Observation& seen) const override {
    std::vector<at::Tensor> batches;
    for (const thimble::Samples& samples : seen.batches()) batches.push_back(samples.images);
    return static_cast<double>(thimble::count_linear_regions(seen.network(), batches));
  }
};

}  // namespace

THIMBLE_PLUGIN("linear_regions", "1.0.0") {
  plugin
      .provides<LinearRegions>(
          "different ReLU patterns among a batch of samples (TE-NAS, MicroNAS)")
      .profile("tenas", "{init: torch_default, fresh_weights: false, dead_ends: true}");
}
