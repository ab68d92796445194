// thimble import and calibrate, from others' files to a board file that the plugin takes.

#include <fmt/format.h>

#include <support/commands.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/hardware.hpp>

namespace thimble::tables_test {
namespace {

using ::testing::HasSubstr;

class TableCommands : public ::testing::Test {
 protected:
  /// Convolutions whose cycles are `cpi(i)` times their instructions.
  template <class Cpi>
  void write_layers(const Cpi& cpi) const {
    std::string text = "h,w,ci,co,kh,kw,sh,sw,oh,ow,cycles,insns\n";
    for (int i = 1; i <= 20; ++i)
      text += fmt::format("8,8,{},4,3,3,1,1,8,8,{},{}\n", i, 1000 * i * cpi(i), 1000 * i);
    write_file(folder_.path() / "layers.csv", text);
  }

  testing::Finished run(const std::string& arguments) const {
    return testing::thimble_command(arguments, folder_.path());
  }

  testing::Finished calibrated() const {
    const std::string both = "import layers.csv --kernels k --board nucleo_f446re --core m4 ";
    EXPECT_EQ(run(both + "--cycles cycles --output measured.csv").code, 0);
    EXPECT_EQ(run(both + "--instructions insns --output counted.csv").code, 0);
    return run(
        "calibrate --board nucleo_f446re --measured measured.csv --counted counted.csv "
        "--output mine.yaml");
  }

  testing::TemporaryFolder folder_;
};

TEST_F(TableCommands, MakeABoardFile) {
  write_layers([](int i) { return i % 2 == 0 ? 1.7 : 1.9; });
  const auto finished = calibrated();
  ASSERT_EQ(finished.code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("conv            20   1.8"));
  const std::string board = testing::content(folder_.path() / "mine.yaml");
  EXPECT_THAT(board, HasSubstr("id: mine"));
  EXPECT_THAT(board, HasSubstr("value: 1.8"));
  PluginLoader loader = testing::plugins();
  const std::string yaml = "{board: " + (folder_.path() / "mine.yaml").string() + "}";
  EXPECT_NO_THROW(testing::make<Hardware>(loader, "table", yaml));
  EXPECT_NO_THROW(testing::make<Hardware>(loader, "analytic", yaml));
}

TEST_F(TableCommands, WriteNothingWhenTheFitIsBad) {
  write_layers([](int i) { return i % 2 == 0 ? 1.0 : 3.0; });
  const auto finished = calibrated();
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("cycles an instruction fit badly for conv"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "mine.yaml"));
}

TEST_F(TableCommands, SayWhatIsMissing) {
  write_layers([](int) { return 1; });
  const auto refusal = [this](const std::string& more) {
    return run("import layers.csv --kernels k --output t.csv " + more).errors;
  };
  EXPECT_THAT(refusal(""), HasSubstr("nothing to import"));
  EXPECT_THAT(refusal("--cycles cycles"), HasSubstr("cycles without --board"));
  EXPECT_THAT(refusal("--cycles cycle --board b"), HasSubstr("did you mean 'cycles'?"));
  EXPECT_THAT(refusal("--cycles cycles --board b --format micro"), HasSubstr("no format 'micro'"));
  EXPECT_THAT(refusal("--cycles cycles --board 'b\nc'"),
              HasSubstr("'--board b\\x0ac' has control characters"));
  EXPECT_THAT(refusal("--instructions insns --core m5"), HasSubstr("no core 'm5'"));
  EXPECT_THAT(run("import layers.csv --output t.csv --kernels '' --cycles cycles --board b").errors,
              HasSubstr("rows without --kernels"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "t.csv"));
}

TEST_F(TableCommands, WriteOverNothingButTheirOwnKind) {
  write_layers([](int) { return 1; });
  const std::string before = testing::content(folder_.path() / "layers.csv");
  const auto onto_itself =
      run("import layers.csv --kernels k --instructions insns --core m4 --output layers.csv");
  EXPECT_EQ(onto_itself.code, 2) << onto_itself.errors;
  EXPECT_THAT(onto_itself.errors, HasSubstr("no latency table"));
  EXPECT_EQ(testing::content(folder_.path() / "layers.csv"), before);
  write_file(folder_.path() / "mine.yaml", "name: an experiment\n");
  write_layers([](int i) { return i % 2 == 0 ? 1.7 : 1.9; });
  EXPECT_EQ(calibrated().code, 2);
  EXPECT_EQ(testing::content(folder_.path() / "mine.yaml"), "name: an experiment\n");
}

TEST_F(TableCommands, ImportConvolutionsAlone) {
  write_file(folder_.path() / "ops.csv",
             "op,h,w,ci,co,kh,kw,sh,sw,oh,ow,insns\n"
             "conv2d,8,8,4,4,3,3,1,1,8,8,1000\n"
             "depthwise,8,8,4,4,3,3,1,1,8,8,1000\n");
  const auto refused =
      run("import ops.csv --kernels k --instructions insns --core m4 --output t.csv");
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.errors, HasSubstr("ops.csv:3:1: error: 'depthwise' is no convolution"));
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "t.csv"));
}

}  // namespace
}  // namespace thimble::tables_test
