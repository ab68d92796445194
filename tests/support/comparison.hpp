#pragma once

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thimble/core/files.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/emulate/emulator.hpp>

#include "support/int8_networks.hpp"

/// Generated C against the reference, bit for bit and layer by layer: on this machine, in plain C
/// or with the DSP extension's instructions in C, and on emulated cores.
namespace thimble::test {

inline const std::string kPortable;
inline const std::string kDsp =
    "-DTHIMBLE_DSP='\"" THIMBLE_TEST_SOURCE "/tests/support/dsp_on_host.h\"'";

inline int run_command(const std::string& command) { return std::system(command.c_str()); }

/// Address and undefined-behaviour sanitizers, where the compiler has them.
inline std::string sanitizers() {
  static const bool are_there = [] {
    const TemporaryFolder folder;
    const std::string base = (folder.path() / "empty").string();
    write_file(base + ".c", "int main(void) { return 0; }\n");
    return run_command(fmt::format("cc -fsanitize=address,undefined '{0}.c' -o '{0}' 2>/dev/null "
                                   "&& '{0}'",
                                   base)) == 0;
  }();
  return are_there ? "-fsanitize=address,undefined -fno-sanitize-recover=all" : "";
}

/// Reading and writing whole files, as the firmware of a microcontroller has it.
inline constexpr const char* kFilesOnHost = R"(
#include <stdio.h>
static int32_t thimble_read_file(const char *name, void *to, uint32_t most) {
  FILE *file = fopen(name, "rb");
  const size_t bytes = fread(to, 1, most, file);
  fclose(file);
  return (int32_t)bytes;
}
static int32_t thimble_write_file(const char *name, const void *from, uint32_t bytes) {
  FILE *file = fopen(name, "wb");
  const size_t written = fwrite(from, 1, bytes, file);
  fclose(file);
  return (int32_t)written;
}
)";

/// A program that runs networks one by one in a poisoned arena and keeps what each layer puts out.
inline std::string driver(const std::vector<Int8Network>& networks, const CSource& c) {
  std::string layers;
  std::string runs;
  std::int64_t input_bytes = 0;
  std::int64_t output_bytes = 0;
  for (const Int8Network& network : networks) {
    const MemoryPlan plan = plan_memory(network, scratch_bytes);
    const auto offset = [&](int tensor) {
      return plan.tensor_offsets[static_cast<std::size_t>(tensor)];
    };
    for (const Int8Layer& layer : network.layers) {
      const std::int64_t bytes = network.tensor(layer.output).shape.elements();
      layers += fmt::format("  {{{}, {}}},\n", offset(layer.output), bytes);
      output_bytes += bytes;
    }
    const std::int64_t bytes = network.tensor(0).shape.elements();
    runs += fmt::format(
        "  arena = {0}_input() - {1};\n  memset(arena, 0xa5, {2});\n"
        "  memcpy({0}_input(), inputs + {3}, {4});\n  {0}_run();\n"
        "  if ({0}_output() != arena + {5}) return 2;\n",
        network.name, offset(0), c.plan.arena_bytes, input_bytes, bytes, offset(network.output));
    input_bytes += bytes;
  }
  return fmt::format(
      "#define THIMBLE_PROFILE\n#define thimble_mark keep_output\n#include \"{0}.c\"\n"
      "#undef thimble_mark\n#ifdef __arm__\n#include \"thimble_firmware.h\"\n#else\n{1}\n#endif\n"
      "static const struct {{ int offset, bytes; }} layers[] = {{\n{2}}};\n"
      "static int8_t *arena, inputs[{3}], outputs[{4}], *end = outputs;\n"
      "void keep_output(uint32_t mark) {{\n"
      "  if (mark % 2 == 0) return;\n"
      "  memcpy(end, arena + layers[mark / 2].offset, (size_t)layers[mark / 2].bytes);\n"
      "  end += layers[mark / 2].bytes;\n}}\n"
      "int main(void) {{\n"
      "  if (thimble_read_file(\"input\", inputs, sizeof inputs) != sizeof inputs) return 1;\n{5}"
      "  return thimble_write_file(\"output\", outputs, sizeof outputs) != sizeof outputs;\n}}\n",
      networks.front().name, kFilesOnHost, layers, input_bytes, output_bytes, runs);
}

/// Generated C of some networks and inputs for them.
class Comparison {
 public:
  void add(NetworkBuilder& builder) {
    add(builder.network(), builder.values(builder.shape(0).elements()));
  }

  void add(const Int8Network& network, const std::vector<std::int8_t>& input) {
    networks_.push_back(network);
    inputs_ += std::string{input.begin(), input.end()};
    const auto tensors = run_reference(network, input);
    for (const Int8Layer& layer : network.layers)
      expected_.push_back(tensors[static_cast<std::size_t>(layer.output)]);
  }

  void expect_equal(const std::string& path) const {
    const TemporaryFolder folder;
    write_sources(folder.path());
    write_file(folder.path() / "input", inputs_);
    const std::string compile = fmt::format(
        "cd '{}' && cc -std=c99 -pedantic -Wall -Wextra -Wconversion -Wno-sign-conversion -Werror "
        "-O1 {} {} driver.c -o program",
        folder.path().string(), sanitizers(), path);
    ASSERT_EQ(run_command(compile), 0) << compile;
    ASSERT_EQ(run_command(fmt::format("cd '{}' && ./program", folder.path().string())), 0);
    compare(read_file(folder.path() / "output"));
  }

  /// Throws Error where compiler or emulator are missing.
  void expect_equal(Core core) const {
    const TemporaryFolder folder;
    const CSource c = write_sources(folder.path());
    const Firmware firmware = Toolchain::find().compile(
        {folder.path() / "driver.c"}, folder.path() / "driver.elf", {.core = core});
    EXPECT_EQ(firmware.elf.find(networks_.front().name + "_arena")->bytes, c.plan.arena_bytes);
    const EmulatorRun run =
        Emulator::find().run(firmware, {.files = {{"input", inputs_}}, .wanted_files = {"output"}});
    ASSERT_EQ(run.status, 0);
    compare(run.files.at("output"));
  }

 private:
  void compare(const std::string& output) const {
    std::size_t place = 0;
    std::size_t number = 0;
    for (const Int8Network& network : networks_) {
      for (const Int8Layer& layer : network.layers) {
        const std::vector<std::int8_t>& expected = expected_[number++];
        ASSERT_LE(place + expected.size(), output.size());
        const auto begin = output.begin() + static_cast<std::ptrdiff_t>(place);
        const std::vector<std::int8_t> made{begin,
                                            begin + static_cast<std::ptrdiff_t>(expected.size())};
        EXPECT_EQ(made, expected) << network.name << ", " << layer.name << ", input "
                                  << to_string(network.tensor(layer.inputs[0]).shape);
        place += expected.size();
      }
    }
    EXPECT_EQ(place, output.size());
  }

  CSource write_sources(const std::filesystem::path& folder) const {
    const CSource c = generate_c(networks_);
    write_file(folder / (networks_.front().name + ".h"), c.header);
    write_file(folder / (networks_.front().name + ".c"), c.source);
    write_file(folder / "driver.c", driver(networks_, c));
    return c;
  }

  std::vector<Int8Network> networks_;
  std::string inputs_;
  std::vector<std::vector<std::int8_t>> expected_;
};

}  // namespace thimble::test
