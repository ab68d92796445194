#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include <thimble/core/export.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/held_file.hpp>

namespace thimble {

/// In a run's folder, of a point from 0: what a search that takes long keeps of itself, and the
/// weights that it leaves of what it found.
THIMBLE_EXPORT std::filesystem::path kept_search(const std::filesystem::path& run,
                                                 std::size_t point);
THIMBLE_EXPORT std::filesystem::path found_weights(const std::filesystem::path& run,
                                                   std::size_t point);

/// A run's folder, locked: two processes never write into one. Released with the object.
class THIMBLE_EXPORT RunFolder {
 public:
  /// A new folder parent/time-identity. It is discarded unless kept.
  static RunFolder create(const std::filesystem::path& parent, const std::string& identity);
  /// The newest folder of this identity, or a new one, and a line that says so. A complete one is
  /// taken too: its values are in its store, and the same result comes of them.
  static RunFolder resume(const std::filesystem::path& parent, const std::string& identity,
                          const std::function<void(const std::string&)>& say);

  RunFolder(RunFolder&& other) noexcept;
  RunFolder& operator=(RunFolder&&) = delete;
  ~RunFolder();

  const std::filesystem::path& path() const noexcept { return path_; }
  bool is_new() const noexcept { return parent_.has_value(); }
  /// Takes the folder away with the object, all in it, and those above it that were made for it
  /// alone.
  void discard() noexcept { is_discarded_ = true; }
  void keep() noexcept { is_discarded_ = false; }

 private:
  explicit RunFolder(std::filesystem::path path, std::optional<MadeFolder> parent = {});

  std::optional<MadeFolder> parent_;
  std::filesystem::path path_;
  std::optional<HeldFile> held_;
  bool is_discarded_ = false;
};

}  // namespace thimble
