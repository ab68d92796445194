#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/farm/engine.hpp>
#include <thimble/farm/part.hpp>
#include <thimble/farm/shard.hpp>

namespace thimble {

/// What all parts of a run have in common.
struct FarmOrder {
  std::filesystem::path run;  ///< its folder
  Array array;                ///< but for its tasks
  std::function<void(const std::string&)> say = [](const std::string&) {};
  /// Parts that are done.
  std::function<void(std::int64_t done, std::int64_t all)> progress = [](std::int64_t,
                                                                         std::int64_t) {};
  /// Called with the ids of what has just been submitted; what it throws ends compute().
  std::function<void(const std::vector<std::string>&)> submitted =
      [](const std::vector<std::string>&) {};
};

/// Has parts of a run computed by an engine's processes. All that it knows lies in RUN/farm: who is
/// killed and begins again finds the shards, and the arrays that still run.
class THIMBLE_EXPORT Farm {
 public:
  Farm(FarmOrder order, Engine& engine);

  /// Returns when every part has been computed. What is missing when nothing runs any more is asked
  /// for again, while that leads anywhere. Throws Error that names the parts which lead nowhere,
  /// and Interrupted; in either case shards have what there is.
  void compute(const std::vector<Part>& parts);

  /// Of the shards of all parts, as Shards::new_values() has them.
  std::vector<StoredValue> new_values() { return shards_.new_values(); }

 private:
  struct Course;

  std::int64_t done_of(const std::vector<Course>& courses) const;
  void wait_for(const std::vector<std::string>& ids, const std::vector<Course>& courses,
                std::int64_t all);
  std::vector<std::string> submit(std::vector<Course>& courses);
  void judge(Course& course) const;

  FarmOrder order_;
  Engine& engine_;
  Shards shards_;
};

/// How far a part of a run is.
struct PartState {
  std::string part;
  bool is_done = false;
  std::size_t values = 0;   ///< of all that worked at it
  std::int64_t epochs = 0;  ///< of a training
  std::size_t workers = 0;  ///< that have worked at it
  std::string node;         ///< of the last one
  std::string trouble;      ///< that ended the last one, or nothing
};
THIMBLE_EXPORT std::vector<PartState> states_of_parts(const std::filesystem::path& run);

/// The ids of arrays that were submitted for a run, the oldest first.
THIMBLE_EXPORT std::vector<std::string> submitted_arrays(const std::filesystem::path& run);

}  // namespace thimble
