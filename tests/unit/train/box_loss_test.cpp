// Losses of boxes against their numeric gradients, and what is asked of which place.

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/box_loss.hpp>

namespace thimble::box_loss_test {
namespace {

Box drawn(Random& random) {
  return {0.3 + 0.4 * random.uniform(), 0.3 + 0.4 * random.uniform(), 0.1 + 0.4 * random.uniform(),
          0.1 + 0.4 * random.uniform()};
}

double& number(Box& box, int i) {
  return i == 0 ? box.x : i == 1 ? box.y : i == 2 ? box.width : box.height;
}

TEST(CompleteOverlap, HasTheNumericGradient) {
  Random random = Random::stream(1, {"boxes"});
  constexpr double kStep = 1e-6;
  for (int i = 0; i < 200; ++i) {
    const Box box = drawn(random), truth = drawn(random);
    const BoxTerm found = complete_overlap(box, truth);
    for (int k = 0; k < 4; ++k) {
      Box more = box, less = box;
      number(more, k) += kStep;
      number(less, k) -= kStep;
      const double slope =
          (complete_overlap(more, truth).value - complete_overlap(less, truth).value) / (2 * kStep);
      EXPECT_NEAR(found.gradient[static_cast<std::size_t>(k)], slope, 1e-5) << i << " " << k;
    }
  }
}

/// The paper's formula, written down once more.
TEST(CompleteOverlap, IsThePapers) {
  Random random = Random::stream(2, {"boxes"});
  for (int i = 0; i < 100; ++i) {
    const Box a = drawn(random), b = drawn(random);
    const double overlap = overlap_of(a, b);
    const double width = std::max(a.x + a.width / 2, b.x + b.width / 2) -
                         std::min(a.x - a.width / 2, b.x - b.width / 2);
    const double height = std::max(a.y + a.height / 2, b.y + b.height / 2) -
                          std::min(a.y - a.height / 2, b.y - b.height / 2);
    const double distance = std::pow(a.x - b.x, 2) + std::pow(a.y - b.y, 2);
    const double v = 4 / std::pow(std::numbers::pi, 2) *
                     std::pow(std::atan(b.width / b.height) - std::atan(a.width / a.height), 2);
    const double expected =
        overlap - distance / (width * width + height * height) - v * v / (1 - overlap + v);
    EXPECT_NEAR(complete_overlap(a, b).value, expected, 1e-12);
  }
}

TEST(CompleteOverlap, IsOneOfEqualBoxes) {
  EXPECT_NEAR(complete_overlap({0.5, 0.5, 0.2, 0.3}, {0.5, 0.5, 0.2, 0.3}).value, 1, 1e-12);
}

const BoxDecoder kDecoder{.anchors = {{0.2, 0.2}, {0.5, 0.5}}, .classes = 2, .prior = -2};

at::Tensor labels_of(std::initializer_list<LabelledBox> boxes) {
  at::Tensor labels = at::zeros({1, static_cast<std::int64_t>(boxes.size()), kBoxColumns});
  std::ranges::copy(boxes, boxes_of(labels, 0).begin());
  return labels;
}

TEST(BoxLoss, AsksOfAnEmptyImageThatNothingIsThere) {
  const at::Tensor maps = at::zeros({1, 14, 4, 4});
  const Loss loss = box_loss(maps, labels_of({LabelledBox{}}), kDecoder, {.presence = 0.5});
  EXPECT_NEAR(loss.sum, 0.5 * 32 * std::log1p(std::exp(-2)), 1e-6);
  const at::Tensor gradient = loss.gradient.view({2, 7, 4, 4});
  EXPECT_GT(gradient.select(1, 4).min().item<double>(), 0);
  EXPECT_EQ(gradient.narrow(1, 0, 4).abs().max().item<double>(), 0);
  EXPECT_EQ(gradient.narrow(1, 5, 2).abs().max().item<double>(), 0);
}

TEST(BoxLoss, AsksNothingOfPlacesInACrowd) {
  const at::Tensor maps = at::zeros({1, 14, 4, 4});
  const LabelledBox crowd{0, 0.25F, 0.5F, 0.5F, 1, 1};
  const at::Tensor gradient =
      box_loss(maps, labels_of({crowd}), kDecoder, {}).gradient.view({2, 7, 4, 4}).select(1, 4);
  EXPECT_EQ(gradient.narrow(2, 0, 2).abs().max().item<double>(), 0);
  EXPECT_GT(gradient.narrow(2, 2, 2).min().item<double>(), 0);
}

/// A place that tells of a thing in a crowd is asked nevertheless.
TEST(BoxLoss, AsksOfAThingInACrowd) {
  const LabelledBox crowd{0, 0.5F, 0.5F, 1, 1, 1}, thing{1, 0.375F, 0.375F, 0.2F, 0.2F, 0};
  const at::Tensor gradient =
      box_loss(at::zeros({1, 14, 4, 4}), labels_of({crowd, thing}), kDecoder, {})
          .gradient.view({2, 7, 4, 4});
  EXPECT_LT(gradient[0][4][1][1].item<double>(), 0);
  EXPECT_LT(gradient[0][6][1][1].item<double>(), 0);  // its class
  EXPECT_GT(gradient[0][5][1][1].item<double>(), 0);  // the other
  EXPECT_EQ(gradient[0][4][0][3].item<double>(), 0);
}

}  // namespace
}  // namespace thimble::box_loss_test
