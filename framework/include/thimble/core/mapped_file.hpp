#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

#include <thimble/core/export.hpp>

namespace thimble {

/// A file mapped into memory, to be read: opening costs nothing, and only what is looked at is
/// read. It must not shrink while this object lives. const is thread safe.
class THIMBLE_EXPORT MappedFile {
 public:
  /// Throws InputError that names the file when it is missing, unreadable or no file.
  explicit MappedFile(const std::filesystem::path& file);

  const std::filesystem::path& path() const noexcept { return path_; }
  std::span<const std::uint8_t> bytes() const noexcept {
    return {data_.get(), data_.get_deleter().bytes};
  }

 private:
  struct Unmap {
    std::size_t bytes;
    void operator()(const std::uint8_t* data) const noexcept;
  };
  std::filesystem::path path_;
  std::unique_ptr<const std::uint8_t, Unmap> data_{nullptr, Unmap{0}};
};

}  // namespace thimble
