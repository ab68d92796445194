// Proxies of which ReLUs let something through.

#include <map>
#include <set>
#include <string>

#include <support/plain_maths.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/counts.hpp>

namespace thimble::naswot_swap_test {
namespace {

using testing::expect_any_order;
using testing::expect_naive;
using testing::images_of;
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

TEST(Naswot, IsTheLogarithmOfTheKernelsDeterminant) {
  expect_naive("naswot", "", [](const Scene& scene) {
    const auto outputs = outputs_of(scene);
    const std::size_t n = rows_of(outputs[0]).size();
    Matrix kernel(n, Row(n));
    for (const NodeId id : relu_nodes(scene.graph())) {
      const auto equal =
          pairwise(rows_of(outputs[static_cast<std::size_t>(id)]), [](const Row& a, const Row& b) {
            double count = 0;
            for (std::size_t k = 0; k < a.size(); ++k) count += (a[k] > 0) == (b[k] > 0);
            return count;
          });
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) kernel[i][j] += equal[i][j];
    }
    double log_determinant = 0;  // by Gauss's elimination
    for (std::size_t i = 0; i < n; ++i) {
      log_determinant += std::log(kernel[i][i]);
      for (std::size_t j = i + 1; j < n; ++j)
        for (std::size_t k = n; k-- > i;)
          kernel[j][k] -= kernel[j][i] / kernel[i][i] * kernel[i][k];
    }
    return log_determinant;
  });
}

TEST(Naswot, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto naswot = make<Proxy>(loader, "naswot");
  // Any two samples differ in two of three bits: K has 3 on the diagonal and 1 beside it.
  const auto images = images_of({{1, 2, -1}, {-1, 3, 1}, {-2, -1, -3}});
  EXPECT_NEAR(score(*naswot, relu_network(3), images), std::log(20), 1e-12);
  EXPECT_NEAR(score(*naswot, relu_network(3), images * 7), std::log(20), 1e-12);
}

TEST(Naswot, DoesNotMindTheOrderOfSamples) { expect_any_order("naswot", 1e-9); }

TEST(Naswot, HasNoScoreWhereSamplesCannotBeToldApart) {
  PluginLoader loader = plugins();
  const auto naswot = make<Proxy>(loader, "naswot");
  EXPECT_THROW(score(*naswot, relu_network(2), images_of({{1, -1}, {-1, -1}, {2, -3}})), Error)
      << "the same pattern twice";
  EXPECT_THROW(score(*naswot, relu_network(2), images_of({{1, 1}, {1, -1}, {-1, 1}, {-1, -1}})),
               Error)
      << "more samples than ReLU outputs make up";
  Graph none;
  none.linear(none.input({1, 1, 2}), 2);
  EXPECT_THROW(score(*naswot, none, images_of({{1, 1}, {1, -1}})), Error) << "no ReLU";
}

double naive_swap(const Scene& scene) {
  const auto outputs = outputs_of(scene);
  std::set<std::string> columns;
  for (const NodeId id : relu_nodes(scene.graph())) {
    const Matrix rows = rows_of(outputs[static_cast<std::size_t>(id)]);
    for (std::size_t k = 0; k < rows[0].size(); ++k) {
      std::string column;
      for (const Row& row : rows) column += row[k] > 0 ? '1' : '0';
      columns.insert(column);
    }
  }
  return static_cast<double>(columns.size());
}

TEST(Swap, CountsDifferentColumns) { expect_naive("swap", "", naive_swap); }

TEST(Swap, CountsColumnsOfLargeBatches) {
  PluginLoader loader = plugins();
  for (const std::string batch : {"64", "65", "150"}) {
    const auto swap = make<Proxy>(loader, "swap", "{batch: " + batch + "}");
    const Scene scene{conformance::residual_network(), swap->pass()};
    EXPECT_EQ(scene.score(*swap), naive_swap(scene)) << batch;
  }
}

TEST(Swap, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto swap = make<Proxy>(loader, "swap");
  const auto images = images_of({{1, 2, -1, 5, -1}, {-1, 3, 1, -1, 4}});
  EXPECT_EQ(score(*swap, relu_network(5), images), 3) << "10, 11, 01, and two again";
  EXPECT_EQ(score(*swap, relu_network(5), images.flip({0})), 3);
}

TEST(Swap, IsBoundedByTheSamples) {
  PluginLoader loader = plugins();
  const auto swap = make<Proxy>(loader, "swap");
  EXPECT_EQ(score(*swap, conformance::residual_network(), normal_images(3)), 8);
}

TEST(Swap, PrefersASizeWhenRegularised) {
  PluginLoader loader = plugins();
  const auto swap = make<Proxy>(loader, "swap");
  const auto regularised = make<Proxy>(loader, "swap", "{mu: 1, sigma: 2}");
  const Graph g = conformance::plain_network(1);
  const auto images = normal_images(6);
  const double distance = static_cast<double>(params(g)) / 1000 - 1;
  EXPECT_NEAR(score(*regularised, g, images),
              score(*swap, g, images) * std::exp(-distance * distance / 2), 1e-9);
}

}  // namespace
}  // namespace thimble::naswot_swap_test
