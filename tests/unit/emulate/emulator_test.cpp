// Programs for microcontrollers, built and run in QEMU. Skipped where the compiler or the emulator
// is not installed.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/emulate/emulator.hpp>
#include <thimble/emulate/toolchain.hpp>

namespace thimble {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::HasSubstr;

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

#define NEEDS_PLUGIN() \
  if (!emulator->has_plugin()) GTEST_SKIP() << "thimble's plugin for QEMU is missing or refused"

/// 2 x n + 1 instructions, n below 256.
std::string loop_of(int n) {
  return "__asm__ volatile(\"mov r3, #" + std::to_string(n) +
         "\\n1: subs r3, #1\\n\\tbne 1b\" ::: \"r3\", \"cc\");\n";
}

std::string region_of(int number, const std::string& code) {
  return "thimble_mark(" + std::to_string(2 * number) + ");\n" + code + "thimble_mark(" +
         std::to_string(2 * number + 1) + ");\n";
}

std::string main_of(const std::string& code) {
  return "int main(void) {\n" + code + "return 0;\n}\n";
}

TEST_F(EmulatorTest, GivesTextAndStatusOnEveryCore) {
  for (const Core core : kCores) {
    const auto run = emulator->run(
        build("int main(void) { thimble_print(\"no \\\"end\\\"\"); return 42; }", {.core = core}));
    EXPECT_EQ(run.status, 42) << name_of(core);
    EXPECT_EQ(run.text, "no \"end\"") << name_of(core);
    EXPECT_TRUE(run.regions.empty()) << name_of(core);
  }
}

TEST_F(EmulatorTest, CountsTwoInstructionsInAnEmptyRegion) {
  NEEDS_PLUGIN();
  for (const Core core : kCores) {
    const auto run = emulator->run(profiled(main_of(region_of(0, "") + region_of(255, "")), core));
    const std::map<std::string, std::uint64_t> classes{{"alu", 1}, {"call", 1}};
    EXPECT_EQ(run.regions, (std::vector<RegionCount>{{0, 1, 2, classes}, {255, 1, 2, classes}}))
        << name_of(core);
  }
}

TEST_F(EmulatorTest, CountsALoopExactly) {
  NEEDS_PLUGIN();
  for (const Core core : kCores) {
    const auto run = emulator->run(profiled(main_of(region_of(3, loop_of(200))), core));
    const std::map<std::string, std::uint64_t> classes{{"alu", 202}, {"branch", 200}, {"call", 1}};
    EXPECT_EQ(run.regions, (std::vector<RegionCount>{{3, 1, 403, classes}})) << name_of(core);
  }
}

TEST_F(EmulatorTest, AddsEntriesUpAndLetsRegionsEncloseOthers) {
  NEEDS_PLUGIN();
  const auto run = emulator->run(
      profiled("static void inner(void) {" + region_of(1, loop_of(10)) +
               "__asm__ volatile(\"\");  /* so that the mark is not the last call */ }\n" +
               main_of(region_of(0, "inner(); inner(); inner();\n") + region_of(2, loop_of(10)))));
  ASSERT_EQ(run.regions.size(), 3U);
  EXPECT_EQ(run.regions[1].entries, 3U);
  EXPECT_EQ(run.regions[1].instructions, 3U * 23);
  EXPECT_EQ(run.regions[0].entries, 1U);
  EXPECT_GE(run.regions[0].instructions, run.regions[1].instructions + 2);
  EXPECT_LE(run.regions[0].instructions, run.regions[1].instructions + 30) << "marks are counted";
  EXPECT_EQ(run.regions[2].instructions, 23U);
}

std::string instructions(const std::vector<std::string>& words) {
  std::string code = "__asm__ volatile(\"";
  for (const std::string& word : words) code += word + "\\n\\t";
  return code + "\" ::: \"r0\", \"r1\", \"r2\", \"r3\", \"lr\", \"cc\", \"memory\");\n";
}

struct Sorted {
  const char* name;
  std::uint64_t empty;  ///< of these in an empty region
  std::vector<std::string> words;
};

TEST_F(EmulatorTest, TellsInstructionClassesApart) {
  NEEDS_PLUGIN();
  const std::vector<Sorted> all{
      {"alu",
       1,
       {"add r0, r1", "adds.w r0, r1, r2", "clz r0, r1", "ssat r0, #8, r1", "qadd r0, r1, r2",
        "lsl r0, r1, r2", "movw r0, #4660", "rev r0, r1", "pkhbt r0, r1, r2", "uadd8 r0, r1, r2",
        "ubfx r0, r1, #3, #4", "mov r0, r1", "cmp r0, #3"}},
      {"load",
       0,
       {"ldr r0, [sp]", "ldrb r0, [sp, #1]", "ldrsh.w r0, [sp, #2]", "ldr.w r0, [sp]",
        "ldrex r0, [sp]"}},
      {"store", 0, {"str r0, [sp, #-8]", "strb.w r0, [sp, #-4]", "strh.w r0, [sp, #-2]"}},
      {"multiple",
       0,
       {"push {r0, r1}", "pop {r0, r1}", "ldrd r0, r1, [sp]", "ldm sp, {r0, r1, r2}"}},
      {"branch", 0, {"b 2f", "2: b.w 3f", "3: cbz r0, 5f", "beq.w 5f", "5: nop.w"}},
      {"mul", 0, {"muls r0, r1", "mul.w r0, r1, r2"}},
      {"mac", 0, {"mla r0, r1, r2, r3", "mls r0, r1, r2, r3"}},
      {"long_mul", 0, {"smull r0, r1, r2, r3", "umlal r0, r1, r2, r3"}},
      {"dsp_mul",
       0,
       {"smlad r0, r1, r2, r3", "smulbb r0, r1, r2", "smlald r0, r1, r2, r3", "smmul r0, r1, r2",
        "smlalbt r0, r1, r2, r3"}},
      {"div", 0, {"sdiv r0, r1, r2", "udiv r0, r1, r2"}},
      {"extend", 0, {"sxtb r0, r1", "uxth.w r0, r9", "sxtb16 r0, r1, ror #8", "sxtab r0, r1, r2"}},
      {"it", 0, {"it eq", "moveq r0, r1"}},
      {"fp",
       0,
       {"vadd.f32 s0, s1, s2", "vldr s0, [sp]", "vmov r0, s0", "vmrs r0, fpscr", "vpush {s0}",
        "vpop {s0}"}},
      {"other", 0, {"nop", "nop.w", "dsb", "mrs r0, control"}},
  };
  std::string code;
  for (std::size_t i = 0; i < all.size(); ++i)
    code += region_of(static_cast<int>(i), instructions(all[i].words));
  const auto run = emulator->run(profiled(main_of(code)));
  ASSERT_EQ(run.regions.size(), all.size());
  const std::map<std::string, std::uint64_t> exceptions{{"it", 1}, {"branch", 4}};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto exception = exceptions.find(all[i].name);
    const auto expected =
        exception != exceptions.end() ? exception->second : all[i].words.size() + all[i].empty;
    EXPECT_EQ(run.regions[i].classes.at(all[i].name), expected) << all[i].name;
  }
}

