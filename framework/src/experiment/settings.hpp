#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/experiment/report_settings.hpp>
#include <thimble/search/aggregate.hpp>
#include <thimble/search/selection.hpp>

/// The keys of an experiment file as they are read; make_study() makes sense of them.
namespace thimble {

struct BudgetSettings {
  std::optional<std::int64_t> evaluations;

  template <class Describe>
  static void describe(Describe& param) {
    param(&BudgetSettings::evaluations, "evaluations", "candidates to score at most").at_least(1);
  }
};

struct LimitSettings {
  bool board = true;
  std::optional<double> macs, params, latency_ms, energy_mj, ram_bytes, rom_bytes;

  /// The limit on a cost metric.
  const std::optional<double>& on(std::string_view metric) const {
    static const std::map<std::string_view, std::optional<double> LimitSettings::*> kMembers{
        {"macs", &LimitSettings::macs},
        {"params", &LimitSettings::params},
        {"latency_ms", &LimitSettings::latency_ms},
        {"energy_mj", &LimitSettings::energy_mj},
        {"ram_bytes", &LimitSettings::ram_bytes},
        {"rom_bytes", &LimitSettings::rom_bytes}};
    return this->*kMembers.at(metric);
  }

  template <class Describe>
  static void describe(Describe& param) {
    param(&LimitSettings::board, "board", "keep to the RAM and ROM that the hardware has");
    param(&LimitSettings::macs, "macs", "multiply-accumulates at most").at_least(0);
    param(&LimitSettings::params, "params", "parameters at most").at_least(0);
    param(&LimitSettings::latency_ms, "latency_ms", "latency at most").at_least(0);
    param(&LimitSettings::energy_mj, "energy_mj", "energy of an inference at most").at_least(0);
    param(&LimitSettings::ram_bytes, "ram_bytes", "RAM at most, in bytes, KiB or MiB").at_least(0);
    param(&LimitSettings::rom_bytes, "rom_bytes", "ROM at most, in bytes, KiB or MiB").at_least(0);
  }
};

/// A metric and which way is better: one of the two is given.
struct DirectedSettings {
  std::string minimize, maximize;

  bool is_one() const { return minimize.empty() != maximize.empty(); }
  const char* key() const { return maximize.empty() ? "minimize" : "maximize"; }
  const std::string& metric() const { return maximize.empty() ? minimize : maximize; }
  Direction direction() const {
    return maximize.empty() ? Direction::minimize : Direction::maximize;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param(&DirectedSettings::minimize, "minimize", "metric of which less is better");
    param(&DirectedSettings::maximize, "maximize", "metric of which more is better");
  }
};

struct ObjectiveSettings : DirectedSettings {
  double weight = 1;

  template <class Describe>
  static void describe(Describe& param) {
    DirectedSettings::describe(param);
    // Ranks of a billion candidates times this stay exact.
    param(&ObjectiveSettings::weight, "weight", "how much it counts where a searcher weighs")
        .range(0, 1e6);
  }
};

struct AggregateSettings {
  AggregateKind use = AggregateKind::rank_sum;
  std::vector<Value> of;
  std::string as;

  template <class Describe>
  static void describe(Describe& param) {
    param(&AggregateSettings::use, "use", "how the ranks of its members combine").required();
    param(&AggregateSettings::of, "of",
          "metrics: names, or {minimize: METRIC} or {maximize: METRIC}")
        .required();
    param(&AggregateSettings::as, "as", "name of the metric; that of its kind when left out");
  }
};

struct Settings {
  std::string name;
  std::int64_t schema = 1;
  std::int64_t seed = 0;
  std::int64_t memory_mib = 4096;
  Value search_space, dataset, hardware, searcher, pass;
  std::vector<Value> proxies, aggregates, objectives;
  LimitSettings limits;
  BudgetSettings budget;
  std::optional<SelectSettings> select;
  Value benchmark;
  AnalysisSettings analysis;
  ReportSettings report;
  Value train, sweep, rows;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Settings::name, "name", "what its run folders are called").required();
    param(&Settings::schema, "schema", "version of this format").range(1, 1);
    param(&Settings::seed, "seed", "all randomness comes from it").at_least(0);
    param(&Settings::search_space, "search_space", "the search space: {use: NAME, ...}").required();
    param(&Settings::dataset, "dataset", "the data that proxies see: {use: NAME, ...}");
    param(&Settings::pass, "pass",
          "how proxies look at networks, for all that leave it open: {batch: 64, ...}");
    param(&Settings::memory_mib, "memory_mib",
          "MiB that the tensors of one candidate may take; what needs more has no value")
        .range(1, 1 << 24);
    param(&Settings::proxies, "proxies", "list of {use: NAME, as: METRIC, ...}");
    param(&Settings::aggregates, "aggregates",
          "metrics made of others: list of {use: KIND, of: [METRIC, ...], as: METRIC}");
    param(&Settings::hardware, "hardware", "the board that costs are for: {use: NAME, ...}");
    param(&Settings::objectives, "objectives",
          "list of {minimize: METRIC} or {maximize: METRIC}, with a weight; by default every "
          "aggregate, or every proxy where there is none");
    param(&Settings::limits, "limits", "what no result may exceed");
    param(&Settings::searcher, "searcher", "the search: {use: NAME, ...}");
    param(&Settings::budget, "budget", "when to stop");
    param(&Settings::select, "select", "the few networks of the front to look at");
    param(&Settings::benchmark, "benchmark",
          "published accuracies, for the report alone; trained: those that were trained here");
    param(&Settings::analysis, "analysis", "how metrics are compared with published accuracies");
    param(&Settings::report, "report", "the table at the end");
    param(&Settings::train, "train", "what is trained when the search is over, and how");
    param(&Settings::sweep, "sweep",
          "grids over any keys: a list of {row: LABEL, key.path: [...]}");
    param(&Settings::rows, "rows", "which rows of the sweep to run: labels, * for any letters");
  }
};

}  // namespace thimble
