#include <thimble/run/run_point.hpp>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>

#include <fmt/format.h>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

/// Aggregates relative to everything the point looked at, in what it found as well.
void judge_together(PointOutcome& outcome, const Scoring& scoring) {
  scoring.judge_together(outcome.evaluated);
  std::map<std::string, const Evaluation*> judged;
  for (const Evaluation& evaluation : outcome.evaluated) judged[evaluation.text] = &evaluation;
  const auto take_over = [&](Evaluation& evaluation) {
    if (const auto found = judged.find(evaluation.text); found != judged.end())
      evaluation = *found->second;
  };
  if (outcome.result.best) take_over(*outcome.result.best);
  std::ranges::for_each(outcome.result.front, take_over);
}

/// Networks that exceed limits the least, where nobody keeps them, were looked at for their costs
/// alone: they are candidates, too.
void list_unscored(PointOutcome& outcome, const SearchSpace& space) {
  const auto list = [&](Evaluation& network) {
    if (!network.canonical.empty()) return;
    network.canonical = space.encode(space.canonical(network.genotype));
    if (std::ranges::find(outcome.evaluated, network.text, &Evaluation::text) ==
        outcome.evaluated.end())
      outcome.evaluated.push_back(network);
  };
  if (outcome.result.best) list(*outcome.result.best);
  for (Evaluation& network : outcome.result.front) list(network);
}

/// What a plugin throws that is no Error says nothing of the experiment.
SearchResult search(const Study& study, const Problem& problem, Scoring& scoring) {
  try {
    return study.searcher->search(problem, scoring);
  } catch (const Error&) {
    throw;  // it says what is wrong
  } catch (...) {
    throw Error{"the searcher failed: " + what_was_thrown(),
                "this is a fault of the plugin, not of the experiment"};
  }
}

/// For each metric, what its value depends on.
std::map<std::string, std::string> keys_of(const Study& study) {
  std::map<std::string, std::string> keys;
  for (const Study::NamedProxy& named : study.proxies) keys[named.name] = named.key;
  for (const Aggregate& aggregate : study.aggregates)
    for (const DirectedMetric& member : aggregate.of)
      if (const auto found = keys.find(member.metric); found != keys.end())
        keys[aggregate.name] += found->second + " ";
  return keys;
}

void select_of_front(PointOutcome& outcome, const Study& study, const Problem& problem) {
  if (!study.select) return;
  outcome.selection = select(outcome.result.front, outcome.objectives, *study.select, study.seed,
                             outcome.result.remarks);
  if (!outcome.selection || !study.select_by) return;
  outcome.selection->by = study.select_by;
  outcome.selection->options = problem.decisions[*study.select_by].options;
}

}  // namespace

PointOutcome run_point(const Study& study, const SweepPoint& point, ScoringSetup setup) {
  const auto start = std::chrono::steady_clock::now();
  Scoring scoring{std::move(setup)};
  const Problem problem = study.problem();
  PointOutcome outcome;
  outcome.result = search(study, problem, scoring);
  std::ranges::move(scoring.remarks(), std::back_inserter(outcome.result.remarks));
  outcome.row = point.row;
  outcome.assignments = point.assignments;
  outcome.seed = study.seed;
  outcome.metrics = study.metric_names();
  outcome.keys = keys_of(study);
  outcome.predictors = study.predictors();
  outcome.objectives = study.objectives;
  outcome.limits = study.limits;
  if (study.hardware != nullptr) outcome.target = study.hardware->target();
  outcome.compared = study.compared;
  outcome.evaluated = scoring.evaluated();
  list_unscored(outcome, *study.space);
  judge_together(outcome, scoring);
  select_of_front(outcome, study, problem);
  outcome.scored = scoring.scored();
  outcome.proxy_seconds = scoring.proxy_seconds();
  outcome.wall_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

std::vector<std::string> missing_values(const PointOutcome& outcome) {
  std::vector<std::string> remarks;
  for (std::size_t i = 0; i < outcome.metrics.proxies.size(); ++i) {
    std::vector<const ProxyValue*> missing;
    std::size_t scored = 0;
    for (const Evaluation& evaluation : outcome.evaluated) {
      if (i >= evaluation.proxies.size()) continue;
      ++scored;
      if (!evaluation.proxies[i].invalid.empty()) missing.push_back(&evaluation.proxies[i]);
    }
    if (missing.empty()) continue;
    const bool is_left_out = std::ranges::any_of(missing, &ProxyValue::is_left_out);
    remarks.push_back(fmt::format("proxy '{}' has no value for {} of {} networks; the first: {}{}",
                                  outcome.metrics.proxies[i], missing.size(), scored,
                                  missing[0]->invalid,
                                  is_left_out ? "; the analysis leaves such networks out" : ""));
  }
  return remarks;
}

}  // namespace thimble
