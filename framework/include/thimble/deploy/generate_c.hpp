#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/memory_plan.hpp>
#include <thimble/deploy/op_shape.hpp>

namespace thimble {

/// A network as C99: one source, one header, no heap, nothing of libc but memcpy and memset.
struct CSource {
  std::string header;                ///< NAME.h
  std::string source;                ///< NAME.c
  MemoryPlan plan;                   ///< of the network with the largest arena
  std::int64_t constant_bytes = 0;   ///< weights, biases, rescales, tables and layer descriptions
  std::vector<std::string> kernels;  ///< those that the source contains
};

/// What the source of an operator consists of, whatever its weights are.
struct OpParts {
  std::int64_t constant_bytes = 0;
  std::vector<std::string> kernels;
};

/// Exact, and without writing the source. Throws InputError when no network has such an operator.
THIMBLE_EXPORT OpParts op_parts(const OpShape& op);

/// Of the kernels' sources: counts of instructions hold for it.
THIMBLE_EXPORT std::string kernels_version();

/// Scratch of the generated kernels.
THIMBLE_EXPORT std::int64_t scratch_bytes(const Int8Network& network, const Int8Layer& layer);

/// Writes a network as C. The header declares, with NAME the network's name,
///
///     int8_t *NAME_input(void);         // where to put the input, height x width x channels
///     void NAME_run(void);              // overwrites input
///     const int8_t *NAME_output(void);  // valid until the next NAME_input() is written
///
/// The arena is NAME_arena, so that its size can be read off the ELF. With THIMBLE_PROFILE defined,
/// thimble_mark(2 i) is called before layer i and thimble_mark(2 i + 1) behind it; otherwise marks
/// vanish. The kernels use the DSP extension where __ARM_FEATURE_DSP says that it is there.
THIMBLE_EXPORT CSource generate_c(const Int8Network& network);

/// Several networks in one source that has each kernel once: how single operators are profiled.
/// They share one arena, so they run one at a time; marks count on from one network's layers to the
/// next one's. The first network names the files.
THIMBLE_EXPORT CSource generate_c(std::span<const Int8Network> networks);

}  // namespace thimble
