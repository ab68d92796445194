#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/op_shape.hpp>
#include <thimble/emulate/toolchain.hpp>

/// What operators of the generated C take on a board of one's own. How a program gets onto it and
/// how its text comes back is the business of a command, or of a project that others build.
namespace thimble {

/// An operator's cycles on a board, and the conditions that its program told.
struct OpCycles {
  OpShape op;
  double median = 0;
  std::uint64_t least = 0, most = 0;
  std::size_t repeats = 0;
  std::string kernels, compiler, flags;
  std::int64_t constant_bytes = 0;                 ///< its weights, tables and description
  std::map<std::string, std::int64_t> code_bytes;  ///< by kernel; empty where no program is at hand
};

struct BoardProfile {
  std::vector<OpCycles> ops;       ///< those that were measured, in order
  std::vector<OpShape> too_large;  ///< for the board's memories
};

/// How to measure on a board.
struct BoardOptions {
  Core core = Core::m4;
  MemoryMap memory;
  /// For /bin/sh. {elf} in it becomes the program's path. It brings the program onto the board,
  /// lets it run, prints what it prints on standard output, and ends.
  std::string command;
  int repeats = 5;
  std::vector<std::filesystem::path>
      sources{};                             ///< C of the board's own: thimble_board_start(), ...
  std::chrono::milliseconds limit{300'000};  ///< of one command
};

/// Builds operators into programs as large as the board holds and runs each by the command. Throws
/// Error when one does not build, the command fails or takes too long, records are missing or
/// garbled, an output is wrong, or the processor is another one.
THIMBLE_EXPORT BoardProfile profile_board(std::span<const OpShape> ops,
                                          const BoardOptions& options);

/// Writes the C of one program into a folder, to be built within another project. Throws InputError
/// when it needs more than `memory`, where that is known.
THIMBLE_EXPORT void write_board_project(std::span<const OpShape> ops,
                                        const std::optional<MemoryMap>& memory, int repeats,
                                        const std::filesystem::path& folder);

/// What programs printed on a board with this core, among other lines, from a file. Throws
/// InputError at the place of what profile_board() would refuse.
THIMBLE_EXPORT std::vector<OpCycles> parse_board_records(std::string_view output, Core core,
                                                         const std::string& file);

}  // namespace thimble
