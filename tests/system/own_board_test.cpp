// Measuring on a board: the program's whole way, with QEMU in the board's place. Its SysTick runs
// at 25 MHz, and with -icount shift=5 an instruction takes 32 ns: 0.8 ticks each.

#include <chrono>
#include <csignal>
#include <list>
#include <regex>
#include <thread>

#include <support/commands.hpp>
#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/op_shape.hpp>
#include <thimble/emulate/emulator.hpp>
#include <thimble/emulate/toolchain.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble::own_board_test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using testing::TemporaryFolder;
using testing::thimble_command;

constexpr double kTicksAnInstruction = 0.8;

constexpr const char* kBoard = R"(
id: mine
name: My board
core: m4
clock_mhz: 25
ram_bytes: 131072
rom_bytes: 524288
active_power_mw: { value: 0, relative_error: 0, origin: guessed, source: none }
memory_map:
  flash: { origin: 0x00000000, bytes: 524288 }
  ram: { origin: 0x20000000, bytes: 131072 }
)";

/// What flashes a board and reads what it prints. Its number goes to a file, to look for it later.
constexpr const char* kFlash =
    "echo $$ >pid\n"
    "exec qemu-system-arm -machine mps2-an386 -display none -monitor none -serial none "
    "-chardev stdio,id=text,signal=off -semihosting-config enable=on,target=native,chardev=text "
    "-icount shift=5 -kernel \"$1\"\n";

constexpr const char* kRelu = "relu 4x4x4 -> 4x4x4";
constexpr const char* kAdd = "add 4x4x4 4x4x4 -> 4x4x4";

class OwnBoard : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      Toolchain::find();
      Emulator::find();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    put("mine.yaml", kBoard);
    put("flash", kFlash);
    put("few.txt", std::string{kRelu} + "\n" + kAdd + "\n");
    std::filesystem::create_directory(here_.path() / "tmp");
  }

  void put(const std::string& name, const std::string& text) const {
    write_file(here_.path() / name, text);
  }

  testing::Command start(const std::string& arguments) const {
    return testing::Command{arguments, here_.path(), {{"TMPDIR", (here_.path() / "tmp").string()}}};
  }

  Finished thimble(const std::string& arguments) const { return start(arguments).wait(); }

  Finished measured(const std::string& runner, const std::string& more = "--ops few.txt") const {
    return thimble("profile --board mine.yaml --setup 'no wait states' --output t.csv --runner '" +
                   runner + "' " + more);
  }

  /// Of a measurement that must fail: one error, no table, nothing left behind.
  std::string error_of(const std::string& runner, const std::string& more = "--ops few.txt") const {
    return error_of(measured(runner, more));
  }

  std::string error_of(const Finished& finished, int code = 1) const {
    EXPECT_EQ(finished.code, code) << finished.errors;
    const std::regex error{"error: "};
    EXPECT_EQ(
        std::distance(std::sregex_iterator{finished.errors.begin(), finished.errors.end(), error},
                      std::sregex_iterator{}),
        1)
        << finished.errors;
    EXPECT_FALSE(exists("t.csv"));
    EXPECT_TRUE(std::filesystem::is_empty(here_.path() / "tmp"));
    return finished.errors;
  }

  bool exists(const std::string& name) const {
    return std::filesystem::exists(here_.path() / name);
  }

  LatencyTable table(const std::string& name) const {
    return read_latency_table(here_.path() / name);
  }

  OpRow only_row(const std::string& name) const {
    const LatencyTable rows = table(name);
    EXPECT_EQ(rows.size(), 1U);
    return *rows.rows().at(0);
  }

  const TemporaryFolder here_;
};

/// Dead ones may wait for somebody to ask how they ended.
bool is_alive(const std::string& process) {
  const std::string status = content("/proc/" + process + "/stat");
  const auto name_end = status.rfind(')');
  return name_end != std::string::npos && status.substr(name_end + 2, 1) != "Z";
}

