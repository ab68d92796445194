#include <thimble/core/parallel.hpp>

#include <memory>
#include <mutex>
#include <utility>

#include <tbb/global_control.h>
#include <tbb/parallel_pipeline.h>
#include <tbb/task_arena.h>
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

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

/// TBB hands work from thread to thread where the thread sanitizer cannot see it: what passed here
/// before is known to who waits here afterwards.
class Handover {
 public:
  void pass() {
#ifdef __SANITIZE_THREAD__
    __tsan_release(this);
#endif
  }
  void wait() {
#ifdef __SANITIZE_THREAD__
    __tsan_acquire(this);
#endif
  }
};

/// Does something when it ends, whatever is thrown.
template <class Then>
struct AtEnd {
  Then then;
  ~AtEnd() { then(); }
};
template <class Then>
AtEnd(Then) -> AtEnd<Then>;

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
  Handover begin, end;
  const auto number = [&](tbb::flow_control& flow) {
    if (next == count) flow.stop();
    return next++;
  };
  const auto run = [&](std::size_t i) {
    begin.wait();
    const AtEnd passing{[&] { end.pass(); }};
    const AtWork at_work;
    work(i);
  };
  begin.pass();
  const AtEnd waiting{[&] { end.wait(); }};
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
