#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/memory_plan.hpp>

namespace thimble {

/// What networks that share a source add to it.
struct Parts {
  std::string arena;  ///< its name
  std::string constants;
  std::string functions;
  std::string declarations;
  std::int64_t constant_bytes = 0;
  std::vector<std::string> kernels;
  std::size_t layers = 0;
  bool has_boxes = false;     ///< how boxes are found stands there
  bool writes_values = true;  ///< false: constants are counted only
};

/// Adds the C of one network.
void write_network(const Int8Network& network, const MemoryPlan& plan, Parts& parts);

}  // namespace thimble
