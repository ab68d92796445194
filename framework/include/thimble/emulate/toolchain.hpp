#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/processor.hpp>
#include <thimble/emulate/elf.hpp>

namespace thimble {

/// A program for a microcontroller.
struct Firmware {
  Core core = Core::m4;
  std::filesystem::path file;
  Elf elf;

  /// Code, constants, and the first values of variables.
  THIMBLE_EXPORT std::int64_t rom_bytes() const;
  /// Variables, the arena among them; no stack.
  THIMBLE_EXPORT std::int64_t ram_bytes() const;
};

/// Of the emulator's machine with this core: where constants go, and variables.
THIMBLE_EXPORT const MemoryMap& emulated_memory(Core core);

struct FirmwareOptions {
  Core core = Core::m4;
  bool has_marks = false;  ///< defines THIMBLE_PROFILE; without, thimble_mark() does not exist
  int regions = 256;       ///< that marks can tell apart
  std::int64_t stack_bytes = 16'384;
  std::optional<MemoryMap> memory{};  ///< of a board; without, that of the emulator's machine
  std::string optimisation = "-O2";
  std::vector<std::string> definitions{};  ///< NAME or NAME=VALUE
  std::vector<std::filesystem::path> include_folders{};
  std::chrono::milliseconds limit{120'000};
};

/// The folder with what thimble runs on a microcontroller. Throws Error when there is none.
THIMBLE_EXPORT std::filesystem::path installed_firmware();

/// GCC for Arm with its C library, and what thimble runs on a microcontroller. Thread safe.
class THIMBLE_EXPORT Toolchain {
 public:
  /// Throws Error, naming the Debian packages, when there is none.
  static Toolchain find();

  const std::string& version() const { return version_; }  ///< of GCC, "12.2.1"

  /// The folder with start-up code, marks and linker scripts. run_network.c in it is a main() for
  /// the C of a network: with THIMBLE_NETWORK (its name), THIMBLE_INPUT_BYTES and
  /// THIMBLE_OUTPUT_BYTES defined, it reads input.bin, runs, and writes output.bin. The whole run
  /// is the last region.
  const std::filesystem::path& firmware_folder() const { return firmware_; }

  /// Compiles C sources and the start-up code into `file`. One of the sources has int main(void).
  /// There is no heap: what needs one does not link. Throws Error with the compiler's first error.
  Firmware compile(const std::vector<std::filesystem::path>& sources,
                   const std::filesystem::path& file, const FirmwareOptions& options) const;

 private:
  class StartUp;

  std::filesystem::path gcc_;
  std::filesystem::path firmware_;
  std::string version_;
  std::shared_ptr<StartUp> start_up_;  ///< what all programs hold, compiled once for each core
};

}  // namespace thimble
