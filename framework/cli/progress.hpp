#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>

namespace thimble::cli {

/// A line that renews itself on a terminal, and a plain line now and then elsewhere; on standard
/// error. Thread safe.
class Progress {
 public:
  using Clock = std::chrono::steady_clock;

  /// `now` tells the time.
  explicit Progress(bool is_quiet, std::function<Clock::time_point()> now = Clock::now);

  /// Candidates scored in a point; 0 expected: nobody knows.
  void scored(std::int64_t done, std::int64_t expected, std::size_t point, std::size_t points);
  /// Parts of all that is handed out.
  void farmed(std::int64_t done, std::int64_t all);
  /// Epochs of all trainings.
  void trained(std::int64_t done, std::int64_t all);
  /// A line that stays.
  void say(const std::string& line);
  void clear() const;

 private:
  /// `what` is done since it was first told of.
  void tell(const std::string& what, const std::string& head, const char* unit, std::int64_t done,
            std::int64_t expected);

  bool is_quiet_;
  bool is_terminal_;
  std::function<Clock::time_point()> now_;
  std::mutex mutex_;
  std::string what_;
  std::int64_t first_ = 0;  ///< how many were done when it was first told of
  Clock::time_point start_;
  Clock::time_point last_;
};

}  // namespace thimble::cli
