#include <thimble/hardware/table_hardware.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/figure_sum.hpp>

namespace thimble {
namespace {

/// A layer's line in NAME_run(): two to four addresses and a branch. 14 to 18 on every core.
constexpr std::int64_t kCallBytes = 16;
/// Alignment and what the linker adds.
constexpr double kRomError = 0.02;
/// Where constants are estimated from shapes: padding of filters and descriptions are not in them.
constexpr double kEstimatedRomError = 0.1;

/// Constants and calls of some operators and their kernels' code, each kernel once.
std::int64_t rom_bytes(std::span<const KnownOp* const> ops) {
  std::int64_t bytes = 0;
  std::map<std::string, std::int64_t> code;
  for (const KnownOp* const op : ops) {
    bytes += op->constant_bytes + kCallBytes;
    code.insert(op->code_bytes.begin(), op->code_bytes.end());
  }
  for (const auto& [kernel, size] : code) bytes += size;
  return bytes;
}

}  // namespace

TableHardware::TableHardware(const Board& board, const LatencyTable& table, OpCostsOptions options,
                             ScratchBytes scratch)
    : ops_{board, table, std::move(options)},
      scratch_{std::move(scratch)},
      target_{board.target()},
      ms_per_cycle_{board.ms_per_cycle()},
      fingerprint_{thimble::fingerprint(to_yaml(write_params(board)) + to_csv(table))} {
  target_.inference_latency_ms = board.counted->inference_cycles * ms_per_cycle_;
  target_.fixed_ram_bytes = board.counted->fixed_ram_bytes;
  target_.fixed_rom_bytes = board.counted->fixed_rom_bytes;
  target_.runtime = ops_.kernels();
  target_.latency_origin = board.cpi_for(Kernel::conv, target_.runtime).origin;
  target_.remark = board.doubt_about(target_.runtime);
}

TableHardware::~TableHardware() = default;

OpCost TableHardware::op_cost(const Graph& deployed, const Node& node) const {
  const Int8Network network = skeleton(deployed);
  const auto id = static_cast<int>(&node - deployed.nodes().data());
  const auto layer = std::ranges::find(network.layers, id, &Int8Layer::output);
  OpCost cost;
  if (layer == network.layers.end()) return cost;  // the input
  const auto ops = ops_.of(network);
  const auto index = static_cast<std::size_t>(layer - network.layers.begin());
  const KnownOp& op = *ops[index];
  cost.latency_ms = op.cycles.value * ms_per_cycle_;
  cost.relative_error = op.cycles.relative_error;
  cost.origin = op.cycles.origin;
  cost.rom_bytes =
      rom_bytes(std::span{ops}.first(index + 1)) - rom_bytes(std::span{ops}.first(index));
  cost.scratch_bytes = scratch_(network, *layer);
  cost.unsupported = op.unsupported;
  return cost;
}

Cost TableHardware::cost(const Graph& network) const {
  const Int8Network lowered = skeleton(deployed(network));
  const auto ops = ops_.of(lowered);
  Cost cost;
  const auto unknown =
      std::ranges::find_if(ops, [](const KnownOp* op) { return !op->unsupported.empty(); });
  if (unknown != ops.end()) cost.unsupported = (*unknown)->unsupported;
  cost.latency_ms = latency(ops);
  cost.energy_mj = energy(cost.latency_ms);
  cost.ram_bytes = ram(lowered);
  cost.rom_bytes = rom(ops);
  return cost;
}

Figure TableHardware::latency(const Int8Network& network) const {
  return latency(ops_.of(network));
}

Figure TableHardware::latency(const std::vector<const KnownOp*>& ops) const {
  FigureSum sum;
  for (const KnownOp* const op : ops) sum.add(op->cycles);
  Figure figure = sum.total();
  const double operators_ms = figure.value * ms_per_cycle_;
  figure.value = operators_ms + target_.inference_latency_ms;
  if (figure.value > 0) figure.relative_error *= operators_ms / figure.value;
  return figure;
}

Figure TableHardware::energy(const Figure& latency_ms) const {
  const double power_mw = target_.active_power_mw;
  return {
      power_mw > 0 ? power_mw * latency_ms.value / 1000 : std::numeric_limits<double>::quiet_NaN(),
      std::hypot(latency_ms.relative_error, target_.power_relative_error),
      std::max(latency_ms.origin, target_.power_origin)};
}

Figure TableHardware::ram(const Int8Network& network) const {
  const std::int64_t arena = plan_memory(network, scratch_).arena_bytes;
  return {static_cast<double>(arena + target_.fixed_ram_bytes), 0, Origin::counted};
}

Figure TableHardware::rom(const std::vector<const KnownOp*>& ops) const {
  const bool is_exact =
      std::ranges::all_of(ops, [](const KnownOp* op) { return op->is_constant_exact; });
  return {static_cast<double>(rom_bytes(ops) + target_.fixed_rom_bytes),
          is_exact ? kRomError : kEstimatedRomError, is_exact ? Origin::counted : Origin::guessed};
}

}  // namespace thimble
