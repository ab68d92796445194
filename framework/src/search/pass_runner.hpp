#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <thimble/search/scoring.hpp>
#include <thimble/search/shared_pass.hpp>

namespace thimble {

class Observation;
struct Samples;

/// Why a candidate without one is invalid.
inline constexpr const char* kDisconnected = "no path from the input to the output";

/// One candidate to score: its name in the store, and its graph in a given form of the space.
struct ScoringTask {
  std::string key;
  std::function<Graph(const SearchSpace&)> build;
  std::int64_t macs = 0;
  bool is_supernet = false;
};

/// Runs the proxies of an experiment on one candidate after the other: those that see a network
/// under the same conditions share its passes; known values come from the store. Thread safe.
class PassRunner {
 public:
  explicit PassRunner(const ScoringSetup& setup);  // which outlives it

  /// One value for each proxy of the experiment, in its order; or the reason why there is none.
  std::vector<ProxyValue> score(const ScoringTask& task);

 private:
  struct Asked;
  using Batches = std::shared_ptr<const std::vector<Samples>>;

  void look(const SharedPass& shared, const ScoringTask& task, std::span<Asked> asked);
  void look_one_by_one(const ScoringTask& task, std::span<Asked> asked);
  void ask(Asked& asked, Observation& seen, const ScoringTask& task);
  void combine(Asked& asked, const ScoringTask& task);
  void leave_out(const SharedPass& shared, std::int64_t bytes, Asked& asked) const;
  Batches batches_of(const SharedPass& shared, const ScoringTask& task, const Shape& input,
                     int repeat);
  std::uint64_t seed_for(const SharedPass& shared, const ScoringTask& task) const;

  const ScoringSetup& setup_;
  std::vector<SharedPass> passes_;
  std::vector<SharedPass> own_passes_;  // of each proxy by itself
  LossGradient loss_;
  std::mutex batches_mutex_;
  std::map<std::string, Batches> batches_;  // by what they depend on
  std::int64_t batches_bytes_ = 0;
};

}  // namespace thimble
