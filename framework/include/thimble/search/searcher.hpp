#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/search/cost_metrics.hpp>
#include <thimble/search/evaluation.hpp>
#include <thimble/search/relaxation.hpp>

namespace thimble {

/// Answers a searcher's questions. Batches come back in the order they were given, whatever ran
/// when. Throws Interrupted when the user stops the run. Used by one searcher at a time.
class THIMBLE_EXPORT Evaluator {
 public:
  virtual ~Evaluator();

  /// Everything about these networks. Infeasible and disconnected ones run no proxy. Aggregates
  /// are relative to these, the population.
  virtual std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) = 0;
  /// The proxies of the supernets in which only these options are alive.
  virtual std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions> states) = 0;
  /// Counts, cost and feasibility of one network; runs no proxy. Tens of microseconds.
  virtual Evaluation cost(const Genotype& genotype) const = 0;
  /// What a proxy said of a candidate, by its metric's name; nullptr when it was not asked.
  virtual const ProxyValue* proxy(const Evaluation& evaluation, std::string_view metric) const = 0;
  /// Judges evaluations anew, by aggregates relative to these alone: parents and offspring, or
  /// everything seen so far. Runs nothing. Default: nothing to do, as without aggregates.
  virtual void judge_together(std::span<Evaluation> population) const;
  /// The weights that networks of the supernet share; for searchers that need them. Throws Error
  /// when data and networks do not fit, or too few samples are left to learn from.
  virtual std::unique_ptr<Relaxation> relaxation(const RelaxationOrder& order);
  /// A line for the run's log.
  virtual void log(const std::string& line) = 0;
  /// Tells how many evaluations are still to come, for the time left.
  virtual void expect(std::int64_t evaluations) = 0;
};

/// How a search went, for a table and pictures: a number in each column for every epoch; NaN where
/// there is none.
struct Course {
  std::vector<std::string> columns;
  std::vector<std::vector<double>> rows;
};

/// What a search found.
struct SearchResult {
  /// The one to take; nothing when no candidate is valid.
  std::optional<Evaluation> best;
  /// The Pareto front of all networks evaluated, or the least violating ones.
  std::vector<Evaluation> front;
  /// What a person should know of it, one sentence each.
  std::vector<std::string> remarks;
  Course course{};
};

/// Decides which candidates are looked at. Never sees a tensor. const is thread safe.
class THIMBLE_EXPORT Searcher {
 public:
  using Interface = Searcher;
  static constexpr Kind kKind = Kind::searcher;
  virtual ~Searcher();

  /// The same problem, seed and parameters give the same result. Limits are hard: `best` keeps
  /// them unless nothing does, and then a remark says so. Required: yes.
  virtual SearchResult search(const Problem& problem, Evaluator& evaluator) const = 0;
  /// Required: no. Default: false. When true, the space must have a supernet.
  virtual bool needs_supernet() const;
  /// Required: no. Default: false. When true, the experiment must have a dataset that the space's
  /// supernet can learn.
  virtual bool needs_relaxation() const;
  /// Required: no. Default: false. When true, it hands on weights of what it finds
  /// (Relaxation::hand_on), so that an experiment may say `train: {start: search}`.
  virtual bool hands_on_weights() const;
  /// Roughly how many candidates it will score, for `thimble check`; nothing when unknown.
  virtual std::optional<std::int64_t> expected_evaluations(const Problem& problem) const;
};

/// The result of looking at these: front, and best by weighted sum of ranks, with a remark when
/// none is feasible.
THIMBLE_EXPORT SearchResult summarize(const std::vector<Evaluation>& evaluations,
                                      const Problem& problem);

}  // namespace thimble
