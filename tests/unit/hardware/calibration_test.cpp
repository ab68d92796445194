// Board files, cycles an instruction fitted to measurements, and others' formats.

#include <fstream>
#include <string>
#include <vector>

#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/calibration.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/import_rows.hpp>

namespace thimble::calibration_test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBoard = R"(id: mine
name: My Board
core: m4
clock_mhz: 100
ram_bytes: 65536
rom_bytes: 262144
active_power_mw: { value: 0, relative_error: 0, origin: guessed, source: none }
counted:
  cpi:
    default: { value: 1.5, relative_error: 0.1, n: 3, origin: fitted, source: test }
  fixed_ram_bytes: 100
  fixed_rom_bytes: 200
  source: test
)";

std::string changed(const std::string& from, const std::string& to) {
  std::string text = kBoard;
  return text.replace(text.find(from), from.size(), to);
}

std::string refusal(const std::string& text) {
  try {
    board_from(parse_yaml(text, "mine.yaml"), "mine.yaml");
  } catch (const InputError& error) {
    return error.what();
  }
  return "it was read";
}

TEST(Board, IsReadStrictly) {
  EXPECT_EQ(refusal(kBoard), "it was read");
  EXPECT_THAT(refusal(changed("core: m4", "core: m5")),
              HasSubstr("mine.yaml:3:7: error: no core 'm5'"));
  EXPECT_THAT(refusal(changed("core: m4", "core: ''")),
              HasSubstr("mine.yaml:3:7: error: no core ''"));
  EXPECT_THAT(refusal(changed("id: mine", "id: yours")),
              HasSubstr("mine.yaml:1:5: error: 'id' is"));
  EXPECT_THAT(refusal(changed("default:", "convv:")),
              HasSubstr("no kind of operator is 'convv'; did you mean 'conv'?"));
  EXPECT_THAT(refusal(changed("default:", "conv:")), HasSubstr("missing key 'default' for 'cpi'"));
  EXPECT_THAT(refusal(changed("value: 1.5", "value: 0")), HasSubstr("'value' is 0"));
  const auto with_ram = [](const std::string& origin) {
    return kBoard + ("memory_map:\n  flash: { origin: 0x20000000, bytes: 4096 }\n"
                     "  ram: { origin: " +
                     origin + ", bytes: 4096 }\n");
  };
  EXPECT_EQ(refusal(with_ram("0x20001000")), "it was read");
  EXPECT_THAT(refusal(with_ram("0x20000ffc")),
              HasSubstr("'flash' and 'ram' of 'memory_map' overlap"));
  EXPECT_THAT(refusal("- a\n"), HasSubstr("a board file is a map"));
}

/// Sums of what is read stay exact.
TEST(Board, RefusesFiguresBeyondTheirBounds) {
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"ram_bytes: 65536", "ram_bytes: 4294967297"},
           {"rom_bytes: 262144", "rom_bytes: 9223372036854775807"},
           {"fixed_ram_bytes: 100", "fixed_ram_bytes: 9223372036854775807"},
           {"fixed_rom_bytes: 200", "fixed_rom_bytes: 9223372036854775807"},
           {"source: test\n", "source: test\n  inference_cycles: 1e300\n"},
           {"n: 3", "n: 9223372036854775807"},
           {"{ value: 0,", "{ value: 1e300,"}})
    EXPECT_THAT(refusal(changed(from, to)), ::testing::ContainsRegex("mine.yaml:.* must be in"))
        << to;
  EXPECT_EQ(refusal(changed("fixed_ram_bytes: 100", "fixed_ram_bytes: 4294967296")), "it was read");
}

TEST(Board, ServesKindsWithoutTheirOwnByDefault) {
  const std::string both = changed(
      "    default:",
      "    add: { value: 2, relative_error: 0, n: 1, origin: fitted, source: t }\n    default:");
  const Board board = board_from(parse_yaml(both, "mine.yaml"), "mine.yaml");
  EXPECT_EQ(board.counted->cpi_of(Kernel::add).value, 2);
  EXPECT_EQ(board.counted->cpi_of(Kernel::conv).value, 1.5);
}

