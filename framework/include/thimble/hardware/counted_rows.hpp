#pragma once

#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/emulate/profile.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble {

/// How rows name the kernels of this thimble's generated code.
THIMBLE_EXPORT std::string own_kernels();

/// What counting operators gave: together all that were asked for, each in the order asked for.
struct CountedRows {
  std::vector<OpRow> rows;
  std::vector<OpShape> too_large;  ///< for the emulated machine
};

/// Counts operators of generated C in the emulator. Throws Error where the profiler does.
THIMBLE_EXPORT CountedRows counted_rows(const Profiler& profiler, std::span<const OpShape> ops);

}  // namespace thimble
