// A detector from images to boxes in C: searched, trained and pruned, made int8 and deployed by the
// program, its C compared with the reference on every test image.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <support/commands.hpp>
#include <support/images.hpp>
#include <support/world.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/random.hpp>

namespace thimble::detection_run_test {
namespace {

using ::testing::ContainsRegex;
using testing::content;
using ::testing::HasSubstr;
using testing::thimble_command;

constexpr unsigned kSide = 32;
constexpr int kTestImages = 8;

class DetectionRun : public ::testing::Test {
 protected:
  DetectionRun() {
    for (int i = 0; i < 24; ++i) add_image(fmt::format("train/{}", i));
    for (int i = 0; i < kTestImages; ++i) add_image(fmt::format("val/{}", i));
    std::ofstream{here_.path() / "boxes.yaml"} << R"(
name: boxes
search_space: { use: superblocks, families: [mbednet], height: 32, width: 32, classes: 1, head: detection }
dataset: { use: yolo, folder: mine, height: 32, width: 32 }
hardware: { use: analytic, board: nucleo_f746zg }
objectives: [{ minimize: macs }]
searcher: { use: random, samples: 4 }
train:
  task: { use: detection, score: 0.05 }
  networks: ["mbednet"]
  epochs: 8
  batch: 8
  optimiser: adamw
  learning_rate: 0.003
  seeds: [1]
  prune: { sparsity: 0.3, whole: false }
  quantise: {}
)";
  }

  /// A bright rectangle on noise.
  void add_image(const std::string& name) {
    testing::Bytes pixels(std::size_t{3} * kSide * kSide);
    for (std::uint8_t& value : pixels) value = static_cast<std::uint8_t>(random_.below(90));
    const auto drawn = [&](std::uint64_t least, std::uint64_t most) {
      return static_cast<unsigned>(least + random_.below(most - least));
    };
    const unsigned width = drawn(8, 16), height = drawn(8, 16);
    const unsigned left = drawn(0, kSide - width), top = drawn(0, kSide - height);
    for (unsigned y = top; y < top + height; ++y)
      for (unsigned i = 3 * left; i < 3 * (left + width); ++i) pixels[3 * kSide * y + i] += 160;
    const auto mine = here_.path() / "mine";
    testing::write_png(mine / ("images/" + name + ".png"), kSide, kSide, PNG_FORMAT_RGB, pixels);
    make_folder((mine / ("labels/" + name)).parent_path());
    write_file(
        mine / ("labels/" + name + ".txt"),
        fmt::format("0 {} {} {} {}\n", (left + width / 2.0) / kSide, (top + height / 2.0) / kSide,
                    static_cast<double>(width) / kSide, static_cast<double>(height) / kSide));
  }

  testing::TemporaryFolder here_;
  Random random_{5};
};

TEST_F(DetectionRun, EndsInCThatFindsTheReferencesBoxes) {
  const auto made = thimble_command("run boxes.yaml --quiet --data .", here_.path());
  ASSERT_EQ(made.code, 0) << made.errors;
  const std::string run = made.output.substr(0, made.output.find('\n'));
  const CsvTable trained = parse_csv(content(here_.path() / run / "trained.csv"), "trained.csv");
  ASSERT_EQ(trained.rows.size(), 1U);
  for (const char* const column : {"pruned_map50", "int8_map50"})
    EXPECT_FALSE(trained.rows[0][trained.column(column)].text.empty()) << column;

  const std::string number = trained.rows[0][trained.column("network")].text;
  const auto deployed = thimble_command(
      "deploy " + run + " --network " + number + " --data . --name net --output c --verify host",
      here_.path());
  ASSERT_EQ(deployed.code, 0) << deployed.errors;
  EXPECT_THAT(deployed.output,
              ContainsRegex(fmt::format("all {} test samples: [1-9][0-9]* boxes", kTestImages)));
  const auto cc = find_program("cc");
  ASSERT_TRUE(cc) << "thimble was built without a compiler?";
  const auto c = here_.path() / "c";
  const auto compiled = run_process(
      *cc,
      {"-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", "net.c", "net_test.c", "-o", "t"},
      c);
  ASSERT_TRUE(compiled.succeeded()) << compiled.errors;
  EXPECT_EQ(run_process(c / "t", {}, c).code, 0);
  EXPECT_THAT(content(c / "net_test.c"), HasSubstr("struct thimble_box boxes[] = {\n"));
}

/// A compiler that moves all boxes to the top.
TEST_F(DetectionRun, IsToldWhereTheCFindsOtherBoxes) {
  const auto compiler = here_.path() / "bin" / "cc";
  make_folder(compiler.parent_path());
  write_file(compiler, fmt::format("#!/bin/sh\nsed -i 's/  box->top = .*/  box->top = 0;/' net.c\n"
                                   "exec '{}' \"$@\"\n",
                                   find_program("cc").value().string()));
  std::filesystem::permissions(compiler, std::filesystem::perms::owner_all);
  const auto deployed = thimble_command(
      "deploy boxes.yaml --arch mbednet train.task.score=0.005 --data . --name net --verify host",
      here_.path(),
      {{"PATH", fmt::format("{}:{}", compiler.parent_path().string(), std::getenv("PATH"))}});
  EXPECT_EQ(deployed.code, 1);
  EXPECT_THAT(deployed.errors, HasSubstr("the C finds other boxes on this machine"));
}

}  // namespace
}  // namespace thimble::detection_run_test