/// Every board that is shipped can be read, and says where its figures come from.
TEST(Board, AllThatAreShippedAreSound) {
  std::size_t count = 0;
  const auto share = installed_prefix() / "share" / "thimble";
  for (const auto& file : std::filesystem::directory_iterator{share / "boards"}) {
    const Board board = read_board(board_file(file.path().stem().string(), share));
    ASSERT_TRUE(board.counted) << board.id;
    for (const auto& [kind, cpi] : board.counted->cpi) {
      EXPECT_GT(cpi.relative_error, 0) << board.id << ' ' << kind;
      EXPECT_GT(cpi.source.size(), 10U) << board.id << ' ' << kind;
      const bool is_guess = cpi.origin == Origin::guessed;
      EXPECT_EQ(cpi.board, is_guess ? "" : board.id) << kind;
      EXPECT_EQ(cpi.kernels.empty(), is_guess) << board.id << ' ' << kind;
      EXPECT_TRUE(cpi.n >= 2 || is_guess) << board.id << ' ' << kind;
    }
    if (board.active_power_mw) {
      EXPECT_EQ(board.active_power_mw->board, board.id);
    }
    ++count;
  }
  EXPECT_EQ(count, 11U);
}

/// Nothing was measured with thimble's own kernels, so all their latencies are guesses; those of
/// the kernels that were measured are as the file says.
TEST(Board, SaysOfNoKernelsMoreThanWasMeasured) {
  const auto share = installed_prefix() / "share" / "thimble";
  for (const auto& file : std::filesystem::directory_iterator{share / "boards"}) {
    const Board board = read_board(file.path());
    EXPECT_NE(board.doubt_about(own_kernels()), "") << board.id;
    for (const Kernel kernel : kKernels) {
      const CyclesPerInstruction ours = board.cpi_for(kernel, own_kernels());
      EXPECT_EQ(ours.origin, Origin::guessed) << board.id;
      EXPECT_EQ(ours.relative_error, kGuessError) << board.id;
      const CyclesPerInstruction& stated = board.counted->cpi_of(kernel);
      const CyclesPerInstruction theirs = board.cpi_for(kernel, stated.kernels);
      EXPECT_EQ(theirs.origin, stated.origin) << board.id;
      EXPECT_EQ(theirs.relative_error, stated.relative_error) << board.id;
    }
  }
}

/// Who writes a board file finds every key in the docs.
TEST(Board, HasItsKeysInTheDocs) {
  const std::string doc = read_file(std::string{THIMBLE_TEST_SOURCE} + "/docs/own-board.md");
  const auto require = [&](auto described) {
    for (const Field& field : schema_of(described))
      EXPECT_THAT(doc, HasSubstr("`" + field.name + "`")) << "docs/own-board.md";
  };
  require(Board{});
  require(StatedFigure{});
  require(CyclesPerInstruction{});
  require(BoardMemories{});
  require(BoardMemory{});
  require(CountedCosts{});
  for (const Kernel kernel : kKernels)
    EXPECT_THAT(doc, HasSubstr(std::string{"`"} + name_of(kernel) + "`"));
}

CalibrationSample sample(double instructions, double cycles, const char* kind = "relu") {
  return {op_shape_of(std::string{kind} + " 8x1x1 -> 8x1x1"), instructions, cycles, "k"};
}

