#pragma once

#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/emulate/board_profile.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble {

/// Measurements on a board as rows of a table. `setup` is what cycles depend on beyond the program:
/// clock, wait states, caches, memory placement.
THIMBLE_EXPORT std::vector<OpRow> measured_rows(std::span<const OpCycles> ops,
                                                const std::string& board, const std::string& setup);

}  // namespace thimble
