// Proxies made of gradients and weights, against LibTorch's tape.

#include <support/scene.hpp>

namespace thimble {
namespace {

using testing::expect_naive;
using testing::Scene;
using testing::Taped;

TEST(Snip, SumsWeightTimesGradient) {
  expect_naive("snip", "", [](const Scene& scene) {
    const Taped taped{scene.network()};
    const auto gradients = taped.loss_gradients(scene.batches()[0]);
    double sum = 0;
    for (std::size_t i = 0; i < gradients.size(); ++i)
      sum += (taped.leaves[i] * gradients[i]).abs().sum(at::kDouble).item<double>();
    return sum;
  });
}

}  // namespace
}  // namespace thimble