TEST_F(OwnBoard, IsCalibratedWithTheBuiltInOperators) {
  const Finished run = measured("sh flash {elf}", "--repeat 3");
  ASSERT_EQ(run.code, 0) << run.errors;
  ASSERT_EQ(thimble("profile --core m4 --output counted.csv").code, 0);
  const LatencyTable measurements = table("t.csv");
  const auto rows = measurements.rows();
  EXPECT_GE(rows.size(), 10U);
  for (const OpRow* const row : rows) {
    EXPECT_EQ(row->target, "mine");
    EXPECT_EQ(row->setup, "no wait states");
    EXPECT_EQ(row->flags, "-O2");
    EXPECT_EQ(row->n, 3);
    EXPECT_EQ(row->origin, Origin::measured);
    EXPECT_FALSE(row->code_bytes.empty());
  }
  const Finished fit = thimble(
      "calibrate --board mine.yaml --measured t.csv --counted counted.csv --output fit.yaml");
  ASSERT_EQ(fit.code, 0) << fit.errors;
  const Board board = read_board(here_.path() / "fit.yaml");
  for (const Kernel kernel : kKernels) {
    EXPECT_NEAR(board.counted->cpi_of(kernel).value, kTicksAnInstruction, 0.01) << name_of(kernel);
    EXPECT_LT(board.counted->cpi_of(kernel).relative_error, 0.01) << name_of(kernel);
    EXPECT_GE(board.counted->cpi_of(kernel).n, 2) << name_of(kernel);
  }
}

/// SysTick has 24 bits: it turns after 16.8 million ticks.
TEST_F(OwnBoard, MeasuresLongerThanSysTickCounts) {
  put("long.txt", "conv 32x32x32 -> 32x32x32 window 5x5 stride 1x1 padding 2x2 groups 1\n");
  const Finished run = measured("sh flash {elf}", "--ops long.txt --repeat 1");
  ASSERT_EQ(run.code, 0) << run.errors;
  ASSERT_EQ(thimble("profile --core m4 --ops long.txt --output counted.csv").code, 0);
  const double cycles = only_row("t.csv").figure();
  const double instructions = only_row("counted.csv").figure();
  EXPECT_GT(cycles, 1 << 24);
  EXPECT_NEAR(cycles / instructions, kTicksAnInstruction, 0.002);
}

TEST_F(OwnBoard, IsMeasuredAgain) {
  ASSERT_EQ(measured("sh flash {elf}").code, 0);
  const LatencyTable first = table("t.csv");
  LatencyTable old;
  for (const OpRow* const row : first.rows()) {
    OpRow wrong = *row;
    wrong.cycles = wrong.least = wrong.most = 1;
    old.add(wrong);
    wrong.setup = "another";
    old.add(wrong);
  }
  write_latency_table(here_.path() / "t.csv", old);
  ASSERT_EQ(measured("sh flash {elf}").code, 0);
  const LatencyTable fresh = table("t.csv");
  EXPECT_EQ(fresh.size(), 4U);
  ASSERT_EQ(thimble("profile --core m4 --ops few.txt --output counted.csv").code, 0);
  const Finished mixed =
      thimble("calibrate --board mine.yaml --measured t.csv --counted counted.csv");
  EXPECT_EQ(mixed.code, 2);
  EXPECT_THAT(mixed.errors, HasSubstr("several setups: 'another', 'no wait states'"));
  for (const OpRow* const row : fresh.rows()) EXPECT_EQ(*row->cycles == 1, row->setup == "another");
}

TEST_F(OwnBoard, LooksAtItsOutputBeforeItMeasures) {
  const std::string rest = " --board mine.yaml --setup x --ops few.txt --runner 'touch ran'";
  put("notes.csv", "mine\n");
  const Finished notes = thimble("profile --output notes.csv" + rest);
  EXPECT_EQ(notes.code, 2);
  EXPECT_THAT(notes.errors, HasSubstr("notes.csv:1:1: error: no latency table"));
  const Finished nowhere = thimble("profile --output no/t.csv" + rest);
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_THAT(nowhere.errors, HasSubstr("there is no folder 'no'"));
  EXPECT_FALSE(exists("ran"));
}

