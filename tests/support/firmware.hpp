#pragma once

#include <optional>
#include <string>

#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/emulate/emulator.hpp>
#include <thimble/emulate/toolchain.hpp>

/// Programs for microcontrollers, built and run in QEMU. Tests skip where the compiler or the
/// emulator is not installed.
namespace thimble::testing {

constexpr const char* kHead = "#include <string.h>\n#include \"thimble_firmware.h\"\n";

class EmulatorTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      toolchain = Toolchain::find();
      emulator = Emulator::find();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }

  Firmware build(const std::string& code, FirmwareOptions options = {}) {
    const auto name = "test" + std::to_string(++count_);
    const auto source = folder.path() / (name + ".c");
    write_file(source, kHead + code);
    return toolchain->compile({source}, folder.path() / (name + ".elf"), options);
  }

  /// With marks.
  Firmware profiled(const std::string& code, Core core = Core::m4) {
    return build(code, {.core = core, .has_marks = true});
  }

  /// Of a run that must fail.
  std::string error_of(const Firmware& firmware, const EmulatorOptions& options = {}) {
    try {
      emulator->run(firmware, options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  const testing::TemporaryFolder folder;
  std::optional<Toolchain> toolchain;
  std::optional<Emulator> emulator;

 private:
  int count_ = 0;
};

inline std::string main_of(const std::string& code) {
  return "int main(void) {\n" + code + "return 0;\n}\n";
}

}  // namespace thimble::testing
