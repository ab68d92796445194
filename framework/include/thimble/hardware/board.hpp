#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/processor.hpp>
#include <thimble/hardware/figure_bounds.hpp>
#include <thimble/hardware/hardware.hpp>

/// Board files: one YAML file a board, that every hardware plugin reads. What a figure is worth
/// stands beside it: its error, how it was found, and where. An error is half of an interval that
/// holds 95 % of what is measured. A figure holds for the board, and the kernels, that it was found
/// with; for all others it is a guess, whatever it says of itself.
namespace thimble {

/// Of figures that were not found on the board, or with other kernels, at least. A core executes
/// one instruction a cycle at most, an M7 two, which is a third to a half below what boards take;
/// above, 1.43 cycles an instruction where 0.95 were expected (i.MX RT1062) is the most that was
/// seen.
inline constexpr double kGuessError = 0.5;

/// A figure as it stands in a board file.
struct StatedFigure {
  double value = 0;
  double relative_error = 0;
  std::string board;
  Origin origin = Origin::guessed;
  std::string source;

  template <class Describe>
  static void describe(Describe& param) {
    param(&StatedFigure::value, "value", "the figure; 0: unknown")
        .range(kPowerMw.least, kPowerMw.most)
        .required();
    param(&StatedFigure::relative_error, "relative_error", "half of its 95 % interval")
        .range(0, 10)
        .required();
    param(&StatedFigure::board, "board",
          "id of the board it was found on; of others it is a guess");
    param(&StatedFigure::origin, "origin", "how it was found").required();
    param(&StatedFigure::source, "source", "where it comes from").required();
  }
};

/// Cycles an executed instruction takes on average, for one kind of operator.
struct CyclesPerInstruction {
  double value = 1;
  double relative_error = 0;
  std::int64_t n = 0;
  std::string board;
  std::string kernels;
  Origin origin = Origin::guessed;
  std::string source;

  template <class Describe>
  static void describe(Describe& param) {
    using Self = CyclesPerInstruction;
    param(&Self::value, "value", "cycles an instruction").range(0.01, 1000).required();
    param(&Self::relative_error, "relative_error",
          "half of the 95 % interval of an operator's cycles")
        .range(0, 10)
        .required();
    param(&Self::n, "n", "how many measurements it was fitted to")
        .range(0, kRepeats.most)
        .required();
    param(&Self::board, "board", "id of the board they were made on; of others it is a guess");
    param(&Self::kernels, "kernels",
          "whose kernels were measured, as tables name them; of others it is a guess");
    param(&Self::origin, "origin", "how it was found").required();
    param(&Self::source, "source", "where it comes from").required();
  }
};

/// Serves the kinds of operators that have no cycles an instruction of their own.
inline constexpr const char* kDefaultKind = "default";

/// What turns executed instructions into cycles, and the generated code's fixed needs.
struct CountedCosts {
  /// By kind of operator, kDefaultKind among them.
  std::map<std::string, CyclesPerInstruction> cpi;
  double inference_cycles = 0;
  std::int64_t fixed_ram_bytes = 0;
  std::int64_t fixed_rom_bytes = 0;
  std::string source;

  template <class Describe>
  static void describe(Describe& param) {
    using Self = CountedCosts;
    param(&Self::cpi, "cpi", "cycles an instruction, by kind of operator, and a default")
        .required();
    param(&Self::inference_cycles, "inference_cycles", "cycles once per inference")
        .range(0, kCycles.most);
    param(&Self::fixed_ram_bytes, "fixed_ram_bytes", "stack and firmware")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Self::fixed_rom_bytes, "fixed_rom_bytes", "firmware without network and kernels")
        .range(kBytes.least, kBytes.most)
        .required();
    param(&Self::source, "source", "where the fixed parts come from").required();
  }

  THIMBLE_EXPORT const CyclesPerInstruction& cpi_of(Kernel kernel) const;
};

/// A stretch of a board's memory.
struct BoardMemory {
  std::string origin;  ///< "0x08000000"
  std::int64_t bytes = 0;

  template <class Describe>
  static void describe(Describe& param) {
    param(&BoardMemory::origin, "origin", "its first address, as in 0x08000000").required();
    param(&BoardMemory::bytes, "bytes", "its size").range(1, 0x80000000).required();
  }
};

/// Where thimble may put a program of its own on the board, to measure operators.
struct BoardMemories {
  BoardMemory flash;
  BoardMemory ram;

  template <class Describe>
  static void describe(Describe& param) {
    param(&BoardMemories::flash, "flash", "for code and constants").required();
    param(&BoardMemories::ram, "ram", "for variables and the stack").required();
  }
};

struct Board {
  std::string id;
  std::string name;
  std::string core;
  double clock_mhz = 0;
  std::int64_t ram_bytes = 0;
  std::int64_t rom_bytes = 0;
  std::optional<StatedFigure> active_power_mw;
  std::optional<BoardMemories> memory_map;
  std::optional<CountedCosts> counted;
  std::map<std::string, Value> plugins;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Board::id, "id", "the file's name without .yaml").required();
    param(&Board::name, "name", "the board's name").required();
    param(&Board::core, "core", "its processor core: m3, m4, m7, m33 or m55").required();
    param(&Board::clock_mhz, "clock_mhz", "the processor's clock").range(0.001, 1e5).required();
    param(&Board::ram_bytes, "ram_bytes", "RAM of the board").range(1, kBytes.most).required();
    param(&Board::rom_bytes, "rom_bytes", "flash of the board").range(1, kBytes.most).required();
    param(&Board::active_power_mw, "active_power_mw",
          "power while computing; unknown when left out");
    param(&Board::memory_map, "memory_map", "where programs that measure may lie");
    param(&Board::counted, "counted", "cycles from executed instructions of generated code");
    param(&Board::plugins, "plugins", "what single plugins need of the board, by their names");
  }

  double ms_per_cycle() const { return 1e-3 / clock_mhz; }
  /// What an operator of this kind takes when these kernels run it: as the file says where it was
  /// fitted to them on this board, else a guess of kGuessError at least. There must be `counted`.
  THIMBLE_EXPORT CyclesPerInstruction cpi_for(Kernel kernel, const std::string& kernels) const;
  /// Why cycles of these kernels are guesses: "cycles an instruction were fitted to CMSIS-NN";
  /// nothing when none is.
  THIMBLE_EXPORT std::string doubt_about(const std::string& kernels) const;
  /// Name, memories and power; the rest is for the plugin to say.
  THIMBLE_EXPORT Target target() const;
  /// Nothing for a board without `memory_map`.
  THIMBLE_EXPORT std::optional<MemoryMap> programs_memory() const;
};

/// Reads a board file. Throws InputError with everything that is wrong, by line and column.
THIMBLE_EXPORT Board read_board(const std::filesystem::path& file);

/// The same, checked as if it stood in `file`: for board files that are yet to be written.
THIMBLE_EXPORT Board board_from(const Value& yaml, const std::filesystem::path& file);

/// The file of a board by its id in `share_folder`/boards, or by a path that ends in .yaml. Throws
/// InputError that lists the boards there are.
THIMBLE_EXPORT std::filesystem::path board_file(const std::string& board,
                                                const std::filesystem::path& share_folder);

}  // namespace thimble
