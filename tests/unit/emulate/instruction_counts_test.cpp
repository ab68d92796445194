// Instructions counted in QEMU: exactly, by region and class, again and again.

#include <map>
#include <string>
#include <thread>
#include <vector>

#include <support/firmware.hpp>

namespace thimble::instruction_counts_test {
namespace {

using testing::EmulatorTest;
using testing::main_of;

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

}  // namespace
}  // namespace thimble::instruction_counts_test
