#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <thimble/core/export.hpp>
#include <thimble/search/evaluation.hpp>

namespace thimble {

/// A metric that comes from counts and hardware: cheap, and known before any proxy runs. Less is
/// better. This table is the one place that lists them: limits, objectives, columns and documents
/// go through it.
struct CostMetric {
  std::string_view name;            ///< with its unit: "latency_ms"
  std::string_view what;            ///< "latency of an inference"
  std::string_view column;          ///< of reports, in a unit that people read: "ram_kb"
  double unit;                      ///< of that column, in the metric's own
  std::int64_t Evaluation::*count;  ///< nullptr: hardware says it
  Figure Cost::*figure;             ///< nullptr: counted on the graph

  bool needs_hardware() const noexcept { return figure != nullptr; }
  /// NaN when it is unknown.
  THIMBLE_EXPORT double of(const Evaluation& evaluation) const;
};

THIMBLE_EXPORT std::span<const CostMetric> cost_metrics();
/// nullptr when there is none of this name.
THIMBLE_EXPORT const CostMetric* find_cost_metric(std::string_view name);
THIMBLE_EXPORT bool is_cost_metric(std::string_view name);
/// The value of such a metric; NaN when it is unknown.
THIMBLE_EXPORT double cost_metric(const Evaluation& evaluation, std::string_view name);

}  // namespace thimble
