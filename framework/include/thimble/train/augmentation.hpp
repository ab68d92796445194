#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/nn/medium.hpp>

namespace at {
class Tensor;
}

namespace thimble {

/// When an image is mirrored.
enum class Flip {
  none,
  random,       ///< by chance, each time
  alternating,  ///< by chance the first time, then every other time (K. Jordan, arXiv 2404.00498)
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Flip>>& names_of(Flip);

/// How training samples are altered before a step sees them. Images are flipped, shifted and cut
/// out of; series are shifted in time, scaled and blurred by noise, never offset: where gravity
/// points to is what tells sitting from standing.
struct THIMBLE_EXPORT Augmentation {
  Flip flip = Flip::alternating;
  int crop = 4;
  int cutout = 0;
  int time_shift = 8;
  double scale = 0.1;
  double noise = 0.03;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Augmentation::flip, "flip", "images: mirror left and right");
    param(&Augmentation::crop, "crop",
          "images: pixels to shift by at most, either way; what moves in mirrors the border")
        .range(0, 4096);
    param(&Augmentation::cutout, "cutout", "images: side of a square set to the mean; 0: none")
        .range(0, 4096);
    param(&Augmentation::time_shift, "time_shift",
          "series: samples to shift by at most, either way; what moves in mirrors the ends")
        .range(0, 1 << 20);
    param(&Augmentation::scale, "scale",
          "series: deviation of the factor that a sensor is multiplied by")
        .range(0, 10);
    param(&Augmentation::noise, "noise", "series: deviation of the noise that is added")
        .range(0, 10);
  }
};

/// Samples as an epoch sees them: what happens to one depends on seed, epoch and its place in the
/// data alone. images: N x C x H x W, float, altered in place; places: N. Thread safe.
THIMBLE_EXPORT void augment(at::Tensor& images, Medium medium, const Augmentation& how,
                            std::uint64_t seed, int epoch, std::span<const std::int64_t> places);

}  // namespace thimble
