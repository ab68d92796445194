// Proxies of the outputs of nodes.

#include <support/plain_maths.hpp>
#include <thimble/core/error.hpp>

namespace thimble::meco_zen_test {
namespace {

using testing::centred;
using testing::channels_of;
using testing::correlation_of;
using testing::dot;
using testing::eigenvalues;
using testing::expect_naive;
using testing::make;
using testing::Matrix;
using testing::normal_images;
using testing::outputs_of;
using testing::pairwise;
using testing::plugins;
using testing::relu_network;
using testing::Row;
using testing::rows_of;
using testing::Scene;
using testing::score;

/// Of the first sample, over the nodes behind the input.
double naive_meco(const Scene& scene) {
  const auto outputs = outputs_of(scene);
  double sum = 0;
  for (std::size_t id = 1; id < outputs.size(); ++id)
    if (outputs[id].dim() == 4 && outputs[id].size(2) > 1)
      sum += eigenvalues(pairwise(rows_of(outputs[id][0]), correlation_of)).front();
  return sum;
}

TEST(Meco, SumsLeastEigenvalues) { expect_naive("meco", "", naive_meco); }

TEST(Meco, DrawsNoMoreChannelsThanThereAre) {
  // The small networks have 8 channels and fewer.
  expect_naive("meco", "channels: 8", naive_meco);
}

TEST(Meco, ScalesWhatItDraws) {
  PluginLoader loader = plugins();
  const auto two = make<Proxy>(loader, "meco", "{channels: 2}");
  // Four channels of which any two have a correlation of 1, or of -1: singular, whichever is drawn.
  at::Tensor images = at::tensor(Row{1, 2, 4, 2, 4, 8, 4, 2, 1, 3, 6, 12}).reshape({1, 4, 1, 3});
  EXPECT_NEAR(score(*two, relu_network(3, 4), images.index_select(1, at::tensor({0, 1, 3, 0}))), 0,
              1e-12);
  // Any two are uncorrelated: 4 / 2 times a least eigenvalue of 1.
  images = at::tensor(Row{1, 1, 0, 0, 0, 0, 0, 0,  // one row a channel
                          1, 0, 1, 0, 0, 0, 0, 0,  //
                          1, 0, 0, 1, 0, 0, 0, 0,  //
                          0, 1, 1, 1, 0, 0, 0, 0})
               .reshape({1, 4, 1, 8});
  const auto all = make<Proxy>(loader, "meco");
  EXPECT_GT(score(*two, relu_network(8, 4), images), score(*all, relu_network(8, 4), images));
}

TEST(Meco, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto meco = make<Proxy>(loader, "meco");
  // Two channels with a correlation of 0.8.
  const auto images = at::tensor(Row{1, 2, 3, 4, 1, 3, 2, 4}).reshape({1, 2, 1, 4});
  EXPECT_NEAR(score(*meco, relu_network(4, 2), images), 0.2, 1e-12);
  const auto order = at::tensor({2, 0, 3, 1});
  EXPECT_NEAR(score(*meco, relu_network(4, 2), images.index_select(3, order)), 0.2, 1e-12);
  const auto scales = at::tensor(Row{3, 0.5}).reshape({1, 2, 1, 1});
  EXPECT_NEAR(score(*meco, relu_network(4, 2), images * scales), 0.2, 1e-12);
}

TEST(Meco, IsZeroWhereAChannelDoesNotVary) {
  PluginLoader loader = plugins();
  const auto meco = make<Proxy>(loader, "meco");
  EXPECT_THROW(score(*meco, relu_network(1, 2), at::ones({1, 2, 1, 1})), Error) << "one pixel";
  const auto constant = at::tensor(Row{1, 2, 3, 5, 5, 5}).reshape({1, 2, 1, 3});
  EXPECT_NEAR(score(*meco, relu_network(3, 2), constant), 0, 1e-12) << "a constant channel";
}

TEST(Meco, CountsTheEndsOfContainersAgain) {
  Graph g;
  NodeId x = g.input({2, 1, 4});
  {
    const Graph::Scope stem{g, "stem"};
    x = g.relu(x);
  }
  g.linear(x, 2);
  PluginLoader loader = plugins();
  const auto meco = make<Proxy>(loader, "meco", "{containers: true}");
  const auto images = at::tensor(Row{1, 2, 3, 4, 1, 3, 2, 4}).reshape({1, 2, 1, 4});
  EXPECT_NEAR(score(*meco, g, images), 0.4, 1e-12);
}

/// The images beside those of a scene; `seen` is any observation of it.
at::Tensor moved_images(const Scene& scene) {
  const at::Tensor& images = scene.batches()[0].images;
  Random random = Observation{scene.network(), scene.batches()}.random("zen");
  at::Tensor noise = at::empty(images.sizes(), images.options());
  for (std::int64_t i = 0; i < noise.numel(); ++i)
    noise.view({-1})[i] = static_cast<float>(random.normal());
  return images + 0.01 * noise;
}

double naive_zen(const Scene& scene, bool compat) {
  const auto before = outputs_of(scene);
  const auto after = outputs_of(scene.network(), moved_images(scene));
  const std::size_t features = before.size() - 3;  // then pooling and a classifier
  const Matrix a = rows_of(before[features]);
  const Matrix b = rows_of(after[features]);
  double length = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k) length += std::abs(a[i][k] - b[i][k]);
  double score = std::log(length / static_cast<double>(a.size()));
  const auto mean_variance = [&](const at::Tensor& x, bool unbiased) {
    double sum = 0;
    const Matrix channels = channels_of(x);
    for (const Row& channel : channels) {
      const Row values = centred(channel);
      sum += dot(values, values) / static_cast<double>(values.size() - (unbiased ? 1 : 0));
    }
    return sum / static_cast<double>(channels.size());
  };
  for (NodeId id = 0; id < scene.graph().size(); ++id) {
    if (scene.graph().node(id).op != Op::batch_norm) continue;
    const auto input = static_cast<std::size_t>(scene.graph().inputs(id)[0]);
    if (!compat) {
      score += std::log(std::sqrt(mean_variance(before[input], false)));
      continue;
    }
    double running = 1;  // with a momentum of 0.1
    running = 0.9 * running + 0.1 * mean_variance(before[input], true);
    running = 0.9 * running + 0.1 * mean_variance(after[input], true);
    score += std::log(std::sqrt(running));
  }
  return score;
}

TEST(Zen, MeasuresAStepAndPutsTheScaleBack) {
  expect_naive("zen", "", [](const Scene& scene) { return naive_zen(scene, false); });
}

TEST(Zen, TakesTheRunningVarianceWhenAsked) {
  expect_naive("zen", "compat: true", [](const Scene& scene) { return naive_zen(scene, true); });
}

TEST(Zen, GrowsWithTheLogarithmOfTheWeights) {
  PluginLoader loader = plugins();
  const auto zen = make<Proxy>(loader, "zen");
  const Graph g = conformance::plain_network(3);  // three batch norms take the scale out
  const auto images = normal_images(8);
  EXPECT_NEAR(score(*zen, g, images, {}, 10), score(*zen, g, images) + 3 * std::log(10), 1e-5);
}

}  // namespace
}  // namespace thimble::meco_zen_test
