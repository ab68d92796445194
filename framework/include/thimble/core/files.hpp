#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/held_file.hpp>

namespace thimble {

/// The whole file; InputError when it cannot be read, is no file but a folder, a device or a pipe
/// (other than what the program was started with, such as /dev/stdin), or exceeds `limit_bytes`.
THIMBLE_EXPORT std::string read_file(const std::filesystem::path& file,
                                     std::size_t limit_bytes = std::size_t{1} << 30);

/// Makes a folder and those above it. Throws InputError when that cannot be.
THIMBLE_EXPORT void make_folder(const std::filesystem::path& folder);

/// A folder and those above it. Those that it made go with it again while they are empty, so that
/// what fails leaves no trace.
class THIMBLE_EXPORT MadeFolder {
 public:
  /// Throws InputError when it cannot be made.
  explicit MadeFolder(const std::filesystem::path& folder);
  MadeFolder(MadeFolder&&) noexcept = default;
  MadeFolder& operator=(MadeFolder&&) = delete;
  ~MadeFolder();

 private:
  std::vector<std::filesystem::path> made_;  ///< the lowest first
};

/// Writes beside the file and renames over it, so that no reader ever sees half of it. What a
/// process that was killed had written of the file goes.
THIMBLE_EXPORT void write_file(const std::filesystem::path& file, std::string_view text);

using NamedText = std::pair<std::filesystem::path, std::string_view>;

/// Likewise, all or none: the first is renamed when the last is written.
THIMBLE_EXPORT void write_files(const std::vector<NamedText>& files);

/// Removes what a process that was killed had not written to the end, in a folder and below. Nobody
/// may be writing there.
THIMBLE_EXPORT void remove_unfinished(const std::filesystem::path& folder);

/// Keeps others that ask for the same out while it lives: who reads a file, changes it and writes
/// it back holds one. It lies beside the file as FILE.lock, a HeldFile.
class THIMBLE_EXPORT FileLock {
 public:
  /// Waits for its turn. Throws Error when the folder is missing or cannot be written into, and
  /// Interrupted when a stop is requested meanwhile.
  explicit FileLock(const std::filesystem::path& file);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  std::filesystem::path lock_;
  std::optional<HeldFile> held_;
};

/// Where temporary files go: TMPDIR, else /tmp. Throws InputError that names TMPDIR when it is no
/// folder.
THIMBLE_EXPORT std::filesystem::path folder_for_temporaries();

/// A fresh folder below the system's one for temporary files, removed with everything in it.
class THIMBLE_EXPORT TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace thimble
