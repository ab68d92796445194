// Against cases by hand, and against the same measure written a second time without any care for
// speed.

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/train/average_precision.hpp>

namespace thimble::average_precision_test {
namespace {

constexpr LabelledBox kThing{0, 0.3F, 0.3F, 0.2F, 0.2F, 0};
constexpr Box kHit{0.3, 0.3, 0.2, 0.2};
constexpr Box kMiss{0.8, 0.8, 0.1, 0.1};

double ap(std::vector<ImageBoxes> images, double least_overlap = 0.5) {
  return average_precision(precision_curve(images, 0, least_overlap).value());
}

TEST(AveragePrecision, IsOneWhereAllIsFoundAndNothingElse) {
  EXPECT_NEAR(ap({{{{kHit, 0.9, 0}}, {kThing}}}), 1, 1e-12);
}

TEST(AveragePrecision, IsAHalfBelowOneThatIsWrong) {
  EXPECT_NEAR(ap({{{{kMiss, 0.9, 0}, {kHit, 0.8, 0}}, {kThing}}}), 0.5, 1e-12);
}

/// What is wrong below all that is right costs nothing.
TEST(AveragePrecision, ForgivesWhatIsWrongInTheEnd) {
  EXPECT_NEAR(ap({{{{kMiss, 0.1, 0}, {kHit, 0.8, 0}}, {kThing}}}), 1, 1e-12);
}

TEST(AveragePrecision, CountsASecondBoxOfAThingAsWrong) {
  const LabelledBox other{0, 0.7F, 0.7F, 0.2F, 0.2F, 0};
  const Box hit_other{0.7, 0.7, 0.2, 0.2};
  // Right, wrong, right of two: precision 1 up to a recall of 1/2, 2/3 behind it.
  const double expected = (51 * 1.0 + 50 * 2.0 / 3) / 101;
  EXPECT_NEAR(ap({{{{kHit, 0.9, 0}, {kHit, 0.8, 0}, {hit_other, 0.7, 0}}, {kThing, other}}}),
              expected, 1e-12);
}

TEST(AveragePrecision, TakesHalfOfWhatIsThere) {
  EXPECT_NEAR(ap({{{{kHit, 0.9, 0}}, {kThing}}, {{}, {kThing}}}), 51.0 / 101, 1e-12);
}

TEST(AveragePrecision, LeavesBoxesInCrowdsOut) {
  const LabelledBox crowd{0, 0.75F, 0.75F, 0.5F, 0.5F, 1};
  // Two boxes in the crowd, the better ones, are neither right nor wrong.
  EXPECT_NEAR(ap({{{{kMiss, 0.95, 0}, {kMiss, 0.9, 0}, {kHit, 0.5, 0}}, {kThing, crowd}}}), 1,
              1e-12);
  // A crowd alone is nothing that could be found.
  const std::vector<ImageBoxes> images{{{{kMiss, 0.9, 0}}, {crowd}}};
  EXPECT_FALSE(precision_curve(images, 0, 0.5).has_value());
}

TEST(AveragePrecision, LooksAtAHundredBoxesOfAnImage) {
  ImageBoxes image{{}, {kThing}};
  for (int i = 0; i < 100; ++i) image.found.push_back({kMiss, 0.9 - 1e-3 * i, 0});
  image.found.push_back({kHit, 0.1, 0});
  EXPECT_EQ(ap({image}), 0);
  image.found.erase(image.found.begin());
  EXPECT_NEAR(ap({image}), 1.0 / 100, 1e-12);
}

TEST(AveragePrecision, IsTheMeanOverClassesThatAreThere) {
  const std::vector<ImageBoxes> images{
      {{{kHit, 0.9, 0}}, {kThing, {2, 0.7F, 0.7F, 0.2F, 0.2F, 0}}}};
  EXPECT_NEAR(mean_average_precision(images, 4, 0.5), 0.5, 1e-12);
  EXPECT_EQ(mean_average_precision({}, 4, 0.5), 0);
  const std::vector<ImageBoxes> nothing{{{{kHit, 0.9, 0}}, {LabelledBox{}}}};
  EXPECT_EQ(mean_average_precision(nothing, 4, 0.5), 0);
}

// --- The same once more: matrices of overlaps by corners, and every recall looked for anew ---

struct Corners {
  double left, top, right, bottom;
};

Corners corners(double x, double y, double width, double height) {
  return {x - width / 2, y - height / 2, x + width / 2, y + height / 2};
}

double brute_overlap(const Corners& found, const Corners& truth, bool is_crowd) {
  const double width = std::min(found.right, truth.right) - std::max(found.left, truth.left);
  const double height = std::min(found.bottom, truth.bottom) - std::max(found.top, truth.top);
  if (width <= 0 || height <= 0) return 0;
  const auto area = [](const Corners& c) { return (c.right - c.left) * (c.bottom - c.top); };
  const double both = width * height;
  return both / (is_crowd ? area(found) : area(found) + area(truth) - both);
}

double brute_average_precision(const std::vector<ImageBoxes>& images, int label,
                               double least_overlap) {
  struct Row {
    double score;
    int right;
  };
  std::vector<Row> rows;
  double things = 0;
  for (const ImageBoxes& image : images) {
    auto found = image.found;
    std::erase_if(found, [&](const ScoredBox& box) { return box.label != label; });
    std::stable_sort(found.begin(), found.end(),
                     [](const ScoredBox& a, const ScoredBox& b) { return a.score > b.score; });
    if (found.size() > 100) found.resize(100);
    std::vector<int> taken(image.truths.size());
    for (const LabelledBox& truth : image.truths)
      if (truth.label == static_cast<float>(label) && truth.is_crowd == 0) ++things;
    for (const ScoredBox& box : found) {
      const Corners own = corners(box.box.x, box.box.y, box.box.width, box.box.height);
      int best = -1;
      double most = 0;
      bool is_ignored = false;
      for (std::size_t i = 0; i < image.truths.size(); ++i) {
        const LabelledBox& truth = image.truths[i];
        if (truth.label != static_cast<float>(label)) continue;
        const double overlap = brute_overlap(
            own, corners(truth.x, truth.y, truth.width, truth.height), truth.is_crowd != 0);
        if (overlap < least_overlap) continue;
        if (truth.is_crowd != 0) {
          is_ignored = true;
        } else if (taken[i] == 0 && overlap > most) {
          best = static_cast<int>(i);
          most = overlap;
        }
      }
      if (best >= 0) taken[static_cast<std::size_t>(best)] = 1;
      if (best >= 0 || !is_ignored) rows.push_back({box.score, best >= 0 ? 1 : 0});
    }
  }
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Row& a, const Row& b) { return a.score > b.score; });
  double sum = 0;
  for (int recall = 0; recall <= 100; ++recall) {
    double best = 0;
    for (std::size_t end = 1; end <= rows.size(); ++end) {
      double right = 0;
      for (std::size_t i = 0; i < end; ++i) right += rows[i].right;
      if (100 * right >= recall * things) best = std::max(best, right / static_cast<double>(end));
    }
    sum += best;
  }
  return sum / 101;
}

