#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/context.hpp>
#include <thimble/core/export.hpp>
#include <thimble/core/mapped_file.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// How images of any size are brought to one.
enum class ImageFit { stretch, letterbox };

/// Image files, decoded and resized once and kept as bytes in `images/` of the cache folder.
/// Reading is thread safe.
class THIMBLE_EXPORT ImageStore {
 public:
  /// shape: of one channel (brightness) or three. `folder` is what the log calls them. Throws
  /// InputError that names a file that is no image, or damaged.
  ImageStore(const std::vector<std::filesystem::path>& files, const Shape& shape, ImageFit fit,
             const std::filesystem::path& folder, const Context& context);

  std::int64_t size() const noexcept { return count_; }
  /// The sides of a file's image, as it is there.
  Extent original(std::int64_t image) const;
  /// Of all bytes and sides.
  std::uint64_t fingerprint() const;
  /// One image, C x H x W, 0 to 255.
  void read(std::int64_t image, std::span<float> to) const;

 private:
  std::string decode(const std::vector<std::filesystem::path>& files, ImageFit fit,
                     const std::filesystem::path& folder, const Context& context) const;
  std::span<const std::byte> bytes() const;

  std::int64_t count_;
  Shape shape_;
  std::optional<MappedFile> mapped_;  ///< the cache, or else
  std::string decoded_;
};

}  // namespace thimble
