#include <thimble/farm/local_engine.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>

namespace thimble {

Engine::~Engine() = default;

/// An array under way: each thread has one process after the other run, until no task is left.
class LocalEngine::Running {
 public:
  Running(Array array, std::string id, int workers) : array_{std::move(array)}, id_{std::move(id)} {
    const int count = std::min(workers, static_cast<int>(array_.tasks.size()));
    busy_ = count;
    for (int i = 0; i < count; ++i)
      threads_.emplace_back([this] {
        for (std::size_t next = next_++; next < array_.tasks.size() && !is_cancelled_;
             next = next_++)
          run(next);
        --busy_;
      });
  }
  ~Running() {
    is_cancelled_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

  bool is_alive() const { return busy_ > 0; }

 private:
  void run(std::size_t place) {
    ProcessLimits limits;
    limits.time = std::chrono::hours{24 * 365 * 10};
    limits.file_bytes = std::numeric_limits<std::size_t>::max();
    limits.output_bytes = std::size_t{64} << 20;
    limits.is_unwanted = &is_cancelled_;
    std::vector<std::string> arguments = array_.arguments;
    arguments.insert(arguments.end(), array_.tasks[place].begin(), array_.tasks[place].end());
    std::string log;
    try {
      const ProcessResult result = run_process(array_.program, arguments, array_.folder, limits);
      log = result.output + result.errors;
    } catch (const Interrupted&) {
      is_cancelled_ = true;
      return;
    } catch (const Error& error) {
      log = error.what();
    }
    try {
      write_file(array_.logs / fmt::format("{}_{}.log", id_, place), log);
    } catch (const Error&) {  // a full disk; what the worker's shard has is there all the same
    }
  }

  const Array array_;
  const std::string id_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<int> busy_ = 0;
  std::atomic<bool> is_cancelled_ = false;
  std::vector<std::thread> threads_;
};

LocalEngine::LocalEngine(int workers, std::vector<std::string> launcher)
    : workers_{workers}, launcher_{std::move(launcher)} {}
LocalEngine::~LocalEngine() = default;

Submission LocalEngine::submit(const Array& array) {
  std::string id = fmt::format("local{}-{}", ::getpid(), arrays_.size() + 1);
  Array launched = array;
  if (!launcher_.empty()) {
    launched.program = launcher_.front();
    launched.arguments.insert(launched.arguments.begin(), array.program.string());
    launched.arguments.insert(launched.arguments.begin(), launcher_.begin() + 1, launcher_.end());
  }
  arrays_[id] = std::make_unique<Running>(std::move(launched), id, workers_);
  return {id, array.tasks.size()};
}

bool LocalEngine::is_alive(const std::string& id) {
  const auto found = arrays_.find(id);
  return found != arrays_.end() && found->second->is_alive();
}

}  // namespace thimble
