#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/emulate/toolchain.hpp>

namespace thimble {

/// What ran between two marks, summed over all times it was entered.
struct RegionCount {
  int region = 0;
  std::uint64_t entries = 0;
  std::uint64_t instructions = 0;  ///< an empty region has 2 an entry: those that call its end
  std::map<std::string, std::uint64_t> classes;  ///< "alu", "load", "mac", ...; plugin only
  bool operator==(const RegionCount&) const = default;
};

/// How instructions are counted. The plugin counts exactly. SysTick under -icount is within a few
/// instructions an entry; there, marks within a region count as part of it, and an entry may have
/// 10^9 instructions at most.
enum class CountBy : std::uint8_t { plugin, systick };

struct EmulatorOptions {
  std::optional<CountBy> count_by{};           ///< the plugin, where QEMU takes it
  std::map<std::string, std::string> files{};  ///< what the firmware can read, by name
  std::vector<std::string> wanted_files{};     ///< what it writes and is to be kept
  std::chrono::milliseconds limit{60'000};
};

/// What became of a firmware whose main() returned.
struct EmulatorRun {
  int status = 0;                            ///< what main() returned, 0 to 255
  std::string text;                          ///< what it printed
  std::int64_t stack_bytes = 0;              ///< most that was in use
  std::vector<RegionCount> regions;          ///< those that were entered, by number
  std::map<std::string, std::string> files;  ///< those of `wanted_files` that it wrote
};

/// QEMU with a machine for every core. Instruction counts are the same in every run, whatever else
/// the machine does. Thread safe: every run has its own folder and process.
class THIMBLE_EXPORT Emulator {
 public:
  /// Throws Error, naming the Debian package, when there is none.
  static Emulator find();

  const std::string& version() const { return version_; }  ///< of QEMU, "7.2.22"
  /// False where thimble was built without it, or QEMU does not take it (from version 9 on).
  bool has_plugin() const { return !plugin_.empty(); }

  /// Throws Error when the firmware crashes, takes too long, prints too much, or ends without its
  /// report. The firmware is trusted: semihosting lets it open any file.
  EmulatorRun run(const Firmware& firmware, const EmulatorOptions& options = {}) const;

 private:
  std::filesystem::path qemu_;
  std::filesystem::path plugin_;
  std::string version_;
};

}  // namespace thimble
