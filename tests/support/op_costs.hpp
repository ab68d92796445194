#pragma once

#include <atomic>
#include <vector>

#include <conformance/networks.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/op_costs.hpp>

/// A board, and rows and counts of operators made up for it.
namespace thimble::testing {

/// An m4 with 2 cycles an instruction, 3 in additions.
inline Board board() {
  Board made;
  made.id = "mine";
  made.name = "My Board";
  made.core = "m4";
  made.clock_mhz = 100;
  made.ram_bytes = made.rom_bytes = 1 << 20;
  made.counted.emplace();
  made.counted->cpi["default"] = {2, 0.1, 5, "mine", "k", Origin::measured, "test"};
  made.counted->cpi["add"] = {3, 0.2, 5, "mine", "k", Origin::guessed, "test"};
  return made;
}

inline OpRow counted(const OpShape& op, double instructions) {
  OpRow row;
  row.op = op;
  row.target = "m4";
  row.kernels = "k";
  row.instructions = instructions;
  row.origin = Origin::counted;
  return row;
}

inline double instructions_of(const OpShape& op) {
  return 100.0 + static_cast<double>(op.output.elements());
}

inline std::vector<OpShape> ops_of(const Int8Network& network) {
  std::vector<OpShape> ops;
  for (const Int8Layer& layer : network.layers) ops.push_back(op_shape(network, layer));
  return ops;
}

inline Int8Network residual() { return skeleton(deployed(conformance::residual_network())); }

inline OpCostsOptions counting(std::atomic<int>& calls) {
  OpCostsOptions options;
  options.on_miss = OnMiss::profile;
  options.count = [&calls](std::span<const OpShape> ops) {
    ++calls;
    CountedRows made;
    for (const OpShape& op : ops) made.rows.push_back(counted(op, instructions_of(op)));
    return made;
  };
  return options;
}

}  // namespace thimble::testing
