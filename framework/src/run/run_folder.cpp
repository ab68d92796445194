#include <thimble/run/run_folder.hpp>

#include <algorithm>
#include <chrono>
#include <utility>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

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

fs::path kept_search(const fs::path& run, std::size_t point) {
  return run / fmt::format("search{}.safetensors", point + 1);
}
fs::path found_weights(const fs::path& run, std::size_t point) {
  return run / fmt::format("found{}.safetensors", point + 1);
}

RunFolder::RunFolder(fs::path path, std::optional<MadeFolder> parent)
    : parent_{std::move(parent)}, path_{std::move(path)} {
  const fs::path file = path_ / ".lock";
  if (auto held = HeldFile::take(file))
    held_.emplace(std::move(*held));
  else
    throw InputError{Diagnostic{{path_.string()},
                                "another thimble is running in this folder",
                                "wait for it, or run without --resume" + who_holds(file)}};
}

RunFolder::RunFolder(RunFolder&& other) noexcept
    : parent_{std::move(other.parent_)},
      path_{std::move(other.path_)},
      held_{std::move(other.held_)},
      is_discarded_{std::exchange(other.is_discarded_, false)} {}

RunFolder::~RunFolder() {
  std::error_code ignored;
  if (is_discarded_) fs::remove_all(path_, ignored);
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