TEST(Calibration, TakesTheMedianAndLeavesEachSampleOut) {
  const std::vector<CalibrationSample> samples{sample(100, 150), sample(100, 160),
                                               sample(200, 340)};
  const CpiFit fit = fit_cpi("relu", samples);  // ratios 1.5, 1.6, 1.7
  EXPECT_NEAR(fit.cpi, 1.6, 1e-12);
  EXPECT_EQ(fit.n, 3U);
  // Without one of them the others' medians are 1.65, 1.6, 1.55.
  const double first = 1 - 1.5 / 1.65;
  const double last = 1.7 / 1.55 - 1;
  EXPECT_NEAR(fit.mean_error, (first + 0 + last) / 3, 1e-12);
  EXPECT_NEAR(fit.p95_error, last, 1e-12);
  EXPECT_NEAR(fit.most_error, last, 1e-12);
}

TEST(Calibration, OneWildMeasurementMovesItLittle) {
  std::vector<CalibrationSample> samples;
  for (int i = 0; i < 40; ++i) samples.push_back(sample(100, 150 + 0.1 * i));
  const double before = fit_cpi("relu", samples).cpi;
  samples.push_back(sample(100, 100'000));
  EXPECT_NEAR(fit_cpi("relu", samples).cpi, before, 0.001);
}

TEST(Calibration, FitsKindsApartAndNamesThoseThatMisfit) {
  std::vector<CalibrationSample> samples;
  for (int i = 0; i < 10; ++i) {
    samples.push_back(sample(100, 150));
    samples.push_back(sample(100, i % 2 == 0 ? 100 : 300, "softmax"));
  }
  const auto fits = calibrate(samples);
  ASSERT_EQ(fits.size(), 3U);
  EXPECT_EQ(fits[0].kind, "relu");
  EXPECT_EQ(fits[0].cpi, 1.5);
  EXPECT_EQ(fits[0].mean_error, 0);
  EXPECT_EQ(fits[2].kind, "default");
  EXPECT_NO_THROW(require_good_fits({fits.data(), 1}));
  try {
    require_good_fits(fits);
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("softmax (95 % of 10 within"));
    EXPECT_THAT(error.what(), ::testing::Not(HasSubstr("relu")));
  }
}

TEST(Calibration, NeedsSamplesAndTrustsOneToNothing) {
  EXPECT_THROW(calibrate({}), InputError);
  const std::vector<CalibrationSample> one{sample(100, 150)};
  EXPECT_EQ(fit_cpi("relu", one).p95_error, 1);
  try {
    require_good_fits(calibrate(one));
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("relu (one operator; two are needed to tell)"));
  }
}

OpRow row_of(const char* kernels, const char* target) {
  OpRow row;
  row.op = op_shape_of("relu 4x4x4 -> 4x4x4");
  row.target = target;
  row.kernels = kernels;
  row.compiler = "gcc 12.2.1";
  row.flags = "-O2";
  (row.target == "m4" ? row.instructions : row.cycles) = 100;
  return row;
}

TEST(Calibration, ComparesWhatWasBuiltAlikeOnly) {
  const Board board = board_from(parse_yaml(kBoard, "mine.yaml"), "mine.yaml");
  LatencyTable measured, counted;
  measured.add(row_of("a", "mine"));
  counted.add(row_of("b", "m4"));
  const auto refusal = [&]() -> std::string {
    try {
      calibration_samples(board, measured, counted);
    } catch (const InputError& error) {
      return error.what();
    }
    return "they were taken";
  };
  EXPECT_THAT(refusal(), HasSubstr("not what was counted: a (gcc 12.2.1 -O2), and b (gcc"));
  OpRow smaller = row_of("a", "m4");
  smaller.flags = "-Os";
  counted.add(smaller);
  EXPECT_THAT(refusal(), HasSubstr("count the same kernels, with the same compiler and flags"));
  counted.add(row_of("a", "m4"));
  EXPECT_EQ(calibration_samples(board, measured, counted).size(), 1U);
  measured.add(row_of("b", "mine"));
  EXPECT_THAT(refusal(), HasSubstr("of several builds: a (gcc 12.2.1 -O2), b (gcc 12.2.1 -O2)"));
}

