#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/op_shape.hpp>
#include <thimble/emulate/toolchain.hpp>

/// Programs that run single operators, and what they print: firmware/run_operators.c, for the
/// emulator and for boards.
namespace thimble {

/// An operator behind what makes its inputs.
struct ProgramOp {
  OpShape op;
  Int8Network network;
  std::int64_t constant_bytes = 0;   ///< of the operator alone
  std::vector<std::string> kernels;  ///< parts of the source that the operator alone needs
};

/// Operators that share a program.
struct OpProgram {
  std::vector<ProgramOp> ops;

  int regions() const;
  /// Of an operator: its last layer's.
  int region(std::size_t op) const;
};

/// What one program can hold.
struct ProgramLimits {
  /// Of several operators. The smallest emulated machine has 512 KiB for code and as much for data.
  std::int64_t constant_bytes = 262'144;
  std::int64_t largest_op_bytes = std::numeric_limits<std::int64_t>::max();  ///< of constants
  std::int64_t arena_bytes = std::numeric_limits<std::int64_t>::max();
  std::size_t ops = 100;
};

/// Those of a memory, for programs of up to `ops` operators with a stack.
ProgramLimits limits_of(const MemoryMap& memory, std::int64_t stack_bytes, std::size_t ops);

/// Spreads operators over programs, in their order. What no program can hold goes to `too_large`.
/// Throws Error when no network has such an operator.
std::vector<OpProgram> op_programs(std::span<const OpShape> ops, const ProgramLimits& limits,
                                   std::vector<OpShape>& too_large);

/// A file of a program, by its name in the program's folder.
struct SourceFile {
  std::string name;
  std::string text;
};

/// The generated C of a program: operators.h, operators.c, and table.c, which run_operators.c
/// reads.
std::vector<SourceFile> sources_of(const OpProgram& program);

/// Writes, compiles and links a program in a folder. With `repeats` above 0 it tells what each
/// took; everything else about it stands in `options`.
Firmware build(const OpProgram& program, int repeats, const Toolchain& toolchain,
               const std::vector<std::filesystem::path>& more_sources, FirmwareOptions options,
               const std::filesystem::path& folder);

/// Bytes of code of the functions in a kernel's source; which of them there are depends on the
/// core.
std::int64_t code_bytes_of(const Elf& elf, const std::string& kernel);

/// What a program prints of one operator.
struct OpRecord {
  std::string op;
  std::vector<std::uint64_t> ticks;  ///< one a repeat
  std::uint64_t checksum = 0;
  Location where{};  ///< of the operator's name
};

/// What a program prints.
struct OpRecords {
  std::string kernels, compiler, flags;
  std::string clock;       ///< "cycles", "systick", or "none"
  std::uint64_t part = 0;  ///< of the processor's CPUID: 0xC24 is a Cortex-M4
  std::vector<OpRecord> ops;
  Location where{};  ///< of the first line
};

/// Calls `read`. What it refuses is wrong in the user's file, at this place, where there is one.
template <class Read>
auto at_place(const Location& where, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    if (where.file.empty()) throw;
    const Diagnostic& problem = error.diagnostics().front();
    throw InputError{Diagnostic{where, problem.message, problem.note}};
  }
}

/// Reads what programs printed among other lines, one after the other. Throws Error when none
/// printed all that it should, or a line is garbled; InputError with the place in `file`, if any.
std::vector<OpRecords> parse_op_records(std::string_view output, const std::string& file = {});

/// Throws as parse_op_records() when a program printed that it crashed.
void throw_if_crashed(std::string_view output, const std::string& file = {});

/// Throws Error unless the checksum is that of what the reference computes on the same input.
void require_right(const OpRecord& record, const Int8Network& network, std::string_view where);

}  // namespace thimble
