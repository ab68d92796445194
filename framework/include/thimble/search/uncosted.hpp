#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/search/evaluation.hpp>

namespace thimble {

/// Counts the networks that a hardware cannot cost, so that no part of a search space vanishes
/// without a word. What it says depends on the networks alone, not on their order. Thread safe.
class THIMBLE_EXPORT Uncosted {
 public:
  explicit Uncosted(std::vector<Decision> decisions);

  /// A network that the hardware was asked for; again, it counts no more.
  void note(const Evaluation& network);

  /// "SUBJECT cannot cost 31 of 100 NETWORKS: reason (and 2 other reasons); none with
  /// family=resnet18", the most frequent reason and every option that all of them fall for;
  /// nothing when all have a cost.
  std::string remark(const std::string& subject, const std::string& networks) const;

 private:
  struct Count {
    std::int64_t all = 0;
    std::int64_t lost = 0;
  };

  std::string lost_options() const;

  std::vector<Decision> decisions_;
  mutable std::mutex mutex_;
  /// Of their texts; searches by costs alone look at millions, of which the first are counted.
  std::unordered_set<std::uint64_t> seen_;
  Count total_;
  std::map<std::string, std::int64_t> reasons_;
  std::map<std::pair<std::size_t, std::size_t>, Count> options_;  // by decision and option
};

/// Draws networks from a space at random, the same ones each time, and asks the hardware for their
/// cost: what Uncosted says of them, or nothing. `name` is the hardware's. It ends early where that
/// takes long, at the latest when the network at hand has its cost: hardware that takes seconds for
/// one is asked for one.
THIMBLE_EXPORT std::string uncosted_at_random(const SearchSpace& space, const Hardware& hardware,
                                              const std::string& name, int networks = 100,
                                              std::chrono::milliseconds time = std::chrono::seconds{
                                                  1});

}  // namespace thimble
