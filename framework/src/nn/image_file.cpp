#include <thimble/nn/image_file.hpp>

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <csetjmp>
#include <cstdio>
#include <string>
#include <string_view>
#include <utility>

#include <jpeglib.h>
// Needs jpeglib.h before it.
#include <jerror.h>
#include <png.h>

#include <thimble/core/error.hpp>
#include <thimble/core/mapped_file.hpp>

namespace thimble {
namespace {

constexpr std::size_t kColours = 3;

[[noreturn]] void refuse(const std::filesystem::path& file, std::string message) {
  throw InputError{Diagnostic{
      {file.string()}, std::move(message), "take it out of the folder, or write it again"}};
}

/// Sets the size and makes room.
void make_room(Image& image, std::int64_t width, std::int64_t height,
               const std::filesystem::path& file) {
  constexpr std::int64_t kMost = 100'000'000;
  if (width * height > kMost)
    refuse(file, std::to_string(width) + " x " + std::to_string(height) +
                     " pixels, at most 100 million are read");
  image.width = static_cast<int>(width);
  image.height = static_cast<int>(height);
  image.rgb.resize(static_cast<std::size_t>(width * height) * kColours);
}

// --- PNG ---

Image read_png(const MappedFile& file) {
  struct Reader : png_image {
    Reader() : png_image{} { version = PNG_IMAGE_VERSION; }
    ~Reader() { png_image_free(this); }
  } reader;
  const auto bytes = file.bytes();
  const auto require = [&](int is_good) {
    if (is_good == 0)  // warnings are about colour profiles and the like
      refuse(file.path(), std::string{"a damaged PNG: "} + std::data(reader.message));
  };
  require(png_image_begin_read_from_memory(&reader, bytes.data(), bytes.size()));
  Image image;
  make_room(image, reader.width, reader.height, file.path());
  reader.format = PNG_FORMAT_RGB;
  const png_color black{};
  require(png_image_finish_read(&reader, &black, image.rgb.data(), 0, nullptr));
  return image;
}

// --- JPEG: libjpeg reports errors by a call that must not return ---

struct JpegReader {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  std::jmp_buf end{};
  std::array<char, JMSG_LENGTH_MAX> message{};

