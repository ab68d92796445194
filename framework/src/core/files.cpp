#include <thimble/core/files.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <regex>
#include <system_error>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

/// Other pipes may never be written to, and whoever opens one waits for that.
bool is_handed_over(const std::filesystem::path& file) {
  return file == "/dev/stdin" || file.parent_path() == "/dev/fd";
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
  if (!std::filesystem::is_regular_file(status) && !is_handed_over(file))
    throw refuse("is a pipe or a device, not a file", "write what comes from it into a file");
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

namespace {

/// Errors of the system are returned as errno has them; 0: none.
int write_synced(const std::filesystem::path& file, std::string_view text) {
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (descriptor < 0) return errno;
  int trouble = 0;
  while (!text.empty() && trouble == 0) {
    const auto written = ::write(descriptor, text.data(), text.size());
    if (written >= 0) text.remove_prefix(static_cast<std::size_t>(written));
    if (written < 0 && errno != EINTR) trouble = errno;
  }
  // Else a crash of the machine can leave the new name with nothing in it.
  if (trouble == 0 && ::fsync(descriptor) != 0 && errno != EINVAL) trouble = errno;
  if (::close(descriptor) != 0 && trouble == 0) trouble = errno;
  return trouble;
}

/// What a file is called until it is whole: FILE.partPROCESS-COUNT-HOST.
const std::regex& unfinished() {
  static const std::regex kName{R"((.*)\.part(\d+)-\d+-(.+))"};
  return kName;
}

/// Of processes that were killed while they wrote this file. Others may be writing it now.
void remove_remains(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  std::error_code trouble;
  std::vector<std::filesystem::path> found;
  for (std::filesystem::directory_iterator it{file.parent_path() / ".", trouble}, end;
       !trouble && it != end; it.increment(trouble)) {
    const std::string other = it->path().filename().string();
    std::smatch parts;
    if (other.starts_with(name + ".part") && std::regex_match(other, parts, unfinished()) &&
        parts[1] == name && is_over(parts[3], parse_integer(parts[2].str()).value_or(0)))
      found.push_back(it->path());
  }
  for (const auto& part : found) std::filesystem::remove(part, trouble);
}

}  // namespace

void write_file(const std::filesystem::path& file, std::string_view text) {
  write_files({{file, text}});
}

void write_files(const std::vector<NamedText>& files) {
  static std::atomic<int> count = 0;  // two threads may write one file
  const std::string ending = fmt::format(".part{}-{}-{}", ::getpid(), count++, host_name());
  const auto part_of = [&](const std::filesystem::path& file) { return file.string() + ending; };
  const auto give_up = [&](const std::filesystem::path& file, int trouble) {
    for (const auto& [other, text] : files) ::unlink(part_of(other).c_str());
    throw Error{fmt::format("cannot write '{}': {}", file.string(), std::strerror(trouble))};
  };
  for (const auto& [file, text] : files) {
    remove_remains(file);
    if (const int trouble = write_synced(part_of(file), text); trouble != 0) give_up(file, trouble);
  }
  for (const auto& [file, text] : files)
    if (::rename(part_of(file).c_str(), file.c_str()) != 0) give_up(file, errno);
}

void remove_unfinished(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::recursive_directory_iterator{folder})
    if (std::regex_match(entry.path().filename().string(), unfinished()))
      found.push_back(entry.path());
  for (const auto& file : found) std::filesystem::remove(file);
}

void make_folder(const std::filesystem::path& folder) {
  std::error_code trouble;
  std::filesystem::create_directories(folder, trouble);
  if (trouble)
    throw InputError{Diagnostic{{folder.string()},
                                "cannot be made a folder: " + trouble.message(),
                                "name a folder that you may write into"}};
}

MadeFolder::MadeFolder(const std::filesystem::path& folder) {
  std::error_code ignored;  // make_folder() finds the same again
  for (auto missing = std::filesystem::absolute(folder).lexically_normal();
       missing.has_relative_path() && !std::filesystem::exists(missing, ignored);
       missing = missing.parent_path())
    made_.push_back(missing);
  make_folder(folder);
}

MadeFolder::~MadeFolder() {
  std::error_code is_not_empty;
  for (const auto& folder : made_) std::filesystem::remove(folder, is_not_empty);
}

FileLock::FileLock(const std::filesystem::path& file) : lock_{file.string() + ".lock"} {
  for (;;) {
    if (auto held = HeldFile::take(lock_)) {
      if (held->is_still_there()) {
        held_.emplace(std::move(*held));
        return;
      }
      continue;
    }
    // Not the system's own waiting: whoever is asked to stop meanwhile shall do so.
    stop_if_requested();
    std::this_thread::sleep_for(std::chrono::milliseconds{20});
  }
}

FileLock::~FileLock() { ::unlink(lock_.c_str()); }

std::filesystem::path folder_for_temporaries() {
  std::error_code trouble;
  auto folder = std::filesystem::temp_directory_path(trouble);
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
