// Proxies of gradients by the images.

#include <map>

#include <support/plain_maths.hpp>
#include <thimble/core/error.hpp>

namespace thimble::jacov_epe_nas_test {
namespace {

using testing::correlation_of;
using testing::eigenvalues;
using testing::expect_any_order;
using testing::expect_naive;
using testing::images_of;
using testing::jacobian_of;
using testing::linear_network;
using testing::make;
using testing::Matrix;
using testing::pairwise;
using testing::plugins;
using testing::relu_network;
using testing::Row;
using testing::rows_of;
using testing::Scene;
using testing::score;

TEST(Jacov, SumsOverTheEigenvaluesOfTheCorrelation) {
  expect_naive("jacov", "", [](const Scene& scene) {
    double sum = 0;
    for (const double v : eigenvalues(pairwise(rows_of(jacobian_of(scene)), correlation_of)))
      sum -= std::log(v + 1e-5) + 1 / (v + 1e-5);
    return sum;
  });
}

TEST(Jacov, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto jacov = make<Proxy>(loader, "jacov");
  const double of_two = std::log(2 + 1e-5) + 1 / (2 + 1e-5);  // eigenvalues 2 and 0
  const double of_none = std::log(1e-5) + 1e5;
  EXPECT_NEAR(score(*jacov, linear_network(), at::ones({2, 1, 1, 4})), -of_two - of_none, 1e-3);
}

TEST(Jacov, DoesNotMindTheOrderOfSamples) { expect_any_order("jacov", 1e-6); }

TEST(Jacov, HasNoScoreWhereTheLogitsDoNotDependOnASample) {
  PluginLoader loader = plugins();
  const auto jacov = make<Proxy>(loader, "jacov");
  const auto images = images_of({{1, 2, 3}, {-1, -2, -3}});  // a ReLU lets nothing of one through
  EXPECT_THROW(score(*jacov, relu_network(3), images), Error);
}

Row epe_sums(const Matrix& jacobian, const at::Tensor& labels) {
  std::map<std::int64_t, Matrix> by_label;
  for (std::size_t i = 0; i < jacobian.size(); ++i)
    by_label[labels[static_cast<std::int64_t>(i)].item<std::int64_t>()].push_back(jacobian[i]);
  Row sums;
  for (const auto& [label, rows] : by_label) {
    double sum = 0;
    for (const Row& row : pairwise(rows, correlation_of))
      for (const double r : row) sum += std::log(std::abs(r) + 1e-5);
    sums.push_back(sum);
  }
  return sums;
}

TEST(EpeNas, SumsOverPairsWithinClasses) {
  expect_naive("epe_nas", "", [](const Scene& scene) {
    double score = 0;
    for (const double sum : epe_sums(rows_of(jacobian_of(scene)), scene.batches()[0].labels))
      score += std::abs(sum);
    return score;
  });
}

TEST(EpeNas, CountsEqualGradientsAsNothing) {
  PluginLoader loader = plugins();
  const auto epe = make<Proxy>(loader, "epe_nas");
  const auto images = at::ones({3, 1, 1, 4});
  const auto labels = at::tensor(std::vector<std::int64_t>{0, 0, 1});
  EXPECT_NEAR(score(*epe, linear_network(), images, labels), 4 * std::log(1 + 1e-5), 1e-12);
}

TEST(EpeNas, ComparesClassesWhereThereAreMany) {
  PluginLoader loader = plugins();
  const auto epe = make<Proxy>(loader, "epe_nas");
  const auto compat = make<Proxy>(loader, "epe_nas", "{compat: true}");
  const auto images = at::ones({5, 1, 1, 4});
  const auto labels = at::tensor(std::vector<std::int64_t>{7, 7, 100, 100, 100});
  const double one = std::log(1 + 1e-5);
  // Means over samples of 2 and 3 times this; each of two classes meets the other.
  EXPECT_NEAR(score(*epe, linear_network(101), images, labels), 2 * one / 2, 1e-12);
  EXPECT_NEAR(score(*compat, linear_network(101), images, labels), (4 + 9) * one, 1e-12);
}

TEST(EpeNas, HasNoScoreWithoutPairs) {
  PluginLoader loader = plugins();
  const auto epe = make<Proxy>(loader, "epe_nas");
  const auto labels = at::tensor(std::vector<std::int64_t>{0, 1});
  EXPECT_THROW(score(*epe, linear_network(), at::ones({2, 1, 1, 4}), labels), Error);
}

}  // namespace
}  // namespace thimble::jacov_epe_nas_test
