#include <thimble/report/analysis.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/report/statistics.hpp>
#include <thimble/report/tables.hpp>

namespace thimble {
namespace {

/// One estimate with its interval, or the mean of several points and their deviation.
std::string summary_text(const std::vector<Estimate>& estimates) {
  std::vector<double> values;
  for (const Estimate& estimate : estimates)
    if (std::isfinite(estimate.value)) values.push_back(estimate.value);
  if (values.empty()) return "-";
  const auto [low, high] = estimates[0].interval;
  if (estimates.size() == 1 && std::isfinite(low))
    return fmt::format("{:.3f} [{:.3f}, {:.3f}]", values[0], low, high);
  const auto [mean, deviation] = mean_and_deviation(values);
  return values.size() == 1 ? fmt::format("{:.3f}", mean)
                            : fmt::format("{:.3f} ± {:.3f}", mean, deviation);
}

/// The mean of each end too: points with the same networks are no new sample, so more of them must
/// not make an interval narrower.
std::string mean_with_interval(const std::vector<Estimate>& estimates) {
  std::vector<double> values, lows, highs;
  for (const auto& [value, interval] : estimates) {
    if (!std::isfinite(value) || !std::isfinite(interval.low)) continue;
    values.push_back(value);
    lows.push_back(interval.low);
    highs.push_back(interval.high);
  }
  if (values.empty()) return summary_text(estimates);
  const auto mean = [](const std::vector<double>& of) { return mean_and_deviation(of).mean; };
  return fmt::format("{:.3f} [{:.3f}, {:.3f}]", mean(values), mean(lows), mean(highs));
}

/// What the summary says of one metric and accuracy in one row of the sweep, point by point.
struct Line {
  std::string row, metric, against;
  std::vector<double> cells, invalid;
  std::map<std::string, std::vector<Estimate>> taus;  ///< by subset
  std::vector<Estimate> over_macs{};
  std::map<std::int64_t, std::vector<double>> regrets{};  ///< by k
};

Line& line_of(std::vector<Line>& lines, const std::string& row, const std::string& metric,
              const std::string& against) {
  const auto found = std::ranges::find_if(lines, [&](const Line& line) {
    return line.row == row && line.metric == metric && line.against == against;
  });
  return found != lines.end() ? *found : lines.emplace_back(Line{row, metric, against, {}, {}, {}});
}

std::vector<std::string> cells_of(Line& line, const std::set<std::int64_t>& ks) {
  std::vector<std::string> cells{line.row.empty() ? "result" : line.row, line.metric, line.against};
  for (const auto& counts : {line.cells, line.invalid})
    cells.push_back(fmt::format("{:.0f}", mean_and_deviation(counts).mean));
  cells.push_back(summary_text(line.taus["all"]));
  cells.push_back(mean_with_interval(line.over_macs));
  for (const char* const subset : {"equal_macs", "top_decile"})
    cells.push_back(summary_text(line.taus[subset]));
  for (const std::int64_t k : ks) cells.push_back(mean_text(line.regrets[k]));
  return cells;
}

}  // namespace

Table analysis_summary(const std::vector<PointOutcome>& outcomes,
                       const std::vector<Analysis>& analyses) {
  std::vector<Line> lines;
  std::set<std::int64_t> ks;
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    const std::string& row = outcomes[point].row;
    for (const Agreement& agreement : analyses[point].accuracies) {
      Line& line = line_of(lines, row, agreement.metric, agreement.against);
      line.taus[agreement.subset].push_back(agreement.correlation.tau);
      if (agreement.subset != "all") continue;
      line.over_macs.push_back(agreement.over_macs);
      line.cells.push_back(static_cast<double>(agreement.cells));
      line.invalid.push_back(static_cast<double>(agreement.invalid));
    }
    for (const Regret& regret : analyses[point].regrets) {
      line_of(lines, row, regret.metric, regret.against)
          .regrets[regret.k]
          .push_back(regret.top.regret);
      ks.insert(regret.k);
    }
  }
  Table table;
  table.header = {"row", "metric",           "against",    "n",         "invalid",
                  "tau", "better than MACs", "equal MACs", "top decile"};
  for (const std::int64_t k : ks) table.header.push_back(fmt::format("regret of {}", k));
  for (Line& line : lines) table.rows.push_back(cells_of(line, ks));
  return table;
}

}  // namespace thimble
