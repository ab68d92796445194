// Networks that one search found, trained on several datasets.

#include <fstream>

#include <gmock/gmock.h>

#include <support/commands.hpp>
#include <thimble/core/csv.hpp>

namespace thimble::training_data_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using testing::last_line;
using testing::TemporaryFolder;
using testing::thimble_command;

constexpr const char* kExperiment = R"(
name: several
search_space: { use: superblocks, families: [mbednet_1d], channels: 1, height: 64, width: 9, classes: 6 }
dataset: { use: synthetic, channels: 1, height: 64, width: 9, classes: 6, samples: 96, test_samples: 24 }
proxies: [{ use: naswot, batch: 8 }]
hardware: { use: analytic, board: nucleo_f746zg }
objectives: [{ minimize: macs }, { maximize: naswot }]
limits: { macs: 3000000 }
searcher: { use: random, samples: 12 }
select: { k: 2, scale: ranks }
benchmark: trained
train:
  epochs: 1
  seeds: [1, 2]
  prune: { from: decisions, whole: false }
  datasets:
    - { use: synthetic, channels: 1, height: 64, width: 9, classes: 6, samples: 96, test_samples: 24, as: six }
    - { use: synthetic, channels: 1, height: 64, width: 3, classes: 4, samples: 96, test_samples: 24, as: four,
        net: { width: 3, classes: 4 } }
)";

class SeveralData : public ::testing::Test {
 protected:
  SeveralData() { std::ofstream{here_.path() / "several.yaml"} << kExperiment; }

  fs::path run(const std::string& more) const {
    const Finished finished = thimble_command("run several.yaml --quiet " + more, here_.path());
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return here_.path() / last_line(finished);
  }

  TemporaryFolder here_;
};

CsvTable table(const fs::path& folder, const std::string& name) {
  return parse_csv(content(folder / name), name);
}

TEST_F(SeveralData, TrainsEachNetworkOnEachAsItNeedsIt) {
  const fs::path folder = run("");
  const CsvTable trained = table(folder, "trained.csv");
  const CsvTable candidates = table(folder, "candidates.csv");
  ASSERT_EQ(trained.rows.size(), 8U);
  const auto cell = [&](std::size_t row, const char* column) {
    return trained.rows[row][trained.column(column)].text;
  };
  for (std::size_t row = 0; row < 8; ++row) {
    EXPECT_EQ(cell(row, "dataset"), row % 4 < 2 ? "six" : "four");
    EXPECT_FALSE(cell(row, "pruned_accuracy").empty());
    EXPECT_TRUE(fs::exists(folder / "weights" /
                           (cell(row, "network") + "-" + cell(row, "dataset") + "-" +
                            cell(row, "seed") + ".safetensors")));
  }
  // On data of the search's own shape a network costs what the search said; on less, less.
  for (const auto& row : candidates.rows) {
    if (row[candidates.column("network")].text != cell(0, "network")) continue;
    EXPECT_EQ(row[candidates.column("macs")].text, cell(0, "macs"));
  }
  EXPECT_LT(std::stod(cell(2, "macs")), std::stod(cell(0, "macs")));
  EXPECT_EQ(table(folder, "history.csv").rows.size(), 8U);
  EXPECT_THAT(content(folder / "report.md"),
              AllOf(HasSubstr("pruned accuracy on six"), HasSubstr("pruned accuracy on four")));
  EXPECT_TRUE(candidates.find("accuracy.six") && candidates.find("accuracy.four"));
  EXPECT_FALSE(candidates.find("accuracy")) << "whose?";
  EXPECT_THAT(content(folder / "report.md"), HasSubstr("accuracy.six"));
}

TEST_F(SeveralData, KnowsATrainingAgainWhicheverDataStandBesideIt) {
  const fs::path both = run("");
  const auto trainings = [&] {
    std::size_t count = 0;
    for (const auto& entry : fs::directory_iterator{here_.path() / "runs/trainings"})
      count += entry.is_directory() ? 1 : 0;
    return count;
  };
  const std::size_t before = trainings();
  const fs::path one =
      run("--resume 'train.datasets=[{use: synthetic, channels: 1, height: 64, "
          "width: 9, classes: 6, samples: 96, test_samples: 24, as: six}]'");
  EXPECT_EQ(both, one) << "the search is the same";
  EXPECT_EQ(table(one, "trained.csv").rows.size(), 4U);
  EXPECT_EQ(trainings(), before);
  EXPECT_THAT(content(one / "report.md"),
              AllOf(HasSubstr("4 trainings that the run had before are not asked for any more"),
                    HasSubstr("-four-1")));
}

