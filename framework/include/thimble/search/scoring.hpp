#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/search/scored_proxy.hpp>
#include <thimble/search/searcher.hpp>
#include <thimble/search/uncosted.hpp>

namespace thimble {

class Dataset;
class Judge;
class PassRunner;
class Task;
struct ScoringTask;

/// Where proxy values are kept beyond the life of a process. Thread safe.
class THIMBLE_EXPORT ProxyStore {
 public:
  virtual ~ProxyStore();
  virtual std::optional<ProxyValue> find(const std::string& candidate,
                                         const std::string& proxy) = 0;
  virtual void put(const std::string& candidate, const std::string& proxy,
                   const ProxyValue& value) = 0;
};

/// What an evaluator works with. Everything pointed to outlives it.
struct ScoringSetup {
  const SearchSpace* space = nullptr;
  const Hardware* hardware = nullptr;  ///< or none
  const Dataset* dataset = nullptr;    ///< or none, when there are no proxies
  std::vector<ScoredProxy> proxies;
  std::vector<Aggregate> aggregates;
  std::vector<Objective> objectives;
  std::vector<Limit> limits;
  bool scores_infeasible = false;  ///< run proxies beyond the limits too
  /// A pass that would hold more than this is run for one of its proxies after the other; what
  /// alone would hold more is not run, and has no value.
  std::int64_t most_bytes = std::int64_t{4} << 30;
  std::uint64_t seed = 0;
  int jobs = 1;
  ProxyStore* store = nullptr;  ///< or none
  const Task* task = nullptr;   ///< that supernets learn, or none
  /// How a network of a supernet is trained by itself; none: by the profile for such data.
  const Recipe* recipe = nullptr;
  /// Such a network begins with its weights in the supernet, not with new ones.
  bool starts_with_search = false;
  /// Where a search that takes long keeps how far it came, and where it leaves weights of what it
  /// finds; empty: nowhere.
  std::filesystem::path kept_search{};
  std::filesystem::path found_weights{};
  /// Told of candidates, or states of a supernet, that are about to be scored, and about how long
  /// one takes: whoever has more hands than this process puts their values into the store. Or
  /// nobody.
  std::function<void(const std::vector<std::string>& keys, double seconds_each, bool are_supernets)>
      prefetch{};
  std::function<void(const std::string&)> log = [](const std::string&) {};
  /// Called after each candidate scored, with how many are done and how many are expected.
  std::function<void(std::int64_t done, std::int64_t expected)> progress = [](std::int64_t,
                                                                              std::int64_t) {};
};

/// The evaluator: runs candidates in parallel, LibTorch at one thread inside. Cheap things first:
/// counts, cost and limits; what is infeasible or disconnected runs no proxy. Candidates with one
/// canonical form are scored once. A value is in the store before the searcher sees it.
class THIMBLE_EXPORT Scoring final : public Evaluator {
 public:
  explicit Scoring(ScoringSetup setup);
  ~Scoring() override;

  std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) override;
  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions> states) override;
  Evaluation cost(const Genotype& genotype) const override;
  const ProxyValue* proxy(const Evaluation& evaluation, std::string_view metric) const override;
  void judge_together(std::span<Evaluation> population) const override;
  std::unique_ptr<Relaxation> relaxation(const RelaxationOrder& order) override;
  void log(const std::string& line) override;
  void expect(std::int64_t evaluations) override;

  /// Seconds of all proxy values asked for so far, each counted once, computed now or before.
  double proxy_seconds() const;
  /// Different candidates whose proxies were asked for.
  std::int64_t scored() const;
  /// What a person should know of what was asked for so far, one sentence each.
  std::vector<std::string> remarks() const;
  /// Every network evaluated so far, in the order asked for, each once.
  const std::vector<Evaluation>& evaluated() const noexcept { return evaluated_; }

 private:
  void run(std::vector<ScoringTask>& tasks);
  void score(std::span<const ScoringTask> tasks);
  void prefetch_behind(std::size_t first, const std::vector<ScoringTask>& tasks) const;

  ScoringSetup setup_;
  std::unique_ptr<Judge> judge_;
  std::unique_ptr<PassRunner> passes_;
  std::map<std::string, std::vector<ProxyValue>> known_;  // by canonical text
  std::vector<Evaluation> evaluated_;
  std::map<std::string, std::size_t> evaluated_places_;
  mutable Uncosted uncosted_;
  std::int64_t expected_ = 0;
  std::atomic<std::int64_t> done_ = 0;
};

/// "edge_0_1={a,b},edge_0_2={c}": a supernet by what is alive in it.
THIMBLE_EXPORT std::string state_text(const Graph& supernet, const AliveOptions& alive);
/// What state_text() has written. Throws InputError for what it has not.
THIMBLE_EXPORT AliveOptions parse_state(const Graph& supernet, const std::string& text);

}  // namespace thimble
