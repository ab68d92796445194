#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include <thimble/graph/graph.hpp>

/// Pictures, from files to bytes of one size.
namespace image_folder {

struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  ///< row by row, three bytes a pixel
};

/// A PNG or JPEG file, whichever it is; what is transparent lies on black. Throws InputError that
/// names the file when it is neither, damaged or cut off.
Image read_image(const std::filesystem::path& file);

/// Stretched to a shape of one channel (brightness) or three, C x H x W. A triangle as wide as the
/// step between pixels, or at least a pixel, weighs what each is made of: bilinear when growing.
void resize(const Image& image, const thimble::Shape& shape, std::span<std::uint8_t> to);

}  // namespace image_folder