TEST(Calibration, WritesABoardFileThatReadsBack) {
  const std::vector<CalibrationSample> samples{sample(100, 150), sample(100, 151),
                                               sample(100, 149)};
  const auto fits = calibrate(samples);
  for (const std::string& text : {std::string{kBoard}, changed("counted:", "plugins:")}) {
    const Value made = with_fits(parse_yaml(text, "mine.yaml"), fits, "test", "new.yaml");
    const Board board = board_from(parse_yaml(to_yaml(made), "new.yaml"), "new.yaml");
    EXPECT_EQ(board.id, "new");
    EXPECT_EQ(board.counted->cpi_of(Kernel::relu).value, 1.5);
    EXPECT_LE(board.counted->cpi_of(Kernel::relu).relative_error, 0.01);
    EXPECT_EQ(board.counted->cpi_of(Kernel::conv).n, 3);
    EXPECT_EQ(board.counted->cpi_of(Kernel::conv).relative_error, 0.3) << "none was measured";
    EXPECT_EQ(board.doubt_about("k"), "");
    EXPECT_EQ(board.doubt_about("k 2"), "cycles an instruction were fitted to k");
    EXPECT_EQ(board.counted->fixed_ram_bytes, text == kBoard ? 100 : 1024);
  }
}

class Import : public ::testing::Test {
 protected:
  std::filesystem::path written(const std::string& name, const std::string& text) {
    write_file(folder_.path() / name, text);
    return folder_.path() / name;
  }
  ImportConditions conditions_{"mine", "m4", "k", "", ""};

 private:
  testing::TemporaryFolder folder_;
};

TEST_F(Import, ReadsConvolutionsPaddedAsSame) {
  const auto file = written("c.csv",
                            "op,h,w,ci,co,kh,kw,sh,sw,oh,ow,a,b\n"
                            "conv,16,5,8,6,3,2,2,1,8,5,1000,\n"
                            "conv,16,5,8,6,1,1,1,1,16,5,,700\n");
  const LatencyTable table = import_convolutions(file, "a", "b", conditions_);
  ASSERT_EQ(table.size(), 2U);
  const OpRow& counted = *table.rows()[0];
  EXPECT_EQ(to_string(counted.op),
            "conv 8x16x5 -> 6x16x5 window 1x1 stride 1x1 padding 0x0 groups 1");
  EXPECT_EQ(counted.target, "m4");
  EXPECT_EQ(counted.instructions, 700);
  const OpRow& measured = *table.rows()[1];
  EXPECT_EQ(to_string(measured.op),
            "conv 8x16x5 -> 6x8x5 window 3x2 stride 2x1 padding 0x0 groups 1");
  EXPECT_EQ(measured.target, "mine");
  EXPECT_EQ(measured.cycles, 1000);
  EXPECT_EQ(measured.origin, Origin::measured);
}

TEST_F(Import, TakesEqualConvolutionsAsRepeats) {
  const std::string row = "16,5,8,6,1,1,1,1,16,5,";
  const auto file = written("c.csv", "h,w,ci,co,kh,kw,sh,sw,oh,ow,a,b\n" + row + "700,10\n" + row +
                                         "800,10\n" + row + "720,10\n");
  const LatencyTable table = import_convolutions(file, "a", "b", conditions_);
  ASSERT_EQ(table.size(), 2U);
  const OpRow& measured = *table.rows()[1];
  EXPECT_EQ(measured.cycles, 720);
  EXPECT_EQ(measured.n, 3);
  EXPECT_EQ(measured.least, 700);
  EXPECT_EQ(measured.most, 800);
  EXPECT_EQ(table.rows()[0]->instructions, 10);
}

TEST_F(Import, RefusesWhatDoesNotFitTogether) {
  const auto file = written("c.csv", "h,w,ci,co,kh,kw,sh,sw,oh,ow,a\n16,5,8,6,3,3,1,1,14,3,1\n");
  EXPECT_THROW(import_convolutions(file, "a", "", conditions_), InputError) << "VALID, not SAME";
  EXPECT_THROW(import_convolutions(file, "cycles", "", conditions_), InputError);
  const auto json = written("r.json", "[{\"timing\": 3, \"modelConfig\": {}}");
  EXPECT_THROW(import_micronas_records(json, conditions_), InputError);
}

