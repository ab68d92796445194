// What happens to a sample: by hand on rows of numbers, and the same whoever asks.

#include <set>
#include <span>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/nn/boxes.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/augmentation.hpp>

namespace thimble::augmentation_test {
namespace {

const std::vector<std::int64_t> kPlaces{3, 14, 15, 92};

at::Tensor counting(at::IntArrayRef sizes) {
  return at::arange(at::zeros(sizes).numel()).to(at::kFloat).view(sizes);
}

at::Tensor altered(const at::Tensor& images, Medium medium, const Augmentation& how, int epoch,
                   std::span<const std::int64_t> places = kPlaces) {
  Samples copy{images.clone(), at::zeros({images.size(0)}, at::kLong)};
  augment(copy, medium, how, 1, epoch, places);
  return copy.images;
}

const Augmentation kNothing{.flip = Flip::none, .crop = 0, .time_shift = 0, .scale = 0, .noise = 0};

TEST(Augmentation, ChangesNothingWhereNothingIsAsked) {
  const at::Tensor images = counting({4, 2, 5, 6});
  for (const Medium medium : {Medium::images, Medium::series})
    EXPECT_TRUE(at::equal(altered(images, medium, kNothing, 0), images));
}

TEST(Augmentation, AlternatesFlips) {
  Augmentation how = kNothing;
  how.flip = Flip::alternating;
  const at::Tensor images = counting({4, 2, 3, 5});
  const at::Tensor first = altered(images, Medium::images, how, 0);
  const at::Tensor second = altered(images, Medium::images, how, 1);
  for (std::int64_t i = 0; i < 4; ++i) {
    const at::Tensor mirrored = images[i].flip({2});
    const bool is_first = at::equal(first[i], mirrored);
    EXPECT_TRUE(is_first || at::equal(first[i], images[i]));
    EXPECT_TRUE(at::equal(second[i], is_first ? images[i] : mirrored));
  }
}

/// A shift moves rows and columns, and mirrors the border: so every value is one of the image, and
/// neighbours stay neighbours.
TEST(Augmentation, ShiftsImagesAndMirrorsTheBorder) {
  Augmentation how = kNothing;
  how.crop = 2;
  const at::Tensor image = counting({1, 1, 1, 8});
  std::set<std::vector<float>> seen;
  for (int epoch = 0; epoch < 60; ++epoch) {
    const at::Tensor moved =
        altered(image, Medium::images, how, epoch, std::span{kPlaces}.first(1)).view(-1);
    seen.emplace(moved.data_ptr<float>(), moved.data_ptr<float>() + 8);
  }
  const std::set<std::vector<float>> expected{{2, 1, 0, 1, 2, 3, 4, 5},
                                              {1, 0, 1, 2, 3, 4, 5, 6},
                                              {0, 1, 2, 3, 4, 5, 6, 7},
                                              {1, 2, 3, 4, 5, 6, 7, 6},
                                              {2, 3, 4, 5, 6, 7, 6, 5}};
  EXPECT_EQ(seen, expected);
}

TEST(Augmentation, CutsASquareOut) {
  Augmentation how = kNothing;
  how.cutout = 3;
  const at::Tensor images = at::ones({4, 2, 9, 9});
  const at::Tensor cut = altered(images, Medium::images, how, 0);
  for (std::int64_t i = 0; i < 4; ++i) {
    const auto zeros = 2 * 81 - cut[i].sum().item<double>();
    EXPECT_GE(zeros, 2 * 4);  // a corner
    EXPECT_LE(zeros, 2 * 9);
    EXPECT_TRUE(at::equal(cut[i][0], cut[i][1]));
  }
}

TEST(Augmentation, ShiftsAndScalesSeriesAlongTheirTime) {
  Augmentation how = kNothing;
  how.time_shift = 1;
  how.scale = 0.5;
  // Sensors beside each other, in rows of moments; and each a channel.
  const at::Tensor rows = counting({4, 1, 6, 1}).expand({4, 1, 6, 3}) + 1;
  const at::Tensor channels = rows.permute({0, 3, 1, 2}).contiguous();
  const at::Tensor one = altered(rows.contiguous(), Medium::series, how, 3);
  const at::Tensor other = altered(channels, Medium::series, how, 3);
  EXPECT_TRUE(at::equal(one.permute({0, 3, 1, 2}), other));
  // One factor a sensor.
  const at::Tensor factors = one.select(3, 0) / one.select(3, 1);
  EXPECT_TRUE(at::allclose(factors, factors.select(2, 0).unsqueeze(2).expand_as(factors)));
  EXPECT_FALSE(at::allclose(one.select(3, 0), one.select(3, 1)));
}

TEST(Augmentation, AddsNoiseOfTheGivenDeviation) {
  Augmentation how = kNothing;
  how.noise = 0.2;
  const at::Tensor noise = altered(at::zeros({4, 9, 1, 512}), Medium::series, how, 0);
  EXPECT_NEAR(noise.std().item<double>(), 0.2, 0.01);
  EXPECT_NEAR(noise.mean().item<double>(), 0, 0.01);
}

TEST(Augmentation, HangsOnTheSampleNotOnItsCompany) {
  const at::Tensor images = counting({4, 3, 12, 12});
  for (const Medium medium : {Medium::images, Medium::series}) {
    const at::Tensor together = altered(images, medium, {}, 2);
    for (std::int64_t i = 0; i < 4; ++i) {
      const at::Tensor alone = altered(images.slice(0, i, i + 1), medium, {}, 2,
                                       std::span{kPlaces}.subspan(static_cast<std::size_t>(i), 1));
      EXPECT_TRUE(at::equal(alone[0], together[i]));
    }
    EXPECT_FALSE(at::equal(altered(images, medium, {}, 3), together));
  }
}

/// A bright rectangle on a blank image, and its box.
Samples rectangle() {
  Samples samples{at::zeros({1, 3, 40, 40}), at::zeros({1, 2, kBoxColumns})};
  samples.images.slice(2, 10, 20).slice(3, 4, 16).fill_(1);
  boxes_of(samples.labels, 0)[0] = {0, 0.25F, 0.375F, 0.3F, 0.25F, 0};
  boxes_of(samples.labels, 0)[1] = {};
  return samples;
}

/// Where the image is bright is where the box is, however it was flipped, scaled and shifted.
TEST(Augmentation, MovesBoxesWithTheirImages) {
  const Augmentation how{.flip = Flip::random, .crop = 6, .zoom = 0.4};
  int flipped = 0, cut = 0;
  for (int epoch = 0; epoch < 60; ++epoch) {
    Samples samples = rectangle();
    augment(samples, Medium::images, how, 1, epoch, std::span{kPlaces}.first(1));
    const LabelledBox box = boxes_of(samples.labels, 0)[0];
    EXPECT_FALSE(boxes_of(samples.labels, 0)[1].is_there());
    if (!box.is_there()) continue;
    const at::Tensor bright = samples.images[0][0].gt(0.5);
    const auto ends = [](const at::Tensor& line) {
      const at::Tensor places = line.nonzero();
      return std::pair{places.min().item<double>(), places.max().item<double>() + 1};
    };
    const auto [top, bottom] = ends(bright.any(1));
    const auto [left, right] = ends(bright.any(0));
    EXPECT_NEAR(40 * (box.x - box.width / 2), left, 1.01) << epoch;
    EXPECT_NEAR(40 * (box.x + box.width / 2), right, 1.01) << epoch;
    EXPECT_NEAR(40 * (box.y - box.height / 2), top, 1.01) << epoch;
    EXPECT_NEAR(40 * (box.y + box.height / 2), bottom, 1.01) << epoch;
    flipped += box.x > 0.5F ? 1 : 0;
    cut += left == 0 || right == 40 ? 1 : 0;
  }
  EXPECT_GT(flipped, 10);
  EXPECT_GT(cut, 3);
}

TEST(Augmentation, ChangesColoursAndNoBoxes) {
  const Augmentation how{.flip = Flip::none, .crop = 0, .colour = 0.3};
  Samples samples = rectangle();
  samples.images[0][1].mul_(0.5);
  const Samples before{samples.images.clone(), samples.labels.clone()};
  augment(samples, Medium::images, how, 1, 0, std::span{kPlaces}.first(1));
  EXPECT_TRUE(at::equal(samples.labels, before.labels));
  EXPECT_FALSE(at::equal(samples.images, before.images));
  EXPECT_LT((samples.images - before.images).abs().max().item<double>(), 1);
}

}  // namespace
}  // namespace thimble::augmentation_test