/// All of them read the table while another writes it, unless they wait for each other.
TEST_F(OwnBoard, SharesItsTableWithOthers) {
  ASSERT_EQ(measured("sh flash {elf} | tee printed.txt").code, 0);
  std::list<testing::Command> all;
  for (int i = 0; i < 6; ++i)
    all.emplace_back("profile --board mine.yaml --records printed.txt --output t.csv --setup " +
                         std::to_string(i),
                     here_.path());
  for (const testing::Command& one : all) EXPECT_EQ(one.wait().errors, "");
  EXPECT_EQ(table("t.csv").size(), 14U);
  EXPECT_FALSE(exists("t.csv.lock"));
}

TEST_F(OwnBoard, LeavesOutWhatIsTooLarge) {
  put("mine.yaml",
      std::regex_replace(std::string{kBoard}, std::regex{"bytes: 131072 \\}"}, "bytes: 16384 }"));
  put("some.txt", std::string{kRelu} + "\nrelu 32x32x32 -> 32x32x32\n");
  const Finished run = measured("sh flash {elf}", "--ops some.txt");
  ASSERT_EQ(run.code, 0) << run.errors;
  EXPECT_THAT(run.output, HasSubstr("left out, too large for the board: relu 32x32x32"));
  EXPECT_EQ(table("t.csv").size(), 1U);
}

