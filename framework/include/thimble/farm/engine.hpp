#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// What is to be run once for each of several tasks.
struct Array {
  std::filesystem::path program;
  std::vector<std::string> arguments;  ///< the names of a task's parts come behind them
  std::filesystem::path folder;        ///< to run it in
  /// The parts that one process computes, one behind the other.
  std::vector<std::vector<std::string>> tasks;
  std::size_t at_once = 0;     ///< that many tasks the engine runs at a time; 0: nobody knows
  std::filesystem::path logs;  ///< what the one at place i says goes to logs/ID_i.log, where it can
};

/// What an engine has taken in.
struct Submission {
  std::string id;
  std::size_t tasks = 0;  ///< the first so many of an array
};

/// Whoever has processes to give. It need not be reliable: who asks looks at what the processes
/// left, and asks again. Not thread safe.
class THIMBLE_EXPORT Engine {
 public:
  virtual ~Engine();
  /// Has it started, some time, or as much of it as can be taken at once. Throws InputError when
  /// the engine refuses.
  virtual Submission submit(const Array& array) = 0;
  /// Whether any of it is running or may still start; of an engine that gives no answer, and so of
  /// one that is down for a while, it is assumed. An id that is unknown is of something that ended.
  /// When it has, all that its processes wrote can be seen here.
  virtual bool is_alive(const std::string& id) = 0;
};

}  // namespace thimble
