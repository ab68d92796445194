#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

class Hardware;

/// A network as its generated C runs it: layers, what each costs, and where everything lies.
struct NetworkPlan {
  /// Tensor 0 is the input, tensor i + 1 what layer i makes.
  struct Layer {
    std::string name;
    std::string kernel;  ///< "conv 3x3 / 2"
    Shape shape;         ///< of what it makes
    std::vector<int> inputs;
    std::int64_t macs = 0;
    std::int64_t rom_bytes = 0;  ///< 0 without hardware
    double latency_ms = 0;       ///< NaN without hardware
    std::int64_t alive_bytes = 0;
  };
  /// A place in the arena that is in use from one layer to another, both included.
  struct Block {
    int tensor = -1;  ///< -1: scratch
    int first = 0;
    int last = 0;
    std::int64_t offset = 0;
    std::int64_t bytes = 0;
  };
  Shape input;
  std::vector<Layer> layers;
  std::vector<Block> blocks;
  std::int64_t arena_bytes = 0;
  std::int64_t lower_bound_bytes = 0;
  std::size_t peak_layer = 0;  ///< while it runs, most is in use
};

/// `network` is connected and has no open choices; `hardware` may be missing. The arena is that of
/// what `thimble deploy` writes.
THIMBLE_EXPORT NetworkPlan plan_of(const Graph& network, const Hardware* hardware);

}  // namespace thimble