TEST_F(OwnBoard, TakesNoLongerThanTheLimit) {
  put("hang.c", "void thimble_board_start(void) { for (;;) continue; }\n");
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(error_of("sh flash {elf}", "--ops few.txt --source hang.c --limit 1"),
              HasSubstr("the runner took more than 1 s"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 60s);
  const std::string id{trimmed(content(here_.path() / "pid"))};
  ASSERT_FALSE(id.empty());
  for (int i = 0; i < 100 && is_alive(id); ++i) std::this_thread::sleep_for(50ms);
  EXPECT_FALSE(is_alive(id));
}

TEST_F(OwnBoard, EndsOnInterrupt) {
  const testing::Command measuring = start(
      "profile --board mine.yaml --ops few.txt --setup x --output t.csv "
      "--runner 'echo $$ >pid; exec sleep 60'");
  while (content(here_.path() / "pid").empty()) std::this_thread::sleep_for(50ms);
  measuring.send(SIGINT);
  const Finished stopped = measuring.wait();
  EXPECT_EQ(stopped.code, 130);
  EXPECT_EQ(stopped.errors, "thimble: interrupted\n");
  EXPECT_FALSE(exists("t.csv"));
  EXPECT_FALSE(is_alive(std::string{trimmed(content(here_.path() / "pid"))}));
}

TEST_F(OwnBoard, TellsWhatIsWrongWithARunner) {
  EXPECT_THAT(error_of("no-such-program {elf}"),
              AllOf(HasSubstr("no-such-program"), HasSubstr("is the program installed")));
  EXPECT_THAT(error_of("echo no probe found >&2; exit 3"),
              HasSubstr("the runner failed with code 3: no probe found"));
  EXPECT_THAT(error_of("true"), HasSubstr("the firmware printed no records"));
  EXPECT_THAT(error_of("head -c 3000 /dev/urandom"), HasSubstr("printed no records"));
  EXPECT_THAT(error_of("yes"), HasSubstr("the runner printed more than"));
}

TEST_F(OwnBoard, TellsWhatIsWrongWithRecords) {
  const std::string flash = "sh flash {elf} | sed ";
  EXPECT_THAT(error_of(flash + "/end/d"), HasSubstr("records stop: 2 of 2 operators"));
  EXPECT_THAT(error_of(flash + "/relu/d"), HasSubstr("records stop: 1 of 2 operators"));
  EXPECT_THAT(error_of(flash + "s/checksum/chksum/"), HasSubstr("garbled"));
  EXPECT_THAT(error_of(flash + "s/...$//"), HasSubstr("garbled"));
  EXPECT_THAT(error_of(flash + "s/checksum.:[0-9]*/checksum\\\":7/"),
              AllOf(HasSubstr(kRelu), HasSubstr("does not compute what its reference does")));
  EXPECT_THAT(error_of(flash + "s/systick/none/"), HasSubstr("no running cycle counter"));
  EXPECT_THAT(error_of(flash + "s/ticks.:.[0-9]*/ticks\\\":[0/"), HasSubstr("took no cycles"));
  for (const char* const ticks : {"-5", "1.5", "1e30", "4294967296", "\\\"5\\\""})
    EXPECT_THAT(error_of(flash + "s/ticks.:.[0-9]*/ticks\\\":[" + ticks + "/"),
                HasSubstr("garbled"));
  EXPECT_THAT(error_of(flash + "s/kernels.:.[^,]*/kernels\\\":\\\"\\\"/"), HasSubstr("garbled"));
  EXPECT_THAT(error_of(flash + "/relu/s/,[0-9]*]/]/"), HasSubstr("garbled"));
  EXPECT_THAT(error_of(flash + "s/part.:3108/part\\\":3107/"), HasSubstr("part number 0xc23"));
}

TEST_F(OwnBoard, TellsThatTheProgramCrashed) {
  put("crash.c", "void thimble_board_start(void) { *(volatile int *)0xF0000000 = 1; }\n");
  EXPECT_THAT(error_of("sh flash {elf}", "--ops few.txt --source crash.c"),
              AllOf(HasSubstr("the firmware crashed"), HasSubstr("cfsr")));
}

TEST_F(OwnBoard, RunsItsOwnProgram) {
  ASSERT_EQ(measured("sh flash {elf} | tee other.txt").code, 0);
  std::filesystem::remove(here_.path() / "t.csv");
  put("one.txt", std::string{kRelu} + "\n");
  const auto runs_another = HasSubstr("runs another program");
  EXPECT_THAT(error_of("cat other.txt", "--ops one.txt"), runs_another);
  EXPECT_THAT(error_of("cat other.txt", "--ops few.txt --repeat 6"), runs_another);
  EXPECT_THAT(error_of("sed s/gcc/clang/ other.txt"), runs_another);
  EXPECT_THAT(error_of("sed s/-O2/-Os/ other.txt"), runs_another);
}

/// Serial lines end lines their own way, carry other text, and what an earlier start printed.
TEST_F(OwnBoard, FindsItsRecordsAmongOtherLines) {
  put("noise",
      "echo boot; echo "
      "\"{\\\"profile\\\":\\\"operator\\\",\\\"op\\\":\\\"x\\\",\\\"checksum\\\":1}\"\n"
      "sh flash \"$1\" | head -n 3\n"
      "sh flash \"$1\" | sed 's/$/\\r/; s/^{.*end/Info: halted\\n&/'\n");
  const Finished run = measured("sh noise {elf}");
  ASSERT_EQ(run.code, 0) << run.errors;
  EXPECT_EQ(table("t.csv").size(), 2U);
}

TEST_F(OwnBoard, MustBeDescribed) {
  const auto refused = [this](const std::string& arguments) {
    const Finished run = thimble("profile --ops few.txt --output t.csv " + arguments);
    EXPECT_EQ(run.code, 2) << run.errors;
    EXPECT_FALSE(exists("t.csv"));
    return run.errors;
  };
  EXPECT_THAT(refused("--board mine.yaml --setup x"), HasSubstr("nothing runs on the board"));
  EXPECT_THAT(refused("--board mine.yaml --runner true"), HasSubstr("without --setup"));
  EXPECT_THAT(refused("--board mine.yaml --runner true --setup 'a\nb'"),
              HasSubstr("'--setup a\\x0ab' has control characters"));
  EXPECT_THAT(refused("--networks -5"), HasSubstr("--networks"));
  EXPECT_THAT(refused("--runner true"), HasSubstr("--board"));
  EXPECT_THAT(refused("--board mine.yaml --core m4"), HasSubstr("--core"));
  const std::string board = kBoard;
  put("mine.yaml", board.substr(0, board.find("memory_map")));
  EXPECT_THAT(refused("--board mine.yaml --runner true --setup x"), HasSubstr("memory_map"));
  put("mine.yaml", std::regex_replace(board, std::regex{"0x20000000"}, "0x2000000g"));
  EXPECT_THAT(refused("--board mine.yaml --runner true --setup x"),
              AllOf(HasSubstr("mine.yaml:11:18"), HasSubstr("no address is '0x2000000g'")));
}

/// Built as a guest in another project, whose start-up and output these are. The emulator has no
/// cycle counter, so cycles are put in by hand.
TEST_F(OwnBoard, GivesCForAnotherProject) {
  const Finished emitted =
      thimble("profile --board mine.yaml --ops few.txt --repeat 2 --emit project");
  ASSERT_EQ(emitted.code, 0) << emitted.errors;
  const auto project = here_.path() / "project";
  std::filesystem::remove(project / "guest_print.c");
  write_file(project / "main.c",
             "#include \"run_operators.h\"\nint main(void) { thimble_profile(); return 0; }\n");
  const auto firmware = installed_firmware().string();
  const std::string build =
      "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -O2 -Wall -Wextra -Werror -nostartfiles *.c " +
      firmware + "/start.c " + firmware + "/semihosting.c -L" + firmware + " -T" + firmware +
      "/m4.ld -Wl,--defsym=THIMBLE_STACK_BYTES=4096 -o p.elf && sh ../flash p.elf >../printed.txt";
  const ProcessResult built = run_process("/bin/sh", {"-c", build}, project);
  ASSERT_TRUE(built.succeeded()) << built.errors;
  const std::string records =
      "profile --board mine.yaml --setup x --output t.csv --records printed.txt";
  EXPECT_THAT(error_of(thimble(records), 2),
              HasSubstr("printed.txt:2:1: error: the board has no running cycle counter"));
  std::string printed = content(here_.path() / "printed.txt");
  printed = std::regex_replace(printed, std::regex{"none"}, "cycles");
  put("printed.txt", std::regex_replace(printed, std::regex{R"(\[0,0\])"}, "[90,110]"));
  ASSERT_EQ(thimble(records).code, 0);
  const LatencyTable measurements = table("t.csv");
  const auto rows = measurements.rows();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(*rows[0]->cycles, 100);
  EXPECT_EQ(*rows[0]->least, 90);
  EXPECT_EQ(*rows[0]->most, 110);
  for (const std::string level : {"-O0", "-Os"}) {
    const std::string other = "arm-none-eabi-gcc -mcpu=cortex-m4 -mthumb -c table.c " + level;
    EXPECT_THAT(run_process("/bin/sh", {"-c", other}, project).errors,
                HasSubstr("compile with -O2"));
  }
  put("printed.txt", content(here_.path() / "printed.txt") + content(here_.path() / "printed.txt"));
  ASSERT_EQ(thimble(records).code, 0);
  const LatencyTable again = table("t.csv");
  EXPECT_EQ(again.rows().at(0)->n, 4) << "the same in two records is repeats";
}

TEST_F(OwnBoard, GivesAllOfItsCOrNoneOnAFullDisk) {
  const Finished failed =
      testing::shell("ulimit -f 8; trap '' XFSZ; '" THIMBLE_TEST_PROGRAM
                     "' profile --board mine.yaml --ops few.txt --emit new/project",
                     here_.path());
  EXPECT_THAT(error_of(failed), HasSubstr("operators.c': File too large"));
  EXPECT_FALSE(exists("new"));
}

}  // namespace
}  // namespace thimble::own_board_test
