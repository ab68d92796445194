// thimble deploy: what it writes computes on this machine what its self-test expects, and what is
// wrong with the command costs nothing.

#include <cstdlib>
#include <string>

#include <support/commands.hpp>
#include <support/self_test.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>

namespace thimble::deploy_test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kCell =
    "'|nor_conv_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|skip_connect~0|avg_pool_3x3~1|none~2|'";

class DeployCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file(folder_.path() / "small.yaml",
               "name: small\nschema: 1\nseed: 3\n"
               "search_space: { use: nasbench201, channels: 4, cells: 1 }\n"
               "dataset: { use: synthetic }\n"
               "hardware: { use: table, board: nucleo_f446re, on_miss: fit }\n"
               "objectives: [{ minimize: latency_ms }]\n"
               "searcher: { use: random }\n");
  }

  testing::Finished deploy(const std::string& arguments,
                           const testing::Environment& environment = {}) const {
    return testing::thimble_command("deploy small.yaml " + arguments, folder_.path(), environment);
  }

  bool has(const std::string& file) const { return std::filesystem::exists(folder_.path() / file); }

  testing::TemporaryFolder folder_;
};

TEST_F(DeployCommand, WritesCThatComputesWhatItShould) {
  const auto finished = deploy(std::string{"--output out --name net --arch "} + kCell);
  ASSERT_EQ(finished.code, 0) << finished.errors;
  EXPECT_THAT(finished.output, HasSubstr("the weights are drawn, not trained"));
  EXPECT_THAT(finished.output, HasSubstr("NUCLEO-F446RE: latency"));
  for (const char* const file : {"net.c", "net.h", "net_test.c", "net.onnx", "net_int8.onnx"})
    EXPECT_TRUE(has(std::string{"out/"} + file)) << file;
  test::expect_self_test_passes(folder_.path() / "out", "net");
}

TEST_F(DeployCommand, WritesTheSameAgain) {
  for (const char* const folder : {"one", "two"})
    ASSERT_EQ(deploy(std::string{"--output "} + folder + " --arch " + kCell).code, 0);
  for (const char* const file : {"network.c", "network_test.c", "network_int8.onnx"})
    EXPECT_EQ(testing::content(folder_.path() / "one" / file),
              testing::content(folder_.path() / "two" / file));
}

/// The header is small, the source is not.
TEST_F(DeployCommand, LeavesNothingOnAFullDisk) {
  const std::string deploy = "ulimit -f 8; trap '' XFSZ; '" THIMBLE_TEST_PROGRAM
                             "' deploy small.yaml --arch " +
                             std::string{kCell} + " --output ";
  make_folder(folder_.path() / "mine");
  write_file(folder_.path() / "mine" / "network.h", "");
  for (const std::string output : {"left/below", "mine"}) {
    const auto failed = testing::shell(deploy + output, folder_.path());
    EXPECT_EQ(failed.code, 1);
    EXPECT_THAT(failed.errors, HasSubstr("network.c': File too large"));
  }
  EXPECT_FALSE(has("left"));
  EXPECT_EQ(read_file(folder_.path() / "mine" / "network.h"), "") << "another deployed network's";
  EXPECT_FALSE(has("mine/network.c"));
}

TEST_F(DeployCommand, WarnsOfWhatTheBoardCannotHoldOrRun) {
  const auto large =
      deploy(std::string{"search_space.image=160 dataset.samples=8 --arch "} + kCell);
  EXPECT_EQ(large.code, 0) << large.errors;
  EXPECT_THAT(large.errors, HasSubstr("warning: it does not fit on NUCLEO-F446RE: "));
  EXPECT_THAT(large.errors, HasSubstr("bytes of RAM, 131072 are there"));
  EXPECT_THAT(large.errors, ::testing::Not(HasSubstr("beyond the limits")));
  const auto slow = deploy(std::string{"limits.latency_ms=1 dataset.samples=8 --arch "} + kCell);
  EXPECT_EQ(slow.code, 0) << slow.errors;
  EXPECT_THAT(slow.errors, HasSubstr("beyond the limits of the experiment: latency_ms "));
  const auto unknown = deploy(std::string{"hardware.on_miss=refuse --arch "} + kCell);
  EXPECT_EQ(unknown.code, 0) << unknown.errors;
  EXPECT_THAT(unknown.errors, HasSubstr("warning: NUCLEO-F446RE cannot run it: no table has"));
}

TEST_F(DeployCommand, MissesItsToolsBeforeItWrites) {
  const auto finished = deploy(std::string{"--verify m4 --arch "} + kCell, {{"PATH", "/none"}});
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.errors, HasSubstr("there is no arm-none-eabi-gcc here"));
  EXPECT_FALSE(has("deployed"));
}

TEST_F(DeployCommand, RefusesWhatCannotBe) {
  const std::string cell = std::string{" --arch "} + kCell;
  write_file(folder_.path() / "file", "");
  for (const auto& [arguments, message] :
       std::initializer_list<std::pair<std::string, std::string>>{
           {"--arch bogus", "--arch: 'bogus' is no cell"},
           {"--arch '|none~0|+|none~0|none~1|+|none~0|none~1|none~2|'", "no path from its input"},
           {"--verify m9" + cell, "no core 'm9'; did you mean 'm3'?"},
           {"--name 1st" + cell, "'1st' is no name for a network"},
           {"--name " + std::string(300, 'n') + cell, "63 at most"},
           {"--output " + std::string(300, 'n') + cell, "name a folder that you may write into"},
           {"--name string" + cell, "'string' is a word or a header of C"},
           {"--output file" + cell, "'--output file' is a file"},
           {"dataset=" + cell, "names no dataset"}}) {
    const auto finished = deploy(arguments);
    EXPECT_EQ(finished.code, 2) << arguments;
    EXPECT_THAT(finished.errors, HasSubstr(message)) << arguments;
    EXPECT_FALSE(has("deployed")) << arguments;
  }
}

}  // namespace
}  // namespace thimble::deploy_test