TEST_F(EmulatorTest, KnowsHeliumFromFloatingPoint) {
  NEEDS_PLUGIN();
  const std::vector<std::string> helium{
      "vldrw.u32 q0, [sp]", "vldrb.u8 q1, [sp]",       "vadd.i32 q0, q0, q1", "vmul.i8 q0, q0, q1",
      "vdup.32 q0, r0",     "vmladava.s8 r0, q0, q1",  "vmaxv.s8 r0, q0",     "vadd.i32 q0, q0, r1",
      "vmov.i32 q0, #0",    "vqrdmulh.s32 q0, q0, q1", "vshr.s32 q0, q0, #3", "vctp.8 r0"};
  const std::vector<std::string> scalar{"vadd.f32 s0, s1, s2", "vmov r0, s0", "vmov.f16 s0, r0",
                                        "vmaxnm.f32 s0, s1, s2", "vldr s0, [sp]"};
  const auto run = emulator->run(profiled(
      main_of(region_of(0, instructions(helium)) + region_of(1, instructions(scalar))), Core::m55));
  ASSERT_EQ(run.regions.size(), 2U);
  EXPECT_EQ(run.regions[0].classes.at("mve"), helium.size());
  EXPECT_EQ(run.regions[1].classes.at("fp"), scalar.size());
}

/// Loads and stores, calls into libc, and enough to be interrupted by SysTick if that could matter.
const std::string kWork = R"(
static volatile unsigned char bytes[512];
static int work(int n) {
  int sum = 0;
  for (int i = 0; i < n; ++i) {
    bytes[i & 511] = (unsigned char)(sum + i);
    sum += bytes[(i * 7) & 511] * 3 / (i + 1);
    if (sum & 1) memset((void *)bytes, sum, 64);
  }
  return sum;
}
)";

