#include <thimble/report/quantities.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <thimble/report/analysis.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

void measure_standing(std::map<std::string, double>& quantities, const std::string& arch,
                      const Benchmark& benchmark) {
  for (std::size_t i = 0; i < benchmark.columns().size(); ++i)
    if (const auto accuracy = benchmark.accuracy(arch, i))
      quantities[benchmark.title(i)] = *accuracy;
  if (!benchmark.has_a_first()) return;
  for (std::size_t i = 1; i < benchmark.columns().size(); ++i)
    if (const auto standing = benchmark.standing(arch, i))
      quantities["regret." + benchmark.columns()[i]] = standing->regret();
  if (const auto standing = benchmark.standing(arch)) {
    quantities["rank"] = standing->rank;
    quantities["class_size"] = standing->class_size;
    quantities["class_best"] = standing->class_best;
    quantities["regret"] = standing->regret();
  }
}

void measure_best(PointOutcome& outcome, const Benchmark* benchmark) {
  auto& quantities = outcome.quantities;
  const Evaluation& best = *outcome.result.best;
  for (const CostMetric& metric : cost_metrics())
    if (best.has_cost || !metric.needs_hardware())
      quantities[std::string{metric.column}] = metric.of(best) / metric.unit;
  for (std::size_t i = 0; i < best.proxies.size(); ++i)
    quantities[outcome.metrics.proxies[i]] = best.proxies[i].value;
  for (std::size_t i = 0; i < best.aggregates.size(); ++i)
    quantities[outcome.metrics.aggregates[i]] = best.aggregates[i];
  if (benchmark != nullptr) measure_standing(quantities, best.text, *benchmark);
}

/// Mean time of a proxy's value; cells of one canonical form share theirs.
void measure_seconds(PointOutcome& outcome) {
  std::map<std::string, const Evaluation*> timed;
  for (const Evaluation& evaluation : outcome.evaluated)
    timed.try_emplace(evaluation.canonical, &evaluation);
  for (std::size_t i = 0; i < outcome.metrics.proxies.size(); ++i) {
    std::vector<double> seconds;
    for (const auto& [canonical, evaluation] : timed)
      if (i < evaluation->proxies.size() && !evaluation->proxies[i].repeats.empty())
        seconds.push_back(evaluation->proxies[i].seconds);
    if (!seconds.empty())
      outcome.quantities["seconds." + outcome.metrics.proxies[i]] =
          std::reduce(seconds.begin(), seconds.end()) / static_cast<double>(seconds.size());
  }
}

/// How each metric ranks the networks against the published accuracies.
void measure_agreement(PointOutcome& outcome, const Benchmark& benchmark) {
  const Sample sample = sample_of(outcome, &benchmark);
  if (sample.size() < 2 || !benchmark.has_a_first()) return;
  const Sample::Column& accuracy = sample.accuracies[0];
  for (const Sample::Column& metric : sample.metrics) {
    const auto all = with_worst(metric);
    std::vector<double> values, own;
    for (const std::size_t cell : looked_at(metric, accuracy)) {
      values.push_back(all[cell]);
      own.push_back(accuracy.values[cell]);
    }
    outcome.quantities["tau." + metric.name] = kendall_tau(values, own);
    outcome.quantities["rho." + metric.name] = spearman_rho(values, own);
    outcome.quantities["count." + metric.name] = static_cast<double>(
        std::ranges::count_if(metric.values, [](double value) { return !std::isnan(value); }));
  }
}

}  // namespace

void measure(PointOutcome& outcome, const Benchmark* benchmark) {
  if (outcome.result.best) measure_best(outcome, benchmark);
  measure_seconds(outcome);
  if (benchmark != nullptr) measure_agreement(outcome, *benchmark);
  outcome.quantities["front"] = static_cast<double>(outcome.result.front.size());
  outcome.quantities["scored"] = static_cast<double>(outcome.scored);
  outcome.quantities["search_seconds"] = outcome.proxy_seconds;
  outcome.quantities["wall_seconds"] = outcome.wall_seconds;
}

void add_speedups(std::vector<PointOutcome>& outcomes, const std::string& baseline) {
  std::vector<double> latencies;
  std::string runtime;
  for (const PointOutcome& outcome : outcomes)
    if (outcome.row == baseline && outcome.quantities.contains("latency_ms")) {
      latencies.push_back(outcome.quantities.at("latency_ms"));
      runtime = runtime_of(outcome);
    }
  if (latencies.empty()) return;
  const double reference = mean_and_deviation(latencies).mean;
  for (PointOutcome& outcome : outcomes)
    if (outcome.quantities.contains("latency_ms") && runtime_of(outcome) == runtime)
      outcome.quantities["speedup"] = reference / outcome.quantities.at("latency_ms");
}

}  // namespace thimble