TEST_F(SeveralData, ChangesSingleKeysOfARecipe) {
  const Finished finished = thimble_command(
      "check several.yaml --engine local 'train.datasets=[{use: synthetic, channels: 1, height: "
      "64, "
      "width: 9, classes: 6, samples: 96, as: six}, {use: synthetic, channels: 1, height: 64, "
      "width: 9, classes: 6, samples: 96, as: other, recipe: {epochs: 3, prune: {criterion: "
      "random}}}]'",
      here_.path());
  EXPECT_EQ(finished.code, 0) << finished.errors;
  EXPECT_THAT(
      finished.output,
      AllOf(HasSubstr("train selected on six: 2 trainings each as classification, 1 epoch,"),
            HasSubstr("train selected on other: 2 trainings each as classification, 3 epochs,"),
            HasSubstr("the decided share of the channels pruned by random"),
            HasSubstr("behind the search: at most 8 trainings, a part each")));
}

TEST_F(SeveralData, IsAskedWhichTrainingIsMeant) {
  const fs::path folder = run("");
  const std::string network =
      table(folder, "trained.csv").rows[0][table(folder, "trained.csv").column("network")].text;
  const std::string evaluate = "evaluate " + folder.string() + " --network " + network;
  const Finished unsaid = thimble_command(evaluate, here_.path());
  EXPECT_EQ(unsaid.code, 2);
  EXPECT_THAT(unsaid.errors, AllOf(HasSubstr("was trained on several data"),
                                   HasSubstr("--dataset six, --dataset four")));
  const Finished said = thimble_command(evaluate + " --dataset four --seed 2", here_.path());
  EXPECT_EQ(said.code, 0) << said.errors;
  EXPECT_THAT(said.output, HasSubstr("-four-2.safetensors"));
  const Finished unknown = thimble_command(evaluate + " --dataset five", here_.path());
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.errors, HasSubstr("was not trained on 'five'"));
}

TEST_F(SeveralData, LeavesOutWhereTheNetworkExceedsALimit) {
  // A classifier of 1,000 classes has 128 weights and more for each.
  const Finished finished = thimble_command(
      "run several.yaml 'limits={rom_bytes: 120000}' 'select={k: 1, objectives: [macs]}' "
      "'train.datasets=[{use: synthetic, channels: 1, height: 64, width: 9, classes: 6, samples: "
      "96, as: six}, {use: synthetic, channels: 1, height: 64, width: 9, classes: 1000, samples: "
      "96, as: many, net: {classes: 1000}}]'",
      here_.path());
  EXPECT_THAT(finished.errors, HasSubstr("is not trained on many: rom_bytes"));
  const fs::path made = here_.path() / last_line(finished);
  for (const char* const file : {"report.md", "result.yaml", "report.html"})
    EXPECT_THAT(content(made / file), HasSubstr("is not trained on many: rom_bytes")) << file;
  EXPECT_THAT(finished.output, HasSubstr("six"));
}

/// Which may have others, as the tables say; units of memory are read there, too.
TEST_F(SeveralData, KeepsTheLimitsOfItsData) {
  const auto limited = [&](const std::string& limits) {
    return run(
        "'limits={rom_bytes: 120000}' 'select={k: 1, objectives: [macs]}' "
        "'train.datasets=[{use: synthetic, channels: 1, height: 64, width: 9, classes: 6, "
        "samples: 96, as: six}, {use: synthetic, channels: 1, height: 64, width: 9, "
        "classes: 1000, samples: 96, as: many, net: {classes: 1000}" +
        limits + "}]'");
  };
  const auto rows = [&](const fs::path& folder) {
    return table(folder, "trained.csv").rows.size();
  };
  EXPECT_EQ(rows(limited("")), 2U);
  const fs::path both = limited(", limits: {rom_bytes: 1 MiB}");
  EXPECT_EQ(rows(both), 4U);
  EXPECT_THAT(content(both / "report.md"), HasSubstr("1024 |"));
  EXPECT_THAT(content(both / "resolved.yaml"), HasSubstr("rom_bytes: 1048576"));
}

TEST_F(SeveralData, HasNoAnswerWhereNothingCouldBeTrained) {
  const Finished finished = thimble_command(
      "run several.yaml 'limits={rom_bytes: 120000}' 'train.datasets=[{use: synthetic, channels: "
      "1, height: 64, width: 9, classes: 1000, samples: 96, as: many, net: {classes: 1000}}]'",
      here_.path());
  EXPECT_EQ(finished.code, 3);
  EXPECT_THAT(finished.errors,
              HasSubstr("error: nothing was trained: no network keeps the limits"));
  const Finished alone = thimble_command(
      "train several.yaml limits= --arch mbednet_1d --dataset six 'train.datasets=[{use: "
      "synthetic, "
      "channels: 1, height: 64, width: 9, classes: 6, samples: 96, as: six, limits: {macs: 10}}]'",
      here_.path());
  EXPECT_EQ(alone.code, 3);
  EXPECT_THAT(alone.errors, HasSubstr("is not trained on six: macs"));
}

}  // namespace
}  // namespace thimble::training_data_test
