// Which cells tell of a box, what their numbers mean, and which boxes are left.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/box_map.hpp>

namespace thimble::box_map_test {

/// Found by name lookup when a comparison fails.
void PrintTo(const MapPlace& place, std::ostream* out) {
  *out << "anchor " << place.anchor << " at row " << place.row << ", column " << place.column;
}

namespace {

const std::vector<BoxDecoder::Anchor> kAnchors{{0.1, 0.1}, {0.3, 0.5}};

TEST(BoxMap, DecodesWhatItEncoded) {
  Random random = Random::stream(1, {"boxes"});
  const Grid grid{8, 10};
  for (int i = 0; i < 1000; ++i) {
    const BoxDecoder::Anchor anchor{0.05 + 0.3 * random.uniform(), 0.05 + 0.3 * random.uniform()};
    const MapPlace place{0, static_cast<int>(random.below(8)), static_cast<int>(random.below(10))};
    const auto near = [&](int cell, int cells) {
      return (cell + 1.98 * random.uniform() - 0.49) / cells;
    };
    const auto alike = [&](double side) { return side * (0.26 + 3.7 * random.uniform()); };
    const Box box{near(place.column, 10), near(place.row, 8), alike(anchor.width),
                  alike(anchor.height)};
    const Box again = decoded(encoded(box, place, anchor, grid), place, anchor, grid);
    EXPECT_NEAR(again.x, box.x, 1e-9);
    EXPECT_NEAR(again.y, box.y, 1e-9);
    EXPECT_NEAR(again.width, box.width, 1e-9);
    EXPECT_NEAR(again.height, box.height, 1e-9);
  }
}

struct Assigned {
  Box box;
  std::vector<MapPlace> places;
};

/// On 4 x 4 cells: of the small anchor, the large one, both or none; the nearest neighbours, but
/// not beyond the border, and none of a centre in the middle.
TEST(BoxMap, AssignsBoxesToCells) {
  const std::vector<Assigned> table{
      {{0.375, 0.375, 0.1, 0.1}, {{0, 1, 1}}},                      // the middle of a cell
      {{0.30, 0.375, 0.1, 0.1}, {{0, 1, 1}, {0, 1, 0}}},            // on the left
      {{0.45, 0.375, 0.1, 0.1}, {{0, 1, 1}, {0, 1, 2}}},            // on the right
      {{0.45, 0.30, 0.1, 0.1}, {{0, 1, 1}, {0, 1, 2}, {0, 0, 1}}},  // and above
      {{0.30, 0.45, 0.1, 0.1}, {{0, 1, 1}, {0, 1, 0}, {0, 2, 1}}},  // and below
      {{0.05, 0.05, 0.1, 0.1}, {{0, 0, 0}}},                        // no neighbours there
      {{0.99, 0.99, 0.1, 0.1}, {{0, 3, 3}}},                        // nor there
      {{1.0, 1.0, 0.1, 0.1}, {{0, 3, 3}}},                          // on the border
      {{0.375, 0.375, 0.3, 0.5}, {{1, 1, 1}}},                      // the large one's
      {{0.375, 0.375, 0.2, 0.3}, {{0, 1, 1}, {1, 1, 1}}},           // both
      {{0.375, 0.375, 0.02, 0.1}, {}},                              // too narrow for any
      {{0.95, 0.05, 0.2, 0.3}, {{0, 0, 3}, {1, 0, 3}}},             // a corner
  };
  for (const auto& [box, places] : table)
    EXPECT_EQ(places_for(box, kAnchors, {4, 4}), places) << box.x << " " << box.y;
}

TEST(BoxMap, OverlapsByHand) {
  EXPECT_NEAR(overlap_of({0.5, 0.5, 0.2, 0.2}, {0.5, 0.5, 0.2, 0.2}), 1, 1e-12);
  EXPECT_NEAR(overlap_of({0.5, 0.5, 0.2, 0.2}, {0.6, 0.5, 0.2, 0.2}), 1.0 / 3, 1e-12);
  EXPECT_EQ(overlap_of({0.2, 0.2, 0.2, 0.2}, {0.6, 0.5, 0.2, 0.2}), 0);
}

std::vector<double> xs(const std::vector<ScoredBox>& boxes) {
  std::vector<double> all;
  for (const ScoredBox& box : boxes) all.push_back(box.box.x);
  return all;
}

/// Boxes of equal scores in any order leave the same ones.
TEST(BoxMap, SuppressesTheSameInAnyOrder) {
  std::vector<ScoredBox> boxes;
  for (int i = 0; i < 7; ++i)
    boxes.push_back({{0.3 + 0.02 * i, 0.5, 0.2, 0.2}, i % 2 == 0 ? 0.5 : 0.7, i == 6 ? 1 : 0});
  std::vector<std::int64_t> places{0, 1, 2, 3, 4, 5, 6};
  const auto first = xs(suppressed(boxes, places, 0.5));
  EXPECT_EQ(first, (std::vector<double>{boxes[1].box.x, boxes[5].box.x, boxes[6].box.x}));
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto order = Random::stream(seed, {"order"}).sample(7, 7);
    std::vector<ScoredBox> shuffled;
    for (const std::int64_t i : order) shuffled.push_back(boxes[static_cast<std::size_t>(i)]);
    EXPECT_EQ(xs(suppressed(shuffled, order, 0.5)), first);
  }
}

TEST(BoxMap, FindsWhatIsWrittenIntoIt) {
  const BoxDecoder decoder{.anchors = kAnchors, .classes = 3, .prior = 0, .most_overlap = 0.5};
  at::Tensor map = at::full({2 * 8, 4, 5}, -9.0, at::kDouble);
  const Box box{0.35, 0.6, 0.25, 0.4};
  const MapPlace place{1, 2, 1};
  const auto numbers = encoded(box, place, kAnchors[1], {4, 5});
  const auto set = [&](int number, double value) { map[8 + number][2][1] = value; };
  for (int i = 0; i < 4; ++i) set(i, numbers[static_cast<std::size_t>(i)]);
  set(4, 3);
  set(5 + 2, 4);
  const auto found = boxes_in(map, decoder, 0.1);
  ASSERT_EQ(found.size(), 1);
  EXPECT_EQ(found[0].label, 2);
  EXPECT_NEAR(found[0].score, 1 / (1 + std::exp(-3)) / (1 + std::exp(-4)), 1e-9);
  EXPECT_NEAR(found[0].box.x, box.x, 1e-9);
  EXPECT_NEAR(found[0].box.height, box.height, 1e-9);
}

TEST(BoxMap, TakesTypicalSizes) {
  std::vector<BoxDecoder::Anchor> sizes;
  Random random = Random::stream(1, {"sizes"});
  const std::array<BoxDecoder::Anchor, 3> truths{{{0.1, 0.2}, {0.3, 0.3}, {0.8, 0.6}}};
  for (int i = 0; i < 300; ++i) {
    const auto& truth = truths[static_cast<std::size_t>(i) % 3];
    sizes.push_back({truth.width * (0.95 + 0.1 * random.uniform()),
                     truth.height * (0.95 + 0.1 * random.uniform())});
  }
  const auto found = typical_sizes(sizes, 3);
  ASSERT_EQ(found.size(), 3);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(found[i].width, truths[i].width, 0.01);
    EXPECT_NEAR(found[i].height, truths[i].height, 0.01);
  }
  std::ranges::reverse(sizes);
  EXPECT_EQ(typical_sizes(sizes, 3).size(), 3);
  EXPECT_NEAR(typical_sizes(sizes, 3)[0].width, found[0].width, 1e-12);
  EXPECT_EQ(typical_sizes({{0.1, 0.1}, {0.1, 0.1}}, 3).size(), 1);
  EXPECT_TRUE(typical_sizes({}, 3).empty());
}

}  // namespace
}  // namespace thimble::box_map_test
