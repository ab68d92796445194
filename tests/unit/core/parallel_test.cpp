#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/parallel.hpp>

namespace thimble::parallel_test {
namespace {

/// Who meets here at the same time; each waits a while for as many as are wanted.
class Meeting {
 public:
  explicit Meeting(int wanted) : wanted_{wanted} {}
  void attend() {
    std::unique_lock lock{mutex_};
    threads_.insert(std::this_thread::get_id());
    most_ = std::max(most_, ++present_);
    changed_.notify_all();
    changed_.wait_for(lock, std::chrono::seconds{10}, [&] { return most_ >= wanted_; });
    --present_;
  }
  int most() const { return most_; }
  std::size_t threads() const { return threads_.size(); }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::set<std::thread::id> threads_;
  int wanted_, present_ = 0, most_ = 0;
};

TEST(InParallel, DoesEverythingOnce) {
  for (const int jobs : {1, 2, 7}) {
    std::vector<std::atomic<int>> done(100);
    in_parallel(jobs, done.size(), [&](std::size_t i) { ++done[i]; });
    for (const auto& times : done) EXPECT_EQ(times, 1);
    in_parallel(jobs, 0, [](std::size_t) { FAIL(); });
  }
}

TEST(InParallel, HonoursMoreJobsThanCores) {
  const int jobs = static_cast<int>(std::thread::hardware_concurrency()) + 2;
  Meeting meeting{jobs};
  in_parallel(jobs, 4 * static_cast<std::size_t>(jobs), [&](std::size_t) { meeting.attend(); });
  EXPECT_EQ(meeting.most(), jobs);
  Meeting smaller{2};
  in_parallel(2, 8, [&](std::size_t) { smaller.attend(); });
  EXPECT_EQ(smaller.most(), 2) << "afterwards as few as asked for";
}

TEST(InParallel, TakesNoMoreThreadsWithinItsWork) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  std::atomic<int> done = 0;
  in_parallel(3, 6, [&](std::size_t) {
    in_parallel(3, 20, [&](std::size_t) {
      ++done;
      const std::scoped_lock lock{mutex};
      threads.insert(std::this_thread::get_id());
    });
  });
  EXPECT_EQ(done, 6 * 20);
  EXPECT_LE(threads.size(), 3U);
}

/// Guards and thread-local settings of one piece of work must not meet another's.
TEST(InParallel, BeginsNoOtherWorkWhileOneWaits) {
  thread_local bool is_busy = false;
  std::atomic<int> nested = 0;
  in_parallel(3, 30, [&](std::size_t) {
    nested += is_busy ? 1 : 0;
    is_busy = true;
    in_parallel(3, 8,
                [](std::size_t) { std::this_thread::sleep_for(std::chrono::microseconds{200}); });
    is_busy = false;
  });
  EXPECT_EQ(nested, 0);
}

TEST(InParallel, HandsOnWhatIsThrown) {
  for (const int jobs : {1, 3}) {
    const auto fail = [&](std::size_t i) {
      if (i == 5) throw std::runtime_error{"five"};
    };
    EXPECT_THROW(in_parallel(jobs, 20, fail), std::runtime_error);
    std::atomic<int> done = 0;
    in_parallel(jobs, 4, [&](std::size_t) { ++done; });
    EXPECT_EQ(done, 4) << "and works again";
  }
}

}  // namespace
}  // namespace thimble::parallel_test