TEST_F(EmulatorTest, CountsTheSameAgainAndUnderLoad) {
  NEEDS_PLUGIN();
  const Firmware firmware =
      profiled(kWork + main_of(region_of(0, "work(1000);\n") + region_of(1, "work(3000000);\n")));
  const auto first = emulator->run(firmware);
  ASSERT_EQ(first.regions.size(), 2U);
  EXPECT_GT(first.regions[1].instructions, 40'000'000U);
  std::vector<EmulatorRun> others(6);
  std::vector<std::thread> threads;
  for (auto& other : others) threads.emplace_back([&, this] { other = emulator->run(firmware); });
  for (std::thread& thread : threads) thread.join();
  others.push_back(emulator->run(firmware));
  for (const auto& other : others) {
    EXPECT_EQ(other.regions, first.regions);
    EXPECT_EQ(other.stack_bytes, first.stack_bytes);
  }
}

/// The long region lets SysTick turn several times.
TEST_F(EmulatorTest, CountsBySysTickWithinAFewInstructionsOfThePlugin) {
  NEEDS_PLUGIN();
  constexpr double kTolerance = 3;  // instructions an entry
  for (const Core core : kCores) {
    const Firmware firmware = profiled(
        kWork + main_of(region_of(0, "") + region_of(1, loop_of(100)) +
                        region_of(2, "work(1000);\n") + "for (int i = 0; i < 10; ++i) {" +
                        region_of(3, "work(20);\n") + "}\n" + region_of(4, "work(1000000);\n")),
        core);
    const auto exact = emulator->run(firmware, {.count_by = CountBy::plugin}).regions;
    const auto close = emulator->run(firmware, {.count_by = CountBy::systick}).regions;
    ASSERT_EQ(exact.size(), 5U);
    ASSERT_EQ(close.size(), 5U);
    EXPECT_GT(exact[4].instructions, 20'000'000U);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      EXPECT_EQ(close[i].region, exact[i].region);
      EXPECT_EQ(close[i].entries, exact[i].entries);
      // Every turn of SysTick costs its interrupt: 5 instructions in 8 to 13 million.
      const double turns = static_cast<double>(exact[i].instructions) / 8e6;
      EXPECT_NEAR(static_cast<double>(close[i].instructions),
                  static_cast<double>(exact[i].instructions),
                  kTolerance * static_cast<double>(exact[i].entries) + 6 * turns)
          << name_of(core) << ", region " << i;
    }
  }
}

