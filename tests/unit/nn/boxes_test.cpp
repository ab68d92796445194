// Labels that are boxes: how they move with images, and what is none.

#include <vector>

#include <gtest/gtest.h>

#include <support/boxes.hpp>
#include <thimble/core/error.hpp>
#include <thimble/nn/box_table.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/image_file.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble::boxes_test {
namespace {

using testing::expect_near;

TEST(Boxes, MoveWithTheirImage) {
  std::vector<LabelledBox> boxes{{1, 0.2F, 0.3F, 0.1F, 0.2F, 0}};
  move_boxes(boxes, {-1, 1}, {});  // mirrored
  expect_near(boxes[0], {1, 0.8F, 0.3F, 0.1F, 0.2F, 0});
  move_boxes(boxes, {0.5, 0.25}, {0.5, 0.25});  // half as large, about the middle
  expect_near(boxes[0], {1, 0.65F, 0.4F, 0.05F, 0.1F, 0});
}

TEST(Boxes, AreCutOffAndGo) {
  std::vector<LabelledBox> boxes{{0, 0.9F, 0.5F, 0.2F, 0.2F, 1},
                                 {0, 0.99F, 0.5F, 0.2F, 0.2F, 0},
                                 {0, 0.5F, 0.5F, 0.2F, 0.2F, 0}};
  move_boxes(boxes, {1, 0.05}, {});  // to the right
  expect_near(boxes[0], {0, 0.925F, 0.5F, 0.15F, 0.2F, 1});
  EXPECT_TRUE(boxes[1].is_there());  // 6 of 20 hundredths are left of what it was
  move_boxes(boxes, {1, 0.05}, {});
  EXPECT_FALSE(boxes[1].is_there());
  expect_near(boxes[2], {0, 0.6F, 0.5F, 0.2F, 0.2F, 0});
}

TEST(Boxes, AreClippedToTheirImage) {
  std::vector<LabelledBox> boxes{{0, 0.0F, 0.5F, 0.4F, 0.2F, 0},   // half beyond the left
                                 {0, 0.5F, 0.5F, 0.0F, 0.2F, 0},   // of no area
                                 {0, 1.5F, 0.5F, 0.4F, 0.2F, 0},   // all beyond
                                 {0, 0.5F, 0.5F, 1.0F, 1.0F, 0}};  // the whole image
  const ClippedBoxes found = clip(boxes);
  EXPECT_EQ(found.cut, 1);
  EXPECT_EQ(found.left_out, 2);
  ASSERT_EQ(boxes.size(), 2);
  expect_near(boxes[0], {0, 0.1F, 0.5F, 0.2F, 0.2F, 0});
}

TEST(Boxes, AreRefusedWhereTheyAreNone) {
  const auto with = [](const LabelledBox& box) {
    at::Tensor labels = at::zeros({1, 1, kBoxColumns});
    boxes_of(labels, 0)[0] = box;
    return labels;
  };
  EXPECT_NO_THROW(require_boxes(with({}), 2));
  EXPECT_NO_THROW(require_boxes(with({1, 0.5F, 0.5F, 0.1F, 0.1F, 0}), 2));
  EXPECT_THROW(require_boxes(with({2, 0.5F, 0.5F, 0.1F, 0.1F, 0}), 2), Error);
  EXPECT_THROW(require_boxes(with({0.5F, 0.5F, 0.5F, 0.1F, 0.1F, 0}), 2), Error);
  EXPECT_THROW(require_boxes(with({0, 0.5F, 0.5F, 0, 0.1F, 0}), 2), Error);
  EXPECT_THROW(require_boxes(at::zeros({3}, at::kLong), 2), Error);
}

TEST(Letterbox, KeepsTheRatio) {
  const Letterbox wide = letterbox_of({100, 200}, {3, 64, 64});
  EXPECT_EQ(wide.size, (Extent{32, 64}));
  EXPECT_EQ(wide.margin, (Extent{16, 0}));
  const SideMove down = down_letterbox({100, 200}, {3, 64, 64});
  EXPECT_EQ(down.factor, 0.5);
  EXPECT_EQ(down.offset, 0.25);
}

TEST(Letterbox, FillsTheRestWithGrey) {
  const Image image{.width = 2, .height = 1, .rgb = {200, 0, 0, 200, 0, 0}};
  std::vector<std::uint8_t> made(3 * 4 * 4);
  letterbox(image, {3, 4, 4}, made);
  const std::vector<std::uint8_t> red{114, 114, 114, 114, 200, 200, 200, 200,
                                      200, 200, 200, 200, 114, 114, 114, 114};
  EXPECT_EQ(std::vector(made.begin(), made.begin() + 16), red);
  EXPECT_EQ(made[16 + 4], 0);
}

}  // namespace
}  // namespace thimble::boxes_test
