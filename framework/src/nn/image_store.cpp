#include <thimble/nn/image_store.hpp>

#include <algorithm>
#include <cstring>

#include <sys/stat.h>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/image_file.hpp>

namespace thimble {
namespace {

/// Of an original, before the bytes of all images.
constexpr std::size_t kSidesBytes = 2 * sizeof(std::int32_t);

/// Tells files apart by name, size and the time of the last change, and sizes asked for. That time
/// cannot be set, as that of the last writing can, which copies keep.
std::string cache_key(const std::vector<std::filesystem::path>& files, const Shape& shape,
                      ImageFit fit) {
  std::string text = fmt::format("{} {}", to_string(shape), static_cast<int>(fit));
  for (const std::filesystem::path& file : files) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0)
      throw InputError{
          Diagnostic{{file.string()}, "no such image", "what lists the images names it"}};
    text += fmt::format("\n{} {} {} {}", std::filesystem::absolute(file).string(), found.st_size,
                        found.st_ctim.tv_sec, found.st_ctim.tv_nsec);
  }
  return hex(fingerprint(text));
}

}  // namespace

ImageStore::ImageStore(const std::vector<std::filesystem::path>& files, const Shape& shape,
                       ImageFit fit, const std::filesystem::path& folder, const Context& context)
    : count_{std::ssize(files)}, shape_{shape} {
  const std::size_t size = files.size() * (kSidesBytes + at(shape.elements()));
  const auto cache = context.cache_folder / "images" / (cache_key(files, shape, fit) + ".bin");
  std::error_code ignored;
  if (!context.cache_folder.empty() && std::filesystem::file_size(cache, ignored) == size) {
    mapped_.emplace(cache);
    return;
  }
  decoded_ = decode(files, fit, folder, context);
  if (context.cache_folder.empty()) return;
  try {
    make_folder(cache.parent_path());
    write_file(cache, decoded_);
    mapped_.emplace(cache);
    decoded_ = {};
  } catch (const Error&) {
    context.log("decoded images cannot be kept for the next time: " + what_was_thrown());
  }
}

std::string ImageStore::decode(const std::vector<std::filesystem::path>& files, ImageFit fit,
                               const std::filesystem::path& folder, const Context& context) const {
  context.log("reading " + count_text(count_, "image") + " of " + folder.string());
  const std::size_t size = at(shape_.elements());
  std::string all(files.size() * (kSidesBytes + size), '\0');
  const std::span<std::uint8_t> bytes{reinterpret_cast<std::uint8_t*>(all.data()), all.size()};
  const auto pixels = bytes.subspan(files.size() * kSidesBytes);
  for (std::size_t i = 0; i < files.size(); ++i) {
    stop_if_requested();
    const Image image = read_image(files[i]);
    const std::int32_t sides[]{image.height, image.width};
    std::memcpy(bytes.data() + i * kSidesBytes, sides, kSidesBytes);
    (fit == ImageFit::stretch ? resize : letterbox)(image, shape_, pixels.subspan(i * size, size));
  }
  return all;
}

std::span<const std::byte> ImageStore::bytes() const {
  if (mapped_) return std::as_bytes(mapped_->bytes());
  return std::as_bytes(std::span{decoded_});
}

Extent ImageStore::original(std::int64_t image) const {
  std::int32_t sides[2];
  std::memcpy(sides, bytes().subspan(at(image) * kSidesBytes).data(), kSidesBytes);
  return {sides[0], sides[1]};
}

std::uint64_t ImageStore::fingerprint() const {
  return fingerprint_of_data(bytes(), thimble::fingerprint(to_string(shape_)));
}

void ImageStore::read(std::int64_t image, std::span<float> to) const {
  const auto from =
      bytes().subspan(at(count_) * kSidesBytes + at(image * shape_.elements()), to.size());
  std::ranges::transform(from, to.begin(),
                         [](std::byte value) { return static_cast<float>(value); });
}

}  // namespace thimble