  JpegReader() {
    jpeg.err = jpeg_std_error(&errors);
    jpeg.client_data = this;
    errors.error_exit = [](j_common_ptr common) { stop(common); };
    errors.emit_message = [](j_common_ptr common, int level) {
      if (level < 0 && !is_harmless(common->err->msg_code)) stop(common);
    };
  }
  ~JpegReader() { jpeg_destroy_decompress(&jpeg); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  /// Other warnings say that data is missing or wrong, and that grey takes its place.
  static bool is_harmless(int warning) {
    return warning == JWRN_EXTRANEOUS_DATA || warning == JWRN_ADOBE_XFORM ||
           warning == JWRN_JFIF_MAJOR;
  }

  [[noreturn]] static void stop(j_common_ptr common) {
    auto* const self = static_cast<JpegReader*>(common->client_data);
    (*common->err->format_message)(common, self->message.data());
    std::longjmp(self->end, 1);
  }

  // Nothing in these two may need a destructor: what stops them jumps over it.
  bool begin(std::span<const std::uint8_t> bytes) {
    if (setjmp(end) != 0) return false;
    jpeg_create_decompress(&jpeg);
    jpeg_mem_src(&jpeg, bytes.data(), bytes.size());
    jpeg_read_header(&jpeg, TRUE);
    jpeg.out_color_space = JCS_RGB;
    return true;
  }
  bool finish(std::uint8_t* rgb) {
    if (setjmp(end) != 0) return false;
    jpeg_start_decompress(&jpeg);
    while (jpeg.output_scanline < jpeg.output_height) {
      JSAMPROW row = rgb + std::size_t{jpeg.output_scanline} * jpeg.output_width * kColours;
      jpeg_read_scanlines(&jpeg, &row, 1);
    }
    jpeg_finish_decompress(&jpeg);
    return true;
  }
};

Image read_jpeg(const MappedFile& file) {
  JpegReader reader;
  const auto require = [&](bool is_good) {
    if (!is_good) refuse(file.path(), std::string{"a damaged JPEG: "} + reader.message.data());
  };
  require(reader.begin(file.bytes()));
  Image image;
  make_room(image, reader.jpeg.image_width, reader.jpeg.image_height, file.path());
  require(reader.finish(image.rgb.data()));
  return image;
}

// --- Sizes ---

/// What one place is made of: weights of neighbours, which add up to 1.
struct Blend {
  int first = 0;
  std::vector<float> weights;
};

std::vector<Blend> blends(int from, int to) {
  std::vector<Blend> all;
  const double step = static_cast<double>(from) / to, reach = std::max(step, 1.0);
  for (int i = 0; i < to; ++i) {
    const double centre = (i + 0.5) * step - 0.5;
    const int first = std::max(0, static_cast<int>(std::ceil(centre - reach)));
    const int last = std::min(from - 1, static_cast<int>(std::floor(centre + reach)));
    std::vector<double> weights;
    double sum = 0;
    for (int j = first; j <= last; ++j)
      sum += weights.emplace_back(1 - std::abs(j - centre) / reach);
    Blend& blend = all.emplace_back();
    blend.first = first;
    for (const double weight : weights) blend.weights.push_back(static_cast<float>(weight / sum));
  }
  return all;
}

using Colour = std::array<float, kColours>;

/// The blend of colours that lie `step` apart, the first at `from`.
template <class T>
Colour blended(const Blend& blend, const T* from, std::size_t step) {
  Colour sum{};
  from += static_cast<std::size_t>(blend.first) * step;
  for (const float weight : blend.weights) {
    for (std::size_t c = 0; c < kColours; ++c) sum[c] += weight * static_cast<float>(from[c]);
    from += step;
  }
  return sum;
}

std::uint8_t to_byte(float value) {
  return static_cast<std::uint8_t>(std::clamp(std::lround(value), 0L, 255L));
}

/// A part of one byte a colour, or brightness as ITU-R BT.601 weighs it, in a larger whole.
struct Place {
  std::span<std::uint8_t> to;
  Shape shape;
  Extent margin{0, 0};
};

void draw(const Image& image, const Extent& size, const Place& place) {
  const auto across = blends(image.width, size.width), down = blends(image.height, size.height);
  const auto width = static_cast<std::size_t>(size.width);
  const auto row = static_cast<std::size_t>(image.width) * kColours;
  std::vector<float> narrow;  // all rows, each of the width wanted
  for (std::size_t begin = 0; begin < image.rgb.size(); begin += row)
    for (const Blend& blend : across) {
      const Colour colour = blended(blend, image.rgb.data() + begin, kColours);
      narrow.insert(narrow.end(), colour.begin(), colour.end());
    }
  const auto pixels = static_cast<std::size_t>(place.shape.pixels());
  for (std::size_t y = 0; y < down.size(); ++y) {
    std::size_t at = (y + static_cast<std::size_t>(place.margin.height)) *
                         static_cast<std::size_t>(place.shape.width) +
                     static_cast<std::size_t>(place.margin.width);
    for (std::size_t x = 0; x < width; ++x, ++at) {
      const Colour colour = blended(down[y], narrow.data() + x * kColours, width * kColours);
      if (place.shape.channels == 1)
        place.to[at] = to_byte(0.299F * colour[0] + 0.587F * colour[1] + 0.114F * colour[2]);
      else
        for (std::size_t c = 0; c < kColours; ++c) place.to[c * pixels + at] = to_byte(colour[c]);
    }
  }
}

SideMove move_into(int size, int margin, int frame) {
  return {static_cast<double>(size) / frame, static_cast<double>(margin) / frame};
}

}  // namespace

bool has_image_name(const std::filesystem::path& file) {
  std::string extension = file.extension().string();
  for (char& letter : extension)
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  return extension == ".png" || extension == ".jpg" || extension == ".jpeg";
}

Image read_image(const std::filesystem::path& file) {
  const MappedFile mapped{file};
  const std::string_view begin{reinterpret_cast<const char*>(mapped.bytes().data()),
                               std::min<std::size_t>(mapped.bytes().size(), 8)};
  if (begin.starts_with("\x89PNG")) return read_png(mapped);
  if (begin.starts_with("\xff\xd8")) return read_jpeg(mapped);
  refuse(file, "neither PNG nor JPEG");
}

void resize(const Image& image, const Shape& shape, std::span<std::uint8_t> to) {
  draw(image, {shape.height, shape.width}, {to, shape});
}

Letterbox letterbox_of(const Extent& image, const Shape& frame) {
  const double factor = std::min(static_cast<double>(frame.width) / image.width,
                                 static_cast<double>(frame.height) / image.height);
  const auto scaled = [&](int side) {
    return std::max(1, static_cast<int>(std::lround(factor * side)));
  };
  const Extent size{scaled(image.height), scaled(image.width)};
  return {size, {(frame.height - size.height) / 2, (frame.width - size.width) / 2}};
}

void letterbox(const Image& image, const Shape& shape, std::span<std::uint8_t> to) {
  constexpr std::uint8_t kGrey = 114;
  std::ranges::fill(to, kGrey);
  const Letterbox box = letterbox_of({image.height, image.width}, shape);
  draw(image, box.size, {to, shape, box.margin});
}

SideMove across_letterbox(const Extent& image, const Shape& frame) {
  const Letterbox box = letterbox_of(image, frame);
  return move_into(box.size.width, box.margin.width, frame.width);
}

SideMove down_letterbox(const Extent& image, const Shape& frame) {
  const Letterbox box = letterbox_of(image, frame);
  return move_into(box.size.height, box.margin.height, frame.height);
}

}  // namespace thimble
