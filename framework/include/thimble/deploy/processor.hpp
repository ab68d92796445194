#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include <thimble/core/export.hpp>

namespace thimble {

/// Processor cores that C is compiled for, and that the emulator has a machine with.
enum class Core : std::uint8_t { m3, m4, m7, m33, m55 };
inline constexpr std::array kCores{Core::m3, Core::m4, Core::m7, Core::m33, Core::m55};
THIMBLE_EXPORT const char* name_of(Core core);  ///< "m4"
THIMBLE_EXPORT std::optional<Core> core_of(std::string_view name);

/// A stretch of a target's memory.
struct MemoryRange {
  std::uint32_t origin = 0;
  std::int64_t bytes = 0;
  bool operator==(const MemoryRange&) const = default;
};

/// Where code and constants go, and where variables and the stack.
struct MemoryMap {
  MemoryRange flash;
  MemoryRange ram;
  bool operator==(const MemoryMap&) const = default;
};

}  // namespace thimble
