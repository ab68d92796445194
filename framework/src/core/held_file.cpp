#include <thimble/core/held_file.hpp>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

struct Holder {
  std::string host;
  pid_t process = 0;
};

fs::path said_beside(const fs::path& file) { return file.string() + ".held"; }

/// Nothing where there is no such file.
std::optional<Holder> holder_in(const fs::path& said) {
  Holder holder;
  std::ifstream stream{said};
  return stream >> holder.process >> holder.host ? std::optional{holder} : std::nullopt;
}

bool is_gone(const std::optional<Holder>& holder) {
  return !holder || is_over(holder->host, holder->process);
}

[[noreturn]] void cannot_write(const fs::path& file, int trouble) {
  throw Error{fmt::format("cannot write '{}': {}", file.string(), std::strerror(trouble)),
              "is there such a folder, and may you write into it?"};
}

/// Whether this process is the one that says so. A link appears with all that the file says.
bool say_so(const fs::path& said) {
  const fs::path own = fmt::format("{}.{}.{}", said.string(), host_name(), ::getpid());
  write_file(own, fmt::format("{} {}\n", ::getpid(), host_name()));
  int trouble = 0;
  for (const bool may_try_again : {true, false}) {
    trouble = ::link(own.c_str(), said.c_str()) == 0 ? 0 : errno;
    if (trouble != EEXIST || !may_try_again || !is_gone(holder_in(said))) break;
    ::unlink(said.c_str());
  }
  ::unlink(own.c_str());
  if (trouble != 0 && trouble != EEXIST) cannot_write(said, trouble);
  return trouble == 0;
}

bool has_no_locks(int trouble) {
  return trouble == ENOLCK || trouble == ENOSYS || trouble == EOPNOTSUPP || trouble == EINVAL;
}

}  // namespace

HeldFile::HeldFile(fs::path file, int descriptor)
    : file_{std::move(file)}, descriptor_{descriptor} {}

HeldFile::HeldFile(HeldFile&& other) noexcept
    : file_{std::move(other.file_)},
      descriptor_{std::exchange(other.descriptor_, -1)},
      said_{std::exchange(other.said_, {})} {}

HeldFile::~HeldFile() {
  if (!said_.empty()) ::unlink(said_.c_str());
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::optional<HeldFile> HeldFile::take(const fs::path& file) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) cannot_write(file, errno);
  HeldFile made{file, descriptor};
  if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return made;
  if (errno == EWOULDBLOCK || errno == EINTR) return {};
  if (!has_no_locks(errno)) cannot_write(file, errno);
  if (!say_so(said_beside(file))) return {};
  made.said_ = said_beside(file);
  return made;
}

bool HeldFile::is_still_there() const {
  struct stat held {
  }, there{};
  return ::fstat(descriptor_, &held) == 0 && ::stat(file_.c_str(), &there) == 0 &&
         held.st_ino == there.st_ino;
}

std::string who_holds(const fs::path& file) {
  const fs::path said = said_beside(file);
  const auto holder = holder_in(said);
  return holder ? fmt::format("; {} names process {} of {}: if that is over, remove it",
                              said.string(), holder->process, holder->host)
                : "";
}

}  // namespace thimble
