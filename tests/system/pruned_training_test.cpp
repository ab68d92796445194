// Trainings that prune and quantise, as a run has them: tables, costs, and what is deployed of
// them.

#include <filesystem>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <gmock/gmock.h>

#include <support/self_test.hpp>
#include <support/training_run.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/dataset.hpp>
#include <thimble/emulate/profile.hpp>

namespace thimble::pruned_training_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using testing::content;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::thimble_command;
using testing::TrainingRun;

/// What the table, `deploy` and `evaluate` tell of one network's integers is one thing.
class PrunedIntegers : public TrainingRun {
 protected:
  PrunedIntegers()
      : made_{folder(run("'train={profile: series, epochs: 4, seeds: [1], prune: {whole: false}, "
                         "quantise: {method: qat, epochs: 2}}'"))},
        table_{parse_csv(content(made_ / "trained.csv"), "trained.csv")} {}

  double accuracy(const std::string& form) const {
    return std::stod(table_.rows.at(0)[table_.column(form + "_accuracy")].text);
  }
  std::string network() const { return " " + made_.string() + " --network 1 "; }

  fs::path made_;
  CsvTable table_;
};

TEST_F(PrunedIntegers, AreDeployedAndVerifiedInTheEmulator) {
  try {
    const Profiler finds_its_tools{Core::m4};
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const Finished deployed =
      thimble_command("deploy" + network() + "--output c --verify m4", here_.path());
  ASSERT_EQ(deployed.code, 0) << deployed.errors;
  EXPECT_THAT(
      deployed.output,
      AllOf(HasSubstr(fmt::format("on the test part: pruned accuracy {:.2f}, int8 accuracy {:.2f};",
                                  accuracy("pruned"), accuracy("int8"))),
            HasSubstr("executed on an emulated m4 with 4 samples"),
            HasSubstr("every value as the reference has it"), Not(HasSubstr("drawn"))));
  test::expect_self_test_passes(here_.path() / "c", "network");
  EXPECT_THAT(thimble_command("deploy" + network() + "--output d --drawn", here_.path()).output,
              Not(HasSubstr("accuracy")));
}

TEST_F(PrunedIntegers, AreEvaluatedAsTheTableHasThem) {
  const Finished tested = thimble_command("evaluate" + network() + "--output tables", here_.path());
  ASSERT_EQ(tested.code, 0) << tested.errors;
  PluginLoader loader = testing::plugins();
  const auto dataset = testing::make<Dataset>(
      loader, "synthetic",
      "{channels: 1, height: 128, width: 9, classes: 6, samples: 256, test_samples: 60}");
  std::vector<double> counts(6);
  for (const std::int64_t label : dataset->labels(Split::test))
    ++counts[static_cast<std::size_t>(label)];
  for (const std::string form : {"pruned", "int8"}) {
    SCOPED_TRACE(form);
    EXPECT_THAT(tested.output, ::testing::ContainsRegex(
                                   fmt::format("{} +. +60 . +{:.2f} ", form, accuracy(form))));
    const CsvTable confusion = parse_csv(
        content(here_.path() / "tables" / (form + "_confusion.csv")), form + "_confusion.csv");
    ASSERT_EQ(confusion.rows.size(), counts.size());
    double right = 0;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      double samples = 0;
      for (std::size_t j = 0; j < counts.size(); ++j)
        samples += std::stod(confusion.rows[i].at(j + 1).text);
      EXPECT_EQ(samples, counts[i]);
      right += std::stod(confusion.rows[i][i + 1].text);
    }
    EXPECT_NEAR(100 * right / 60, accuracy(form), 1e-9);
  }
}

TEST_F(PrunedIntegers, AreJudgedByLayer) {
  ASSERT_EQ(thimble_command("evaluate" + network() + "--output tables", here_.path()).code, 0);
  const CsvTable layers =
      parse_csv(content(here_.path() / "tables" / "int8_layers.csv"), "int8_layers.csv");
  const auto number = [&](std::size_t row, const char* column) {
    return std::stod(layers.rows[row][layers.column(column)].text);
  };
  EXPECT_EQ(layers.rows.size(), 5U) << "three convolutions, a mean and a classifier";
  for (std::size_t row = 0; row < layers.rows.size(); ++row) {
    SCOPED_TRACE(layers.rows[row][layers.column("layer")].text);
    EXPECT_GT(number(row, "signal_to_noise_db"), 5);
    EXPECT_GT(number(row, "range_use"), 0.2);
    EXPECT_LE(number(row, "range_use"), 1);
    EXPECT_GE(number(row, "saturated"), 0);
    EXPECT_LT(number(row, "saturated"), 0.1);
  }
}

