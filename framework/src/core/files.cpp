#include <thimble/core/files.hpp>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/core/error.hpp>

namespace thimble {

std::string read_file(const std::filesystem::path& file, std::size_t limit_bytes) {
  const auto refuse = [&](const std::string& why, const std::string& note = {}) {
    return InputError{Diagnostic{{file.string()}, why, note}};
  };
  std::error_code trouble;
  const auto status = std::filesystem::status(file, trouble);
  if (!std::filesystem::exists(status)) throw refuse("no such file", "check the path");
  if (std::filesystem::is_directory(status)) throw refuse("is a folder, not a file");
  std::ifstream stream{file, std::ios::binary};
  if (!stream) throw refuse(fmt::format("cannot be read: {}", std::strerror(errno)));
  std::string text;
  std::string block(std::size_t{1} << 16, '\0');
  while (stream.read(block.data(), static_cast<std::streamsize>(block.size())) ||
         stream.gcount() > 0) {
    text.append(block, 0, static_cast<std::size_t>(stream.gcount()));
    if (text.size() > limit_bytes)
      throw refuse(fmt::format("larger than the {} bytes that are read at most", limit_bytes));
  }
  return text;
}

void write_file(const std::filesystem::path& file, std::string_view text) {
  const auto part = std::filesystem::path{file.string() + fmt::format(".part{}", ::getpid())};
  {
    std::ofstream stream{part, std::ios::binary | std::ios::trunc};
    stream.write(text.data(), static_cast<std::streamsize>(text.size()));
    stream.flush();
    if (!stream) {
      const std::string why = std::strerror(errno);
      std::error_code ignored;
      std::filesystem::remove(part, ignored);
      throw Error{fmt::format("cannot write '{}': {}", file.string(), why)};
    }
  }
  std::error_code trouble;
  std::filesystem::rename(part, file, trouble);
  if (!trouble) return;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  throw Error{fmt::format("cannot write '{}': {}", file.string(), trouble.message())};
}

namespace {

/// False when the one before removed the lock that was waited for.
bool is_still_there(int descriptor, const std::filesystem::path& lock) {
  struct stat held {
  }, there{};
  return ::fstat(descriptor, &held) == 0 && ::stat(lock.c_str(), &there) == 0 &&
         held.st_ino == there.st_ino;
}

}  // namespace

FileLock::FileLock(const std::filesystem::path& file) : lock_{file.string() + ".lock"} {
  for (;;) {
    descriptor_ = ::open(lock_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX) != 0)
      throw Error{fmt::format("cannot write '{}': {}", lock_.string(), std::strerror(errno)),
                  "is there such a folder, and may you write into it?"};
    if (is_still_there(descriptor_, lock_)) return;
    ::close(descriptor_);
  }
}

FileLock::~FileLock() {
  ::unlink(lock_.c_str());
  ::close(descriptor_);
}

std::filesystem::path folder_for_temporaries() {
  const char* const named = std::getenv("TMPDIR");
  const std::filesystem::path folder = named != nullptr && *named != '\0' ? named : "/tmp";
  std::error_code trouble;
  if (std::filesystem::is_directory(folder, trouble)) return folder;
  throw InputError{fmt::format("no folder for temporary files: '{}' is none", folder.string()),
                   "let TMPDIR name a folder that you may write into"};
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (folder_for_temporaries() / "thimble-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr)
    throw Error{fmt::format("cannot make the folder '{}': {}", pattern, std::strerror(errno)),
                "is the disk full? TMPDIR can name another folder for temporary files"};
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace thimble