TEST_F(Import, RefusesFiguresBeyondTheirBounds) {
  const auto refusal = [this](const std::string& row) {
    try {
      import_convolutions(written("c.csv", "h,w,ci,co,kh,kw,sh,sw,oh,ow,a\n" + row), "a", "",
                          conditions_);
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"it was read"};
  };
  EXPECT_EQ(refusal("16,5,8,6,1,1,1,1,16,5,1e12\n"), "it was read");
  EXPECT_THAT(refusal("16,5,8,6,1,1,1,1,16,5,1e300\n"),
              HasSubstr("c.csv:2:23: error: 'a' is '1e300', must be a number in"));
  EXPECT_THAT(refusal("16,5,8,6,1,1,1,1,16,5,0\n"), HasSubstr("'a' is '0'"));
  EXPECT_THAT(refusal("2000000,5,8,6,1,1,1,1,16,5,1\n"),
              HasSubstr("c.csv:2:1: error: 'h' is '2000000', must be an integer in [1, 1048576]"));
}

TEST_F(Import, RefusesAnotherNumberOfMacs) {
  const auto refusal = [this](const std::string& macs) {
    const auto file = written(
        "c.csv", "h,w,ci,co,kh,kw,sh,sw,oh,ow,macs,a\n16,5,8,6,1,1,1,1,16,5," + macs + ",9\n");
    try {
      import_convolutions(file, "a", "", conditions_);
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"it was read"};
  };
  EXPECT_EQ(refusal("3840"), "it was read");
  EXPECT_EQ(refusal(""), "it was read");
  EXPECT_THAT(refusal("480"), HasSubstr("c.csv:2:23: error: 'macs' is '480', and conv 8x16x5 -> "));
  EXPECT_THAT(refusal("many"), HasSubstr("c.csv:2:23: error: 'macs' is 'many', and "));
}

