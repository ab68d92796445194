#include <thimble/run/run_folder.hpp>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShortIdentity = 8;

std::string short_identity(const std::string& identity) {
  return identity.substr(0, kShortIdentity);
}

std::vector<fs::path> folders_of(const fs::path& parent, const std::string& identity) {
  std::vector<fs::path> folders;
  std::error_code trouble;
  for (fs::directory_iterator it{parent, trouble}, end; !trouble && it != end;
       it.increment(trouble))
    if (it->path().filename().string().find("-" + short_identity(identity)) != std::string::npos)
      folders.push_back(it->path());
  std::ranges::sort(folders);
  return folders;
}

}  // namespace

RunFolder::RunFolder(fs::path path, std::optional<MadeFolder> parent)
    : parent_{std::move(parent)}, path_{std::move(path)} {
  const fs::path file = path_ / ".lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) throw Error{fmt::format("cannot write into '{}'", path_.string())};
  if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw InputError{Diagnostic{{path_.string()},
                                "another thimble is running in this folder",
                                "wait for it, or run without --resume"}};
  }
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : parent_{std::move(other.parent_)},
      path_{std::move(other.path_)},
      lock_{std::exchange(other.lock_, -1)},
      is_discarded_{std::exchange(other.is_discarded_, false)} {}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (is_discarded_) fs::remove_all(path_, ignored);
  if (lock_ >= 0) ::close(lock_);
}

RunFolder RunFolder::create(const fs::path& parent, const std::string& identity) {
  MadeFolder made{parent};
  const auto now = std::chrono::system_clock::now();
  const std::string stem =
      fmt::format("{:%Y%m%d-%H%M%S}-{}", fmt::gmtime(std::chrono::system_clock::to_time_t(now)),
                  short_identity(identity));
  for (int attempt = 1;; ++attempt) {
    const fs::path path = parent / (attempt == 1 ? stem : fmt::format("{}-{}", stem, attempt));
    std::error_code trouble;
    if (fs::create_directory(path, trouble)) {
      RunFolder folder{path, std::move(made)};
      folder.discard();
      return folder;
    }
    if (trouble)
      throw InputError{Diagnostic{{path.string()},
                                  "cannot be made: " + trouble.message(),
                                  "name another place with --output DIR"}};
  }
}

RunFolder RunFolder::resume(const fs::path& parent, const std::string& identity,
                            const std::function<void(const std::string&)>& say) {
  const auto folders = folders_of(parent, identity);
  if (folders.empty()) {
    say(
        fmt::format("nothing to resume in '{}': no run there is of this experiment and these data; "
                    "beginning anew",
                    parent.string()));
    return create(parent, identity);
  }
  say("going on in " + folders.back().string());
  RunFolder folder{folders.back()};
  remove_unfinished(folder.path());
  return folder;
}

}  // namespace thimble
