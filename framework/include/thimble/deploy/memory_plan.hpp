#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>

namespace thimble {

/// Where everything lies in the one static arena. Offsets are in bytes and multiples of
/// `alignment`.
struct MemoryPlan {
  std::vector<std::int64_t> tensor_offsets;   ///< one a tensor
  std::vector<std::int64_t> scratch_offsets;  ///< one a layer; -1 where a layer has no scratch
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;  ///< most bytes alive at one time: no plan can be smaller
  std::string order;                   ///< of placement, that gave the smallest arena
};

/// Scratch a layer needs beside its tensors while it runs, in bytes.
using ScratchBytes = std::function<std::int64_t(const Int8Network&, const Int8Layer&)>;

/// Places tensors and scratch. Tensors that no layer makes live from the start, the output to the
/// end. Element-wise layers (add, relu) write over their first input of the same size that nobody
/// reads afterwards. Tries several orders of placement and keeps the best; where that is above the
/// bound, a bounded search tries to close the gap.
THIMBLE_EXPORT MemoryPlan plan_memory(const Int8Network& network, const ScratchBytes& scratch,
                                      std::int64_t alignment = 4);

}  // namespace thimble
