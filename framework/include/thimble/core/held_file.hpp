#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <thimble/core/export.hpp>

namespace thimble {

/// A file that one process at a time holds: from take() on until this is destroyed, or the process
/// dies. The system sees to it. On file systems that have no locks, as some of clusters have none,
/// a second file, FILE.held, says who holds it; it counts no more when it names a process of this
/// machine that is gone. (Two that find the same dead one at the same moment may both hold it.)
class THIMBLE_EXPORT HeldFile {
 public:
  /// Makes the file where it is missing. Nothing while another process holds it. Throws Error when
  /// it cannot be written.
  static std::optional<HeldFile> take(const std::filesystem::path& file);

  HeldFile(HeldFile&& other) noexcept;
  HeldFile& operator=(HeldFile&&) = delete;
  ~HeldFile();

  /// False when who held it before has removed the file that was waited for.
  bool is_still_there() const;

 private:
  HeldFile(std::filesystem::path file, int descriptor);

  std::filesystem::path file_;
  int descriptor_;
  std::filesystem::path said_{};  ///< where the system has no locks
};

/// "; FILE.held names process 12 of node3: if that is over, remove it", or nothing.
THIMBLE_EXPORT std::string who_holds(const std::filesystem::path& file);

}  // namespace thimble
