#include <thimble/hardware/hardware.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <thimble/graph/liveness.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble {

const std::vector<std::pair<std::string, Origin>>& names_of(Origin) {
  static const std::vector<std::pair<std::string, Origin>> kNames{{"measured", Origin::measured},
                                                                  {"counted", Origin::counted},
                                                                  {"fitted", Origin::fitted},
                                                                  {"guessed", Origin::guessed}};
  return kNames;
}

Hardware::~Hardware() = default;

std::uint64_t Hardware::fingerprint() const { return 0; }

Cost Hardware::cost(const Graph& network) const {
  const Graph graph = deployed(network);
  const Target& board = target();
  Cost cost;
  double latency_ms = board.inference_latency_ms;
  double error_ms = 0;                   // errors of one model go the same way, so they add up
  Origin origin = board.latency_origin;  // a sum is as trustworthy as the least of its terms
  double rom_bytes = static_cast<double>(board.fixed_rom_bytes);
  std::vector<std::int64_t> scratch;
  scratch.reserve(graph.nodes().size());
  for (const Node& node : graph.nodes()) {
    const OpCost op = op_cost(graph, node);
    if (cost.unsupported.empty()) cost.unsupported = op.unsupported;
    latency_ms += op.latency_ms;
    error_ms += op.latency_ms * op.relative_error;
    if (op.latency_ms > 0) origin = std::max(origin, op.origin);
    rom_bytes += static_cast<double>(op.rom_bytes);
    scratch.push_back(op.scratch_bytes);
  }
  const auto scratch_of = [&](const Node& node) {
    return scratch[static_cast<std::size_t>(&node - graph.nodes().data())];
  };
  const MemoryPeak peak = peak_memory(graph, 1, scratch_of);
  const double latency_error = latency_ms > 0 ? error_ms / latency_ms : 0;
  cost.latency_ms = {latency_ms, latency_error, origin};
  cost.energy_mj = {board.active_power_mw > 0 ? board.active_power_mw * latency_ms / 1000
                                              : std::numeric_limits<double>::quiet_NaN(),
                    std::hypot(latency_error, board.power_relative_error),
                    std::max(origin, board.power_origin)};
  cost.ram_bytes = {static_cast<double>(peak.bytes + board.fixed_ram_bytes), 0, Origin::counted};
  cost.rom_bytes = {rom_bytes, 0, Origin::counted};
  return cost;
}

}  // namespace thimble