TEST_F(EmulatorTest, EndsAFirmwareThatHangs) {
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(error_of(build("int main(void) { for (;;) continue; }"), {.limit = 500ms}),
              HasSubstr("the firmware took more than 0.5 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 30s);
}

TEST_F(EmulatorTest, EndsAFirmwareThatPrintsForEver) {
  EXPECT_THAT(error_of(build("int main(void) { for (;;) thimble_print(\"garbage \\xff\\x01\"); }")),
              HasSubstr("the firmware printed more than 1048576 bytes"));
}

TEST_F(EmulatorTest, RefusesAGarbledReport) {
  for (const char* const line :
       {R"({\"thimble\":)", R"({\"thimble\":\"region\"})", R"({\"thimble\":7})",
        R"({\"thimble\":\"\xff\",)", R"({\"thimble\":\"moon\"})",
        R"({\"thimble\":\"stack\",\"bytes\":-5})"})
    EXPECT_THAT(
        error_of(profiled(main_of("thimble_print(\"\\n" + std::string{line} + "\\n\");\n"))),
        HasSubstr("the firmware's report has a line that cannot be read"))
        << line;
}

TEST_F(EmulatorTest, ToleratesAnyOtherText) {
  const auto run = emulator->run(build(main_of(R"(thimble_print("\xff\x80{\"\n}{\n\n");)")));
  EXPECT_EQ(run.text, "\xff\x80{\"\n}{\n\n");
}

TEST_F(EmulatorTest, MissesTheReportOfAFirmwareThatLeavesEarly) {
  EXPECT_THAT(error_of(build("int main(void) { thimble_exit(0); }")),
              HasSubstr("the firmware ended with status 0 without a report"));
}

TEST_F(EmulatorTest, SaysWhereAFirmwareCrashed) {
  for (const Core core : kCores) {
    const FirmwareOptions options{.core = core};
    EXPECT_THAT(
        error_of(build("__attribute__((noinline)) void wrong(void) {"
                       "*(volatile int *)0xF0000000 = 1; }\n"
                       "int main(void) { wrong(); return 0; }",
                       options)),
        AllOf(HasSubstr("the firmware crashed at 0x"), HasSubstr("in 'wrong'"), HasSubstr("CFSR")))
        << name_of(core);
    EXPECT_THAT(error_of(build("int main(void) { __builtin_trap(); }", options)),
                AllOf(HasSubstr("the firmware crashed"), HasSubstr("in 'main'")))
        << name_of(core);
  }
}

TEST_F(EmulatorTest, NoticesAStackThatOverflows) {
  for (const Core core : kCores) {
    const Firmware firmware = build(
        "volatile int depth;\n"
        "int dive(volatile char *above) { volatile char here[256]; here[0] = above[0];"
        "return depth++ < 0 ? 0 : dive(here) + here[0]; }\n"
        "int main(void) { volatile char top[1] = {1}; return dive(top); }",
        {.core = core, .stack_bytes = 2048});
    EXPECT_THAT(error_of(firmware), HasSubstr("its stack of 2048 bytes overflowed"))
        << name_of(core);
  }
}

TEST_F(EmulatorTest, SaysWhatQemuComplainsOf) {
  Firmware firmware = build(main_of(""));
  firmware.file = folder.path() / "none.elf";
  EXPECT_THAT(error_of(firmware),
              AllOf(HasSubstr("qemu-system-arm did not run the firmware"), HasSubstr("none.elf")));
}

TEST_F(EmulatorTest, PaintsTheStack) {
  const auto used = [this](int bytes) {
    return emulator
        ->run(build("__attribute__((noinline)) void fill(void) { volatile char room[" +
                    std::to_string(bytes) + "]; for (int i = 0; i < " + std::to_string(bytes) +
                    "; ++i) room[i] = 1; }\nint main(void) { fill(); return 0; }"))
        .stack_bytes;
  };
  EXPECT_EQ(used(3000) - used(1000), 2000);
  EXPECT_GE(used(1000), 1000);
  EXPECT_LE(used(1000), 1200);
}

TEST_F(EmulatorTest, ExchangesFiles) {
  const Firmware firmware = build(
      "char bytes[100];\n"
      "int main(void) { int n = thimble_read_file(\"in\", bytes, sizeof bytes);\n"
      "for (int i = 0; i < n; ++i) bytes[i] ^= 1;\n"
      "thimble_write_file(\"out\", bytes, n);\n"
      "return thimble_read_file(\"absent\", bytes, 1) == -1 ? n : 99; }");
  const std::string input{"\x00\x01\xff\n\x1a", 5};
  const auto run =
      emulator->run(firmware, {.files = {{"in", input}}, .wanted_files = {"out", "never"}});
  EXPECT_EQ(run.status, 5);
  EXPECT_EQ(run.files, (std::map<std::string, std::string>{{"out", {"\x01\x00\xfe\x0b\x1b", 5}}}));
}

/// The C of a network, with the smallest one there is.
TEST_F(EmulatorTest, RunsANetwork) {
  const auto source = folder.path() / "tiny.c";
  write_file(source,
             kHead + std::string{"static int8_t tiny_arena[6];\n"
                                 "int8_t *tiny_input(void) { return tiny_arena; }\n"
                                 "const int8_t *tiny_output(void) { return tiny_arena + 4; }\n"
                                 "void tiny_run(void) { thimble_mark(0);\n"
                                 "tiny_arena[4] = tiny_arena[0] + tiny_arena[3];\n"
                                 "tiny_arena[5] = tiny_arena[1]; thimble_mark(1); }\n"});
  const Firmware firmware = toolchain->compile(
      {source, toolchain->firmware_folder() / "run_network.c"}, folder.path() / "tiny.elf",
      {.core = Core::m33,
       .has_marks = true,
       .regions = 8,
       .definitions = {"THIMBLE_NETWORK=tiny", "THIMBLE_INPUT_BYTES=4", "THIMBLE_OUTPUT_BYTES=2"}});
  const auto run = emulator->run(
      firmware, {.files = {{"input.bin", "\x01\x02\x03\x04"}}, .wanted_files = {"output.bin"}});
  EXPECT_EQ(run.status, 0);
  EXPECT_EQ(run.files.at("output.bin"), "\x05\x02");
  ASSERT_EQ(run.regions.size(), 2U);
  EXPECT_EQ(run.regions[1].region, 7);
  EXPECT_GT(run.regions[1].instructions, run.regions[0].instructions);
  EXPECT_EQ(firmware.elf.find("tiny_arena")->bytes, 6);
  EXPECT_EQ(emulator->run(firmware, {.files = {{"input.bin", "\x01"}}}).status, 1);
}

TEST_F(EmulatorTest, ReadsTheSizesThatSizeReads) {
  const Firmware firmware =
      build("const int table[100] = {1};\nint start = 5;\nchar arena[1000];\n" +
                main_of("arena[0] = (char)table[start]; arena[start] = 1; return arena[start];"),
            {.core = Core::m7, .optimisation = "-O0"});
  const auto size = find_program("arm-none-eabi-size");
  ASSERT_TRUE(size);
  const auto result = run_process(*size, {"-A", firmware.file.string()}, "/");
  std::istringstream lines{result.output};
  std::map<std::string, std::int64_t> sizes;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string name;
    std::int64_t bytes = 0;
    if (words >> name >> bytes) sizes[name] = bytes;
  }
  for (const char* const name : {".text", ".rodata", ".data", ".bss", ".stack"})
    EXPECT_EQ(firmware.elf.section_bytes(name), sizes.at(name)) << name;
  EXPECT_EQ(firmware.ram_bytes(), sizes.at(".data") + sizes.at(".bss"));
  EXPECT_GE(firmware.rom_bytes(), sizes.at(".text") + sizes.at(".rodata") + sizes.at(".data"));
  EXPECT_EQ(firmware.elf.find("table")->bytes, 400);
  EXPECT_EQ(firmware.elf.find("table")->section, ".rodata");
  EXPECT_EQ(firmware.elf.find("arena")->section, ".bss");
  EXPECT_EQ(firmware.elf.find("nothing"), nullptr);
}

TEST_F(EmulatorTest, RefusesBrokenPrograms) {
  const std::string whole = read_file(build(main_of("")).file);
  EXPECT_NO_THROW(parse_elf(whole));
  for (std::size_t size = 0; size < whole.size(); size += 97)
    EXPECT_THROW(parse_elf(std::string_view{whole}.substr(0, size)), Error) << size;
  for (std::size_t place = 0; place < 52; ++place) {  // the header
    std::string broken = whole;
    broken[place] = '\xff';
    try {
      parse_elf(broken);
    } catch (const Error&) {
    }
  }
}

TEST_F(EmulatorTest, GivesTheCompilersFirstError) {
  const auto error = [this](const std::string& code) -> std::string {
    try {
      build(code);
    } catch (const Error& thrown) {
      return thrown.what();
    }
    return "no error";
  };
  EXPECT_THAT(error("int main(void) { return nonsense; }"),
              AllOf(HasSubstr("arm-none-eabi-gcc cannot build 'test1.elf'"),
                    HasSubstr("'nonsense' undeclared")));
  EXPECT_THAT(error("#include <stdlib.h>\nint main(void) { return *(int *)malloc(4); }"),
              HasSubstr("_sbrk"))
      << "there is no heap";
  EXPECT_THAT(error("char big[5 << 20];\nint main(void) { return big[sizeof big - 1]; }"),
              HasSubstr("overflowed"));
}

TEST_F(EmulatorTest, LeavesNothingBehind) {
  const testing::TemporaryFolder here;
  const Firmware firmware = build(main_of(""));
  const Firmware hanging = build("int main(void) { for (;;) continue; }");
  ASSERT_EQ(setenv("TMPDIR", here.path().c_str(), 1), 0);
  emulator->run(firmware);
  error_of(hanging, {.limit = 100ms});
  unsetenv("TMPDIR");
  EXPECT_TRUE(std::filesystem::is_empty(here.path()));
}

/// Runs something without any program to be found.
template <class Function>
std::string error_without_programs(Function function) {
  const char* const found = std::getenv("PATH");
  const std::string path = found != nullptr ? found : "";
  setenv("PATH", "/nowhere", 1);
  std::string text = "no error";
  try {
    function();
  } catch (const Error& error) {
    text = error.what();
  }
  setenv("PATH", path.c_str(), 1);
  return text;
}

TEST(MissingPrograms, AreNamedWithTheirPackages) {
  EXPECT_THAT(error_without_programs([] { Toolchain::find(); }),
              AllOf(HasSubstr("there is no arm-none-eabi-gcc here"),
                    HasSubstr("gcc-arm-none-eabi and libnewlib-arm-none-eabi")));
  EXPECT_THAT(error_without_programs([] { Emulator::find(); }),
              AllOf(HasSubstr("there is no qemu-system-arm here"),
                    HasSubstr("install the Debian package qemu-system-arm")));
}

TEST(Cores, HaveNames) {
  for (const Core core : kCores) EXPECT_EQ(core_of(name_of(core)), core);
  EXPECT_EQ(core_of("m99"), std::nullopt);
}

}  // namespace
}  // namespace thimble
