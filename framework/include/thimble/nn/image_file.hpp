#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/boxes.hpp>

/// Pictures, from files to bytes of one size.
namespace thimble {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  ///< row by row, three bytes a pixel
};

/// Whether a file is called as a PNG or JPEG is, with letters of any case.
THIMBLE_EXPORT bool has_image_name(const std::filesystem::path& file);

/// A PNG or JPEG file, whichever it is; what is transparent lies on black, and grey has three equal
/// channels. Throws InputError that names the file when it is neither, damaged or cut off.
THIMBLE_EXPORT Image read_image(const std::filesystem::path& file);

/// Stretched to a shape of one channel (brightness) or three, C x H x W. A triangle as wide as the
/// step between pixels, or at least a pixel, weighs what each is made of: bilinear when growing.
THIMBLE_EXPORT void resize(const Image& image, const Shape& shape, std::span<std::uint8_t> to);

/// Where an image lies in a frame when it keeps its ratio and touches two sides: its sides in
/// pixels of the frame, and what is left of it and above.
struct Letterbox {
  Extent size;
  Extent margin;
};
THIMBLE_EXPORT Letterbox letterbox_of(const Extent& image, const Shape& frame);

/// The same as resize(), letterboxed: the rest is of one grey, 114.
THIMBLE_EXPORT void letterbox(const Image& image, const Shape& shape, std::span<std::uint8_t> to);

/// How shares of a letterboxed image's sides become shares of the frame's.
THIMBLE_EXPORT SideMove across_letterbox(const Extent& image, const Shape& frame);
THIMBLE_EXPORT SideMove down_letterbox(const Extent& image, const Shape& frame);

}  // namespace thimble