TEST_F(Import, RefusesSizesThatAreNone) {
  const auto refusal = [this](const std::string& filters, const std::string& stride,
                              const std::string& cycles = "9") {
    const auto file = written(
        "r.json", R"([{"modelConfig": {"filters": )" + filters +
                      R"(, "groups": 1, "kernel_size": [3, 1], "padding": "same", "strides": [)" +
                      stride + R"(, 1], "input_shape": [1, 64, 30, 1]},
                      "timing": [{"cpuCycles": )" +
                      cycles + R"(, "type": 3}]}])");
    try {
      import_micronas_records(file, conditions_);
    } catch (const InputError& error) {
      return std::string{error.what()};
    }
    return std::string{"it was read"};
  };
  EXPECT_EQ(refusal("4", "1"), "it was read");
  EXPECT_THAT(refusal("4", "0"), HasSubstr("r.json:1:2: error: record 1: 'strides' is [0,1]"));
  EXPECT_THAT(refusal("4.7", "1"), HasSubstr("'filters' is 4.7, not a size"));
  EXPECT_THAT(refusal("4294967297", "1"), HasSubstr("'filters' is 4294967297"));
  EXPECT_THAT(refusal("-4", "1"), HasSubstr("'filters' is -4"));
  EXPECT_THAT(refusal("[]", "1"), HasSubstr("record 1"));
  EXPECT_THAT(refusal("4", "1", "1e300"),
              HasSubstr("record 1: 'cpuCycles' is 1e+300, must be in [0.001, 1000000000000]"));
  EXPECT_THAT(refusal("4", "1", "-3"), HasSubstr("record 1: 'cpuCycles' is -3"));
}

TEST_F(Import, NamesThePlaceOfWhatIsNoRecord) {
  const auto refusal = [this](const std::string& text) {
    try {
      import_micronas_records(written("r.json", text), conditions_);
    } catch (const InputError& error) {
      const Diagnostic& problem = error.diagnostics().front();
      EXPECT_FALSE(problem.note.empty());
      const std::string told = to_string(problem);
      const auto begin = told.find("r.json");
      return told.substr(begin, told.find('\n') - begin);
    }
    return std::string{"it was read"};
  };
  EXPECT_EQ(refusal(""), "r.json:1:1: error: the JSON ends too early");
  EXPECT_EQ(refusal("[{}"), "r.json:1:4: error: the JSON ends too early");
  EXPECT_EQ(refusal("[\n {},\n {\"a\": nul}]"), "r.json:3:11: error: no JSON goes on with '}'");
  EXPECT_EQ(refusal("[\n {\"a\": wrong, \"b\": 1}]"),
            "r.json:2:8: error: no JSON goes on with 'wrong'");
  EXPECT_EQ(refusal("[{}] []"), "r.json:1:6: error: no JSON goes on with '['");
  EXPECT_EQ(refusal("[{\"a\": 1e999 }]"), "r.json:1:8: error: out of range is the number '1e999'");
  EXPECT_EQ(refusal("1e999"), "r.json:1:1: error: out of range is the number '1e999'");
  EXPECT_EQ(refusal("{}"), "r.json:1:1: error: not a list of records");
  EXPECT_EQ(refusal("[{},\n 57 ]"), "r.json:2:2: error: record 2: it is '57', not a map");
  EXPECT_EQ(refusal("[{\"error\": [[1]]},\n  {\"timing\": 3, \"modelConfig\": {}}]"),
            "r.json:2:3: error: record 2: 'timing' is '3', not a list");
  EXPECT_EQ(refusal("[{\"timing\": [{}], \"modelConfig\": 1}]"),
            "r.json:1:2: error: record 1: 'modelConfig' is '1', not a map");
  EXPECT_EQ(refusal("[{\"timing\": [], \"modelConfig\": null}]"),
            "r.json:1:2: error: record 1: 'modelConfig' is 'null', not a map");
  EXPECT_EQ(refusal("[{\"timing\": [{}], \"modelConfig\": {}}]"),
            "r.json:1:2: error: record 1: there is no 'type'");
  EXPECT_EQ(refusal("[{\"timing\": [], \"modelConfig\": {\"filters\": 1, \"kernel_size\": 1}}]"),
            "r.json:1:2: error: record 1: there is no 'padding'");
  EXPECT_EQ(refusal("[\"\xff\"]"), "r.json:1:3: error: not UTF-8 text");
}

TEST_F(Import, ReadsRecordsOfMicroNas) {
  const std::string layer =
      R"("modelConfig": {"filters": 4, "groups": 1, "kernel_size": [3, 1], "padding": "same",
         "strides": [2, 1], "input_shape": [1, 64, 30, 1]})";
  const auto timing = [](int cycles) {
    return R"("timing": [{"cpuCycles": 9, "type": 1}, {"cpuCycles": )" + std::to_string(cycles) +
           R"(, "type": 3}])";
  };
  const auto file = written("r.json", "[{" + layer + "," + timing(700) + "},{" + layer + "," +
                                          timing(800) + "},{" + layer + "," + timing(720) +
                                          R"(},{"modelConfig": {"units": 3}, )" + timing(5) +
                                          R"(},{"error": "timeout"}])");
  const LatencyTable table = import_micronas_records(file, conditions_);
  ASSERT_EQ(table.size(), 1U);
  const OpRow& row = *table.rows()[0];
  EXPECT_EQ(to_string(row.op),
            "conv 1x64x30 -> 4x32x30 window 3x1 stride 2x1 padding 0x0 groups 1");
  EXPECT_EQ(row.cycles, 720);
  EXPECT_EQ(row.n, 3);
  EXPECT_EQ(row.least, 700);
  EXPECT_EQ(row.most, 800);
}

}  // namespace
}  // namespace thimble::calibration_test
