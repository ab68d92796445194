#pragma once

#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/profile.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble {

/// How rows name the kernels of this thimble's generated code.
THIMBLE_EXPORT std::string own_kernels();

/// Counts operators of generated C in the emulator. Throws Error where the profiler does.
THIMBLE_EXPORT std::vector<OpRow> counted_rows(const Profiler& profiler,
                                               std::span<const OpShape> ops);

}  // namespace thimble
