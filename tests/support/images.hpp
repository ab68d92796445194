#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <vector>

// Needs <cstdio> before it.
#include <jpeglib.h>
#include <png.h>

#include <gtest/gtest.h>

/// Files of images, written here.
namespace thimble::testing {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

/// `format` as libpng names them: PNG_FORMAT_RGB and so on.
inline void write_png(const fs::path& file, std::uint32_t width, std::uint32_t height,
                      std::uint32_t format, const Bytes& bytes) {
  fs::create_directories(file.parent_path());
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = width;
  image.height = height;
  image.format = format;
  ASSERT_NE(png_image_write_to_file(&image, file.c_str(), 0, bytes.data(), 0, nullptr), 0);
}

/// All pixels alike, of one component (grey) or three.
inline void write_jpeg(const fs::path& file, unsigned width, unsigned height, const Bytes& pixel) {
  fs::create_directories(file.parent_path());
  Bytes row;
  for (unsigned x = 0; x < width; ++x) row.insert(row.end(), pixel.begin(), pixel.end());
  std::FILE* const stream = std::fopen(file.c_str(), "wb");
  jpeg_compress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg.err = jpeg_std_error(&errors);
  jpeg_create_compress(&jpeg);
  jpeg_stdio_dest(&jpeg, stream);
  jpeg.image_width = width;
  jpeg.image_height = height;
  jpeg.input_components = static_cast<int>(pixel.size());
  jpeg.in_color_space = pixel.size() == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&jpeg);
  jpeg_set_quality(&jpeg, 100, TRUE);
  jpeg_start_compress(&jpeg, TRUE);
  for (JSAMPROW line = row.data(); jpeg.next_scanline < height;)
    jpeg_write_scanlines(&jpeg, &line, 1);
  jpeg_finish_compress(&jpeg);
  jpeg_destroy_compress(&jpeg);
  std::fclose(stream);
}

}  // namespace thimble::testing
