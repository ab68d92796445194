#pragma once

#include <cstdint>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/memory_plan.hpp>
#include <thimble/hardware/hardware.hpp>
#include <thimble/hardware/op_costs.hpp>

namespace thimble {

/// Costs of generated C on a board: latency as the sum of its operators', RAM as the memory plan of
/// the arena, ROM as constants and code, a kernel's once.
class THIMBLE_EXPORT TableHardware : public Hardware {
 public:
  /// Throws InputError where OpCosts does.
  TableHardware(const Board& board, const LatencyTable& table, OpCostsOptions options,
                ScratchBytes scratch);
  ~TableHardware() override;

  const Target& target() const override { return target_; }
  /// The code of a kernel counts to the first node that needs it.
  OpCost op_cost(const Graph& deployed, const Node& node) const override;
  Cost cost(const Graph& network) const override;
  /// Of the board and the table; rows that are counted on demand are no other for being kept.
  std::uint64_t fingerprint() const override { return fingerprint_; }

  /// Of a network that is deployed already.
  Figure latency(const Int8Network& network) const;

  const OpCosts& ops() const { return ops_; }

 protected:
  /// Active power times this; NaN where the power is unknown.
  Figure energy(const Figure& latency_ms) const;

 private:
  Figure latency(const std::vector<const KnownOp*>& ops) const;
  Figure ram(const Int8Network& network) const;
  Figure rom(const std::vector<const KnownOp*>& ops) const;

  OpCosts ops_;
  ScratchBytes scratch_;
  Target target_;
  double ms_per_cycle_;
  std::uint64_t fingerprint_;
};

}  // namespace thimble