/// Things of two classes, boxes around some of them, and others anywhere.
std::vector<ImageBoxes> drawn(std::uint64_t seed) {
  Random random = Random::stream(seed, {"boxes"});
  const auto between = [&](double least, double most) {
    return least + (most - least) * random.uniform();
  };
  std::vector<ImageBoxes> images(1 + random.below(8));
  for (ImageBoxes& image : images) {
    for (std::uint64_t i = random.below(6); i > 0; --i) {
      const bool is_crowd = random.below(6) == 0;
      const auto side = [&] { return static_cast<float>(between(0.05, is_crowd ? 0.6 : 0.4)); };
      const auto place = [&] { return static_cast<float>(between(0.2, 0.8)); };
      image.truths.push_back({static_cast<float>(random.below(2)), place(), place(), side(), side(),
                              is_crowd ? 1.0F : 0.0F});
    }
    image.truths.emplace_back();
    for (const LabelledBox& truth : std::vector{image.truths})
      for (std::uint64_t i = random.below(3); i > 0; --i) {
        const double factor = between(0.8, 1.25);
        image.found.push_back({{static_cast<double>(truth.x) + between(-0.05, 0.05),
                                static_cast<double>(truth.y) + between(-0.05, 0.05),
                                factor * static_cast<double>(truth.width) + 0.01,
                                static_cast<double>(truth.height) / factor + 0.01},
                               random.uniform(),
                               static_cast<int>(random.below(2))});
      }
    for (std::uint64_t i = random.below(4); i > 0; --i)
      image.found.push_back({{between(0, 1), between(0, 1), between(0.05, 0.5), between(0.05, 0.5)},
                             random.uniform(),
                             static_cast<int>(random.below(2))});
  }
  return images;
}

TEST(AveragePrecision, IsThatOfASecondImplementation) {
  int compared = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto images = drawn(seed);
    for (const int label : {0, 1})
      for (const double least_overlap : {0.5, 0.75, 0.9}) {
        const auto curve = precision_curve(images, label, least_overlap);
        if (!curve) continue;
        EXPECT_NEAR(average_precision(*curve),
                    brute_average_precision(images, label, least_overlap), 1e-6)
            << seed << " " << label << " " << least_overlap;
        ++compared;
      }
  }
  EXPECT_GT(compared, 200);
}

}  // namespace
}  // namespace thimble::average_precision_test
