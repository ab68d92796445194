// The task of points as networks meet it: what is found, what counts, and that images can be
// learned.

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <support/world.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/search_space.hpp>
#include <thimble/task.hpp>

namespace thimble::points_test {
namespace {

std::unique_ptr<Task> points(const std::string& yaml = "{}") {
  static PluginLoader loader = testing::plugins();
  return testing::make<Task>(loader, "points", yaml);
}

at::Tensor labels_of(const std::vector<LabelledBox>& boxes) {
  at::Tensor labels = at::zeros({1, std::ssize(boxes), kBoxColumns});
  std::ranges::copy(boxes, boxes_of(labels, 0).begin());
  return labels;
}

/// 4 x 4 cells of one class that tell of nothing but at these.
at::Tensor map_of(const std::vector<std::pair<int, int>>& cells) {
  at::Tensor map = at::full({1, 1, 4, 4}, -9.0, at::kDouble);
  double logit = 9;
  for (const auto& [row, column] : cells) map[0][0][row][column] = logit--;
  return map;
}

constexpr LabelledBox thing_at(float x, float y, float is_crowd = 0) {
  return {0, x, y, 0.2F, 0.2F, is_crowd};
}

TEST(Points, AreFoundInTheirCellOrANeighbour) {
  const at::Tensor two = labels_of({thing_at(0.1F, 0.1F), thing_at(0.9F, 0.9F)});
  const auto measured = [&](const std::vector<std::pair<int, int>>& cells) {
    return points()->measure(map_of(cells), two);
  };
  EXPECT_EQ(measured({{0, 0}, {3, 3}}), (std::vector<double>{100, 100, 100}));
  EXPECT_EQ(measured({{1, 1}, {3, 2}}), (std::vector<double>{100, 100, 100}));
  EXPECT_EQ(measured({{0, 0}, {0, 3}}), (std::vector<double>{50, 50, 50}));
  EXPECT_EQ(measured({{0, 0}}), (std::vector<double>{200.0 / 3, 100, 50}));
  EXPECT_EQ(measured({}), (std::vector<double>{0, 0, 0}));
  // Beside a surer one, a cell tells of nothing.
  EXPECT_EQ(measured({{0, 0}, {0, 1}, {3, 3}}), (std::vector<double>{100, 100, 100}));
  // Two cells do not find one thing twice.
  const at::Tensor one = labels_of({thing_at(0.4F, 0.4F)});
  EXPECT_EQ(points()->measure(map_of({{0, 0}, {2, 2}}), one),
            (std::vector<double>{200.0 / 3, 50, 100}));
}

TEST(Points, AreNotWrongInACrowd) {
  LabelledBox crowd = thing_at(0.75F, 0.75F, 1);
  const at::Tensor labels = labels_of({thing_at(0.1F, 0.1F), crowd});
  EXPECT_EQ(points()->measure(map_of({{0, 0}, {3, 3}}), labels),
            (std::vector<double>{100, 100, 100}));
  const Loss loss = points()->loss(at::zeros({1, 1, 4, 4}, at::kDouble), labels, {});
  EXPECT_EQ(loss.gradient[0][0][3][3].item<double>(), 0);
  EXPECT_LT(loss.gradient[0][0][0][0].item<double>(), 0);
  EXPECT_GT(loss.gradient[0][0][0][3].item<double>(), 0);
}

TEST(Points, CountMoreThanNothingDoes) {
  const at::Tensor labels = labels_of({thing_at(0.1F, 0.1F)}), map = at::zeros({1, 1, 4, 4});
  const double plain = points("{weight: 1}")->loss(map, labels, {}).sum;
  EXPECT_NEAR(plain, std::log(2), 1e-6);
  EXPECT_NEAR(points("{weight: 33}")->loss(map, labels, {}).sum, 3 * plain, 1e-6);
}

/// What a space builds fits the task, and the task refuses data without boxes.
TEST(Points, NeedAChannelAClass) {
  PluginLoader loader = testing::plugins();
  DatasetInfo data{.name = "things", .shape = {3, 32, 32}, .classes = 2};
  EXPECT_THROW(points()->outputs(data), Error);
  data.labels = LabelKind::boxes;
  for (const char* const yaml : {"superblocks", "zoo"}) {
    const bool is_zoo = std::string{yaml} == "zoo";
    const auto space = testing::make<SearchSpace>(
        loader, yaml,
        std::string{is_zoo ? "{networks: [mobilenet_v1_025]" : "{families: [mbednet]"} +
            ", classes: 2, head: points}");
    const Graph graph = space->build(space->decode(is_zoo ? "mobilenet_v1_025" : "mbednet"));
    EXPECT_TRUE(fits(graph.node(graph.output()).shape, *points(), data)) << yaml;
  }
}

}  // namespace
}  // namespace thimble::points_test