class PrunedRun : public TrainingRun {
 protected:
  /// Networks that decisions prune, drawn, and trained.
  Finished decided(const std::string& train) const {
    return run(
        "seed=4 'search_space={use: superblocks, families: [mbednet_1d], channels: 1, height: 128, "
        "width: 9, classes: 6}' 'searcher={use: random, samples: 3}' "
        "'train={profile: series, epochs: 2, seeds: [1], prune: {from: decisions" +
        train + "}}'");
  }
};

TEST_F(PrunedRun, TakesWhatTheSearchDecidedAndCosted) {
  const fs::path made = folder(decided(", narrow: true}, quantise: {method: ptq"));
  const CsvTable trained = parse_csv(content(made / "trained.csv"), "trained.csv");
  const CsvTable candidates = parse_csv(content(made / "candidates.csv"), "candidates.csv");
  ASSERT_EQ(trained.rows.size(), 1U);
  const auto& row = trained.rows[0];
  const std::string number = row[trained.column("network")].text;
  const auto& searched = candidates.rows[std::stoul(number) - 1];
  for (const char* const metric : {"macs", "params", "latency_ms", "ram_bytes", "rom_bytes"})
    EXPECT_EQ(row[trained.column(metric)].text, searched[candidates.column(metric)].text) << metric;
  const std::string history = content(made / "history.csv");
  for (const char* const form : {"float", "narrow", "pruned", "int8"})
    EXPECT_FALSE(row[trained.column(std::string{form} + "_accuracy")].text.empty()) << form;
  for (const char* const form : {"float", "narrow", "pruned"})
    for (const char* const epoch : {",1,", ",2,"})
      EXPECT_THAT(history, HasSubstr("\n" + number + ",1," + form + epoch));
  EXPECT_THAT(history, Not(HasSubstr("int8"))) << "nothing learned there";

  const Finished tested =
      thimble_command("evaluate " + made.string() + " --network " + number, here_.path());
  EXPECT_EQ(tested.code, 0) << tested.errors;
  EXPECT_THAT(tested.output, AllOf(HasSubstr("| pruned"), Not(HasSubstr("| float"))));
  const Finished deployed = thimble_command(
      "deploy " + made.string() + " --network " + number + " --output c", here_.path());
  EXPECT_EQ(deployed.code, 0) << deployed.errors;
}

TEST_F(PrunedRun, NeedNotBeCompared) {
  const fs::path made = folder(decided(", whole: false"));
  EXPECT_THAT(content(made / "trained.csv"),
              AllOf(HasSubstr("pruned_accuracy"), Not(HasSubstr("float_accuracy"))));
  EXPECT_THAT(content(made / "history.csv"), Not(HasSubstr("float")));
}

/// And is compared with, trained once for both; what was narrow from the start learns as long.
TEST_F(PrunedRun, BeginsWithWhatTheWholeNetworkHasLearned) {
  const fs::path made = folder(decided(", start: whole, narrow: true"));
  const CsvTable trained = parse_csv(content(made / "trained.csv"), "trained.csv");
  ASSERT_EQ(trained.rows.size(), 1U);
  EXPECT_EQ(trained.rows[0][trained.column("epochs")].text, "4");
  const CsvTable history = parse_csv(content(made / "history.csv"), "history.csv");
  std::map<std::string, int> epochs;
  for (const auto& row : history.rows) ++epochs[row[history.column("form")].text];
  EXPECT_EQ(epochs, (std::map<std::string, int>{{"float", 2}, {"narrow", 4}, {"pruned", 4}}));
  EXPECT_EQ(std::distance(fs::directory_iterator{here_.path() / "runs/trainings"}, {}), 3);
}

TEST_F(TrainingRun, SaysThatASmallShareTakesNoChannels) {
  const auto log = [&](const std::string& sparsity) {
    return content(folder(run("'train={profile: series, epochs: 1, seeds: [1], prune: {sparsity: " +
                              sparsity + ", whole: false}}'")) /
                   "log.txt");
  };
  const std::string words =
      "nothing of 'network=cnn_1d' is pruned: a sparsity of 0.05 is less than four channels";
  EXPECT_THAT(log("0.05"), HasSubstr(words));
  EXPECT_THAT(log("0.5"), Not(HasSubstr("is pruned:")));
}

TEST_F(PrunedRun, RanksByWhatIsDeployed) {
  const fs::path made =
      folder(run("benchmark=trained 'train={profile: series, epochs: 1, seeds: [1], prune: {}, "
                 "quantise: {}}'"));
  const CsvTable trained = parse_csv(content(made / "trained.csv"), "trained.csv");
  const CsvTable candidates = parse_csv(content(made / "candidates.csv"), "candidates.csv");
  EXPECT_EQ(candidates.rows[0][candidates.column("accuracy")].text,
            trained.rows[0][trained.column("int8_accuracy")].text);
}

}  // namespace
}  // namespace thimble::pruned_training_test
