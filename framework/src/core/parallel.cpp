#include <thimble/core/parallel.hpp>

#include <memory>
#include <mutex>
#include <utility>

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>

namespace thimble {
namespace {

/// Whether this thread is at work that in_parallel() gave it.
thread_local bool is_at_work = false;

class AtWork {
 public:
  AtWork() : was_{std::exchange(is_at_work, true)} {}
  ~AtWork() { is_at_work = was_; }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

 private:
  bool was_;
};

/// TBB goes by the least of all such wishes: there is one, the largest so far.
void allow_threads(std::size_t wanted) {
  using Control = tbb::global_control;
  static std::mutex mutex;
  static std::unique_ptr<Control> wish;
  const std::scoped_lock lock{mutex};
  if (wanted > Control::active_value(Control::max_allowed_parallelism))
    wish = std::make_unique<Control>(Control::max_allowed_parallelism, wanted);
}

void pipe(int jobs, std::size_t count, const std::function<void(std::size_t)>& work) {
  std::size_t next = 0;
  const auto number = [&](tbb::flow_control& flow) {
    if (next == count) flow.stop();
    return next++;
  };
  const auto run = [&](std::size_t i) {
    const AtWork at_work;
    work(i);
  };
  tbb::parallel_pipeline(
      static_cast<std::size_t>(jobs),
      tbb::make_filter<void, std::size_t>(tbb::filter_mode::serial_in_order, number) &
          tbb::make_filter<std::size_t, void>(tbb::filter_mode::parallel, run));
}

}  // namespace

void in_parallel(int jobs, std::size_t count, const std::function<void(std::size_t)>& work) {
  if (jobs == 1 || count < 2) {
    for (std::size_t i = 0; i < count; ++i) work(i);
  } else if (is_at_work) {
    tbb::this_task_arena::isolate([&] { pipe(jobs, count, work); });
  } else {
    allow_threads(static_cast<std::size_t>(jobs));
    tbb::task_arena{jobs}.execute([&] { pipe(jobs, count, work); });
  }
}

}  // namespace thimble
