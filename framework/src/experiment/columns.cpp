#include <thimble/experiment/columns.hpp>

#include <algorithm>

#include <thimble/experiment/study.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

using Columns = std::vector<std::string>;

/// Of the report, beside metrics and what is named after them.
const Columns& quantity_columns() {
  static const Columns kNames = [] {
    Columns all;
    for (const CostMetric& metric : cost_metrics()) all.emplace_back(metric.column);
    all.insert(all.end(),
               {"speedup", "accuracy", "rank", "class_size", "class_best", "regret", "front",
                "hypervolume", "igd", "scored", "search_seconds", "wall_seconds"});
    return all;
  }();
  return kNames;
}

/// Where networks are trained on several data, the accuracy on each; else nothing. None of them is
/// the first, so there is no "accuracy" then.
Columns accuracy_columns(const Study& study) {
  Columns columns;
  if (study.benchmark && study.benchmark->is_trained && study.trained_on.size() > 1)
    for (const Study::TrainedOn& on : study.trained_on) columns.push_back("accuracy." + on.name);
  return columns;
}

}  // namespace

const Columns& result_columns() {
  static const Columns kNames{"row", "seed", "arch", "feasible"};
  return kNames;
}

const Columns& candidate_columns() {
  static const Columns kNames{"network", "point",    "arch",  "canonical",
                              "valid",   "feasible", "reason"};
  return kNames;
}

const Columns& selection_columns() {
  static const Columns kNames{"network", "row", "seed", "arch", "selected", "stands_out"};
  return kNames;
}

bool is_error_column(const std::string& name) {
  return std::ranges::any_of(kErrorColumns, [&](const char* what) {
    return name.ends_with(what) && is_cost_metric(name.substr(0, name.rfind('.')));
  });
}

bool is_fixed_column(const std::string& name) {
  const auto has = [&](const Columns& columns) {
    return std::ranges::find(columns, name) != columns.end();
  };
  return has(quantity_columns()) || has(result_columns()) || has(candidate_columns()) ||
         has(selection_columns());
}

Columns default_columns(const Study& study) {
  Columns columns{"macs_m", "params_m"};
  if (study.hardware != nullptr) columns.insert(columns.end(), {"latency_ms", "ram_kb", "rom_kb"});
  if (!study.report.baseline.empty()) columns.emplace_back("speedup");
  const MetricNames metrics = study.metric_names();
  for (const auto& names : {metrics.proxies, metrics.aggregates})
    columns.insert(columns.end(), names.begin(), names.end());
  if (const Columns each = accuracy_columns(study); !each.empty())
    columns.insert(columns.end(), each.begin(), each.end());
  else if (study.benchmark)
    columns.insert(columns.end(), {"accuracy", "rank", "regret"});
  columns.emplace_back("search_seconds");
  return columns;
}

Columns known_columns(const Study& study) {
  Columns columns = quantity_columns();
  const Columns each = accuracy_columns(study);
  const std::vector<std::string> of_one{"accuracy", "rank", "class_size", "class_best", "regret"};
  if (!each.empty())
    std::erase_if(columns, [&](const std::string& column) {
      return std::ranges::find(of_one, column) != of_one.end();
    });
  columns.insert(columns.end(), each.begin(), each.end());
  if (study.benchmark)
    for (const std::string& other : study.benchmark->also)
      for (const char* const what : {"accuracy.", "regret."}) columns.push_back(what + other);
  const MetricNames metrics = study.metric_names();
  for (const auto& names : {metrics.proxies, metrics.aggregates})
    columns.insert(columns.end(), names.begin(), names.end());
  for (const auto& [metric, direction] : study.predictors())
    if (each.empty())
      for (const char* const what : {"tau.", "rho.", "count."}) columns.push_back(what + metric);
  for (const std::string& proxy : metrics.proxies) columns.push_back("seconds." + proxy);
  return columns;
}

bool is_duration(const std::string& column) {
  return column == "search_seconds" || column == "wall_seconds" || column.starts_with("seconds.");
}

}  // namespace thimble
