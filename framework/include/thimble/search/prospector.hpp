#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/search/searcher.hpp>

namespace thimble {

/// What searchers by variation share: it finds the networks to look at, none twice, nor two that
/// compute the same at the same cost. Exact costs are
/// known before any proxy runs, so only such as keep the limits are scored, and only where too few
/// of them are found, the nearest to them are given, unscored, to move on from.
class THIMBLE_EXPORT Prospector {
 public:
  /// Draws the next network to consider, or nothing when there is no other. It is told how many in
  /// a row were in vain: known already, or beyond a limit.
  using Draw = std::function<std::optional<Genotype>(int misses)>;

  /// Scores `most` networks at most. Both are to outlive it.
  Prospector(const Problem& problem, Evaluator& evaluator, std::int64_t most);

  /// `wanted` networks that were not looked at before, or as many as are found. Those that keep the
  /// limits are scored, all in one batch, and stand last.
  std::vector<Evaluation> look_at(std::int64_t wanted, const Draw& draw);
  /// False when all is scored that may be, or when nothing new was found for a while: no network
  /// that keeps the limits, nor, where none is known, one that comes notably nearer to them.
  bool may_go_on() const noexcept { return left_ > 0 && idle_ < kPatience; }
  /// Networks that were scored.
  std::int64_t scored() const noexcept { return static_cast<std::int64_t>(scored_.size()); }
  /// Best and front of the networks that were scored, judged together; where no network kept the
  /// limits, those that exceed them least, with a remark that says so.
  SearchResult result();

 private:
  static constexpr int kPatience = 10;

  std::vector<Evaluation> find(std::size_t wanted, const Draw& draw);
  std::string identity_of(const Evaluation& network) const;
  void note_beyond(const Evaluation& network);
  /// How near those come that were looked at, of which none keeps the limits.
  std::string why_none() const;

  const Problem& problem_;
  Evaluator& evaluator_;
  std::int64_t left_;
  int idle_ = 0;  ///< calls since something was found
  std::set<std::string> seen_;
  std::vector<Evaluation> scored_;
  std::vector<Evaluation> nearest_;  ///< of those beyond a limit
  std::string why_invalid_;          ///< of the first that was
  double least_violation_ = std::numeric_limits<double>::infinity();
};

/// How many a search scores that would like to score `wanted`: no more than the budget, or than
/// there are.
THIMBLE_EXPORT std::int64_t affordable_evaluations(const Problem& problem, std::int64_t wanted);

/// A searcher that finds its networks with a Prospector; its parameters have `evaluations`.
template <class Described>
class ProspectingSearcher : public Searcher {
 public:
  using Params = Described;
  explicit ProspectingSearcher(Params params) : params_{std::move(params)} {}

  std::optional<std::int64_t> expected_evaluations(const Problem& problem) const final {
    check(problem);
    return affordable_evaluations(problem, params_.evaluations);
  }

  SearchResult search(const Problem& problem, Evaluator& evaluator) const final {
    Prospector prospector{problem, evaluator, *expected_evaluations(problem)};
    prospect(problem, evaluator, prospector);
    return prospector.result();
  }

 protected:
  const Params& params() const noexcept { return params_; }

 private:
  /// Throws InputError when it cannot search for this. Required: no.
  virtual void check(const Problem&) const {}
  /// Looks at networks as long as it may.
  virtual void prospect(const Problem& problem, Evaluator& evaluator,
                        Prospector& prospector) const = 0;

  Params params_;
};

}  // namespace thimble
