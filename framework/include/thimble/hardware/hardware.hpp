#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// Where a figure comes from, from the most to the least trustworthy.
enum class Origin { measured, counted, fitted, guessed };
THIMBLE_EXPORT const std::vector<std::pair<std::string, Origin>>& names_of(Origin);

/// A number with its origin and its relative error, the half of an interval that holds 95 % of what
/// is measured (0.05: 19 of 20 measured values lie within 5 % of it).
struct Figure {
  double value = 0;
  double relative_error = 0;
  Origin origin = Origin::guessed;
};

/// What one operator of a deployed network needs.
struct OpCost {
  double latency_ms = 0;
  double relative_error = 0;
  std::int64_t rom_bytes = 0;        ///< weights and per-channel constants
  std::int64_t scratch_bytes = 0;    ///< RAM while it runs, beside its inputs and output
  std::string unsupported;           ///< why the target cannot run it, or nothing
  Origin origin = Origin::measured;  ///< of its latency, where that is worse than the target's
};

/// What a network needs besides its operators, and what the target has.
struct Target {
  std::string name;
  std::int64_t ram_bytes = 0;        ///< the board's
  std::int64_t rom_bytes = 0;        ///< the board's
  double inference_latency_ms = 0;   ///< once per inference
  std::int64_t fixed_ram_bytes = 0;  ///< stack and runtime
  std::int64_t fixed_rom_bytes = 0;  ///< runtime and kernels
  double active_power_mw = 0;        ///< 0: unknown, then there is no energy
  double power_relative_error = 0;
  Origin latency_origin = Origin::guessed;
  Origin power_origin = Origin::guessed;
  std::string runtime{};  ///< whose code latencies are of; those of two cannot be compared
  std::string remark{};   ///< what stands beside the error of a latency, or nothing
};

/// What a network needs on a target.
struct Cost {
  Figure latency_ms;
  Figure energy_mj;  ///< NaN when the target's power is unknown
  Figure ram_bytes;  ///< peak of the live int8 tensors with scratch, plus the fixed part
  Figure rom_bytes;
  std::string unsupported;  ///< why the target cannot run it at all, or nothing
};

/// Answers for one target: a board with its core, clock, kernels and compiler. const is thread
/// safe.
class THIMBLE_EXPORT Hardware {
 public:
  using Interface = Hardware;
  static constexpr Kind kKind = Kind::hardware;
  virtual ~Hardware();

  /// Required: yes. Cheap.
  virtual const Target& target() const = 0;
  /// One node of a deployed graph (see deployed()). Required: yes. Cheap.
  virtual OpCost op_cost(const Graph& deployed, const Node& node) const = 0;
  /// A whole network, connected and without open choices, as it was built: it is deployed here.
  /// Required: no. Default: operators added up, plus the constant; peak RAM by liveness;
  /// energy = active power x latency (constant within a few per cent on one board).
  virtual Cost cost(const Graph& network) const;
  /// Another number where the same parameters give other costs, since files have changed (boards,
  /// tables): a run is not gone on with under other costs. Asked for whenever an experiment is
  /// read. Required: of hardware that reads files. Cheap. Default: 0.
  virtual std::uint64_t fingerprint() const;
};

}  // namespace thimble
