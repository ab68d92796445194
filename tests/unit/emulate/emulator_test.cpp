// Programs for microcontrollers as the emulator runs them: what they print and leave, and how they
// fail.

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include <support/firmware.hpp>

namespace thimble::emulator_test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using testing::EmulatorTest;
using ::testing::HasSubstr;
using testing::kHead;
using testing::main_of;

TEST_F(EmulatorTest, GivesTextAndStatusOnEveryCore) {
  for (const Core core : kCores) {
    const auto run = emulator->run(
        build("int main(void) { thimble_print(\"no \\\"end\\\"\"); return 42; }", {.core = core}));
    EXPECT_EQ(run.status, 42) << name_of(core);
    EXPECT_EQ(run.text, "no \"end\"") << name_of(core);
    EXPECT_TRUE(run.regions.empty()) << name_of(core);
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

}  // namespace
}  // namespace thimble::emulator_test
