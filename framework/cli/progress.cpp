#include "progress.hpp"

#include <cstdio>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

namespace thimble::cli {

Progress::Progress(bool is_quiet, std::function<Clock::time_point()> now)
    : is_quiet_{is_quiet}, is_terminal_{isatty(STDERR_FILENO) != 0}, now_{std::move(now)} {}

void Progress::scored(std::int64_t done, std::int64_t expected, std::size_t point,
                      std::size_t points) {
  tell("point " + std::to_string(point),
       points > 1 ? fmt::format("point {} of {}: ", point + 1, points) : "", "done", done,
       expected);
}

void Progress::trained(std::int64_t done, std::int64_t all) {
  tell("training", "training: ", "epochs", done, all);
}

void Progress::farmed(std::int64_t done, std::int64_t all) {
  tell("farm", "farm: ", "parts", done, all);
}

void Progress::tell(const std::string& what, const std::string& head, const char* unit,
                    std::int64_t done, std::int64_t expected) {
  const std::scoped_lock lock{mutex_};
  const auto now = now_();
  if (what != what_) {
    what_ = what;
    first_ = done;
    start_ = now;
  }
  const auto pause = is_terminal_ ? std::chrono::milliseconds{200} : std::chrono::seconds{10};
  if (is_quiet_ || now - last_ < pause) return;
  last_ = now;
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_) / seconds : 0;
  std::string text = head + (expected > 0 ? fmt::format("{} of {} {}", done, expected, unit)
                                          : fmt::format("{} {}", done, unit));
  if (rate > 0)
    text += rate < 1 ? fmt::format(", {:.1f} s each", 1 / rate)
                     : fmt::format(", {:.1f} a second", rate);
  if (expected > done && rate > 0)
    text += fmt::format(", {:.0f} s left", static_cast<double>(expected - done) / rate);
  std::fprintf(stderr, is_terminal_ ? "\r\x1b[K%s" : "%s\n", text.c_str());
}

void Progress::say(const std::string& line) {
  const std::scoped_lock lock{mutex_};
  if (!is_quiet_) std::fprintf(stderr, is_terminal_ ? "\r\x1b[K%s\n" : "%s\n", line.c_str());
}

void Progress::clear() const {
  if (is_terminal_ && !is_quiet_) std::fprintf(stderr, "\r\x1b[K");
}

}  // namespace thimble::cli
