#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// A function or a variable of a program.
struct ElfSymbol {
  std::string name;
  std::string section;  ///< empty when it lies in none
  std::uint32_t address = 0;
  std::int64_t bytes = 0;
};

/// A part of a program that takes memory on the target.
struct ElfSection {
  std::string name;
  std::int64_t bytes = 0;
};

struct Elf {
  std::vector<ElfSection> sections;  ///< those that are loaded or reserved
  std::vector<ElfSymbol> symbols;

  /// 0 when there is no such section.
  THIMBLE_EXPORT std::int64_t section_bytes(std::string_view name) const;
  /// nullptr when there is no such symbol.
  THIMBLE_EXPORT const ElfSymbol* find(std::string_view symbol) const;
};

/// Reads a 32-bit little-endian ELF file. Throws Error when `bytes` are not one, or are cut off.
THIMBLE_EXPORT Elf parse_elf(std::string_view bytes);

}  // namespace thimble
