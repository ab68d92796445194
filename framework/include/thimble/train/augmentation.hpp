#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/nn/medium.hpp>

namespace thimble {

struct Samples;

/// When an image is mirrored.
enum class Flip {
  none,
  random,       ///< by chance, each time
  alternating,  ///< by chance the first time, then every other time (K. Jordan, arXiv 2404.00498)
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Flip>>& names_of(Flip);

/// How training samples are altered before a step sees them. Images are flipped, shifted and cut
/// out of; with boxes they are scaled, too, and what moves in is blank, since what a border mirrors
/// would be things without boxes. Series are shifted in time, scaled and blurred by noise, never
/// offset: where gravity points to is what tells sitting from standing.
struct THIMBLE_EXPORT Augmentation {
  Flip flip = Flip::alternating;
  int crop = 4;
  int cutout = 0;
  double zoom = 0;
  double colour = 0;
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
    param(&Augmentation::zoom, "zoom",
          "images with boxes: by which share they grow or shrink at most, about any point")
        .range(0, 0.9);
    param(&Augmentation::colour, "colour",
          "images: by how much brightness, contrast and saturation change at most")
        .range(0, 1);
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
/// data alone. Images, N x C x H x W in float, and boxes are altered in place; places: N. Thread
/// safe.
THIMBLE_EXPORT void augment(Samples& samples, Medium medium, const Augmentation& how,
                            std::uint64_t seed, int epoch, std::span<const std::int64_t> places);

}  // namespace thimble
