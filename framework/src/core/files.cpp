#include <thimble/core/files.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/core/error.hpp>

namespace thimble {

namespace {

/// Where the first byte is that is no UTF-8, or no text at all.
std::optional<std::size_t> first_broken_byte(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t more = lead < 0x80   ? 0
                             : lead < 0xc2 ? 9
                             : lead < 0xe0 ? 1
                             : lead < 0xf0 ? 2
                             : lead < 0xf5 ? 3
                                           : 9;
    if (lead == 0 || i + more >= text.size()) return i;
    for (std::size_t j = 1; j <= more; ++j)
      if ((static_cast<unsigned char>(text[i + j]) & 0xc0) != 0x80) return i;
    i += more + 1;
  }
  return std::nullopt;
}

}  // namespace

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

std::string_view plain_text(std::string_view text, const std::string& file,
                            const std::string& note) {
  if (const auto broken = first_broken_byte(text)) {
    const auto above = text.substr(0, *broken);
    const Location where{file, 1 + static_cast<int>(std::ranges::count(above, '\n')),
                         static_cast<int>(*broken - above.rfind('\n'))};  // npos is -1
    throw InputError{Diagnostic{
        where, text[*broken] == '\0' ? "a NUL byte, not UTF-8 text" : "not UTF-8 text", note}};
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  return text;
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code trouble;
  std::filesystem::create_directories(folder, trouble);
  if (trouble)
    throw InputError{Diagnostic{{folder.string()},
                                "cannot be made a folder: " + trouble.message(),
                                "name a folder that you may write into"}};
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
  std::error_code trouble;
  const auto folder = std::filesystem::temp_directory_path(trouble);
  if (!trouble) return folder;
  throw InputError{"no folder for temporary files: what TMPDIR names is none",
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
