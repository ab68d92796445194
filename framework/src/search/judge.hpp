#pragma once

#include <span>
#include <string>

#include <thimble/search/scoring.hpp>

namespace thimble {

/// What an experiment says of candidates whose figures are known: limits, objectives, and whether
/// they can be compared at all. Thread safe.
class Judge {
 public:
  explicit Judge(const ScoringSetup& setup);  // which outlives it

  bool is_to_be_scored(const Evaluation& evaluation) const;
  /// Objectives and violation, from what is known of the candidate.
  void judge(Evaluation& evaluation) const;
  /// Aggregates too, which look at all of a population.
  void judge_together(std::span<Evaluation> population) const;
  /// A candidate cannot be compared when an objective lacks its value; what is only looked at may.
  void note_invalid(Evaluation& evaluation) const;

 private:
  bool is_objective(const std::string& proxy) const;

  const ScoringSetup& setup_;
  MetricNames names_;
};

}  // namespace thimble
