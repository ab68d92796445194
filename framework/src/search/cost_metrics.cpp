#include <thimble/search/cost_metrics.hpp>

#include <algorithm>
#include <array>

namespace thimble {

double CostMetric::of(const Evaluation& evaluation) const {
  if (count != nullptr) return static_cast<double>(evaluation.*count);
  return evaluation.has_cost ? (evaluation.cost.*figure).value : kNotANumber;
}

std::span<const CostMetric> cost_metrics() {
  constexpr double kMillion = 1e6, kKibi = 1024;
  static const std::array kAll{
      CostMetric{"macs", "multiply-accumulates", "macs_m", kMillion, &Evaluation::macs, nullptr},
      CostMetric{"params", "parameters", "params_m", kMillion, &Evaluation::params, nullptr},
      CostMetric{"latency_ms", "latency of an inference", "latency_ms", 1, nullptr,
                 &Cost::latency_ms},
      CostMetric{"energy_mj", "energy of an inference", "energy_mj", 1, nullptr, &Cost::energy_mj},
      CostMetric{"ram_bytes", "RAM", "ram_kb", kKibi, nullptr, &Cost::ram_bytes},
      CostMetric{"rom_bytes", "ROM", "rom_kb", kKibi, nullptr, &Cost::rom_bytes}};
  return kAll;
}

const CostMetric* find_cost_metric(std::string_view name) {
  const auto all = cost_metrics();
  const auto found = std::ranges::find(all, name, &CostMetric::name);
  return found == all.end() ? nullptr : &*found;
}

bool is_cost_metric(std::string_view name) { return find_cost_metric(name) != nullptr; }

double cost_metric(const Evaluation& evaluation, std::string_view name) {
  const CostMetric* const metric = find_cost_metric(name);
  return metric != nullptr ? metric->of(evaluation) : kNotANumber;
}

}  // namespace thimble
