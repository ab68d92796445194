#include <algorithm>
#include <cmath>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/report/analysis_pictures.hpp>
#include <thimble/report/training_tables.hpp>

namespace thimble::figures_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(GnuplotText, KeepsEveryTextInItsQuotes) {
  EXPECT_EQ(gnuplot_text("ntk_2"), "'ntk_2'");
  EXPECT_EQ(gnuplot_text("it's `id` \"$x\" @y \\"), "'it''s `id` \"$x\" @y \\'");
  EXPECT_EQ(gnuplot_text("a\u202eb\u2069"), "'a b '");
  EXPECT_EQ(gnuplot_text("a'\n!rm -rf\t\x7f"), "'a'' !rm -rf  '");
}

/// Twenty cells under one metric, four of them without a value.
Sample sample(double scale) {
  Sample sample;
  sample.metrics = {{"my_metric", Direction::maximize, {}}};
  sample.accuracies = {{"test_100%", Direction::maximize, {}}};
  for (int i = 0; i < 20; ++i) {
    sample.macs.push_back(1);
    sample.metrics[0].values.push_back(i < 4 ? kNotANumber : std::pow(scale, i));
    sample.accuracies[0].values.push_back(80 + 0.5 * i);
  }
  return sample;
}

std::vector<Picture> pictures(const std::vector<PointOutcome>& outcomes, double scale = 2) {
  std::vector<Sample> samples(outcomes.size(), sample(scale));
  std::vector<Analysis> analyses;
  for (const Sample& one : samples) analyses.push_back(analyse(one, {.resamples = 10}, 1));
  return analysis_pictures(outcomes, samples, analyses);
}

std::vector<std::string> names_of(const std::vector<Picture>& pictures) {
  std::vector<std::string> names;
  for (const Picture& picture : pictures) names.push_back(picture.name);
  return names;
}

/// One point of a sweep over a number, and another seed.
PointOutcome point(const std::string& row, const std::string& batch, const std::string& seed,
                   const std::string& path = "proxies.my_metric.batch") {
  PointOutcome outcome;
  outcome.row = row;
  outcome.assignments = {{path, Value::scalar(batch)}, {"seed", Value::scalar(seed)}};
  outcome.keys = {{"my_metric", "with " + batch}};
  return outcome;
}

TEST(Pictures, AreAScatterAndAMapOfAPoint) {
  const auto made = pictures({PointOutcome{}});
  EXPECT_THAT(names_of(made), ElementsAre("scatter_my_metric", "agreement"));
  EXPECT_THAT(made[0].script, HasSubstr("$invalid")) << "cells without a value are shown";
  EXPECT_THAT(made[0].script, HasSubstr("4 without a value"));
}

TEST(Pictures, SetWhatHasNoValueAtTheWorseEnd) {
  for (const Direction direction : {Direction::minimize, Direction::maximize}) {
    Sample cells = sample(1.1);
    cells.metrics[0].direction = direction;
    const std::vector<Analysis> analyses{analyse(cells, {.resamples = 10}, 1)};
    const std::string script = analysis_pictures({PointOutcome{}}, {cells}, analyses)[0].script;
    std::smatch range, place;
    ASSERT_TRUE(std::regex_search(script, range, std::regex{R"(set yrange \[(.*):(.*)\])"}));
    ASSERT_TRUE(std::regex_search(script, place, std::regex{R"(\$invalid using 1:\((.*)\) )"}));
    EXPECT_EQ(place[1], range[direction == Direction::minimize ? 2 : 1]);
  }
}

TEST(Pictures, HaveALogarithmicAxisForValuesOfManyDecades) {
  EXPECT_THAT(pictures({PointOutcome{}}, 2)[0].script, HasSubstr("set logscale y"));
  EXPECT_THAT(pictures({PointOutcome{}}, 1.1)[0].script, Not(HasSubstr("set logscale y")));
  EXPECT_THAT(pictures({PointOutcome{}}, -2)[0].script, Not(HasSubstr("set logscale y")));
}

TEST(Pictures, ShowASweepOverOneNumber) {
  const auto made = pictures({point("a", "4", "1"), point("a", "4", "2"), point("b", "8", "1")});
  EXPECT_THAT(names_of(made), ElementsAre("scatter_my_metric_1", "agreement_1",
                                          "scatter_my_metric_3", "agreement_3", "sweep_my_metric"));
  EXPECT_EQ(pictures({point("a", "all", "1"), point("b", "8", "1")}).size(), 4U)
      << "what is no number has no place on an axis";
}

TEST(Pictures, ShowASweepOverThePassOfAll) {
  const auto sweep_over = [](const std::string& path) {
    return names_of(pictures({point("a", "4", "1", path), point("b", "8", "1", path)}));
  };
  EXPECT_EQ(sweep_over("pass.batch"), sweep_over("proxies.my_metric.batch"));
  EXPECT_THAT(sweep_over("pass.batch"), Contains("sweep_my_metric"));
  EXPECT_THAT(sweep_over("limits.macs"), Not(Contains("sweep_my_metric")));
}

TEST(Pictures, ShowASweepOnlyOfWhatDependsOnIt) {
  std::vector<PointOutcome> points{point("a", "4", "1", "pass.batch"),
                                   point("b", "8", "1", "pass.batch")};
  for (PointOutcome& point : points) point.keys["my_metric"] = "without";
  EXPECT_THAT(names_of(pictures(points)), Not(Contains("sweep_my_metric")));
  points[1].seed = 2;
  points[1].keys["my_metric"] = "another seed";
  EXPECT_THAT(names_of(pictures(points)), Not(Contains("sweep_my_metric")));
}

/// The figure of a paper: all metrics over what is swept, and MACs, which do not change with it.
TEST(Pictures, ShowASweepOfAllMetricsBesideMacs) {
  Sample cells = sample(2);
  cells.metrics.push_back({"loss", Direction::minimize, {}});
  cells.metrics.push_back({"macs", Direction::maximize, {}});
  for (int i = 0; i < 20; ++i) {
    cells.metrics[1].values.push_back(-i);
    cells.metrics[2].values.push_back(i % 7);
  }
  const std::vector<Sample> samples(2, cells);
  const std::vector<Analysis> analyses(2, analyse(cells, {.resamples = 10}, 1));
  std::vector<PointOutcome> points{point("a", "4", "1"), point("b", "8", "1")};
  points[0].keys["loss"] = "with 4";
  points[1].keys["loss"] = "with 8";
  const Picture all = analysis_pictures(points, samples, analyses).back();
  EXPECT_EQ(all.name, "sweeps");
  for (const char* const title : {"title 'my_metric'", "title 'loss'", "dt 2", "title 'macs'"})
    EXPECT_THAT(all.script, HasSubstr(title));
  EXPECT_THAT(all.script, HasSubstr("$tau1 << EOD\n4 1 "))
      << "a loss that ranks well is drawn above, too";
}

TEST(Pictures, LabelOnlyTicksWithRoomForIt) {
  const auto made = pictures({point("a", "1", "1"), point("b", "1.01", "1"), point("c", "2", "1")});
  EXPECT_THAT(made.back().script, HasSubstr("set xtics ('1' 1, '' 1.01, '2' 2)"));
}

TrainedRow trained_row(const Evaluation& network, double accuracy) {
  TrainedRow row;
  row.network = network;
  row.is_quantised = true;
  row.whole.metrics = {99};
  row.int8.metrics = {accuracy};
  return row;
}

/// A point of a sweep over limits on boards whose network was trained with two seeds.
PointOutcome trained_point(const std::string& board, double most_ms, double accuracy) {
  PointOutcome outcome;
  outcome.row = board + ", " + number_text(most_ms) + " ms";
  outcome.assignments = {{"hardware.board", Value::scalar(board)},
                         {"limits.latency_ms", Value::scalar(number_text(most_ms))}};
  outcome.limits = {{"latency_ms", most_ms}, {"rom_bytes", 1e5}};
  outcome.trained_metrics = {"accuracy"};
  Evaluation network;
  network.text = outcome.row;
  network.has_cost = true;
  network.cost.latency_ms.value = most_ms - 1;
  network.cost.rom_bytes.value = 2048 * most_ms;
  outcome.evaluated = {network};
  for (const double aside : {-1, 1})
    outcome.trained.push_back(trained_row(network, accuracy + aside));
  return outcome;
}

Picture picture_named(const std::vector<Picture>& made, const std::string& name) {
  const auto found = std::ranges::find(made, name, &Picture::name);
  return found == made.end() ? Picture{} : *found;
}

TEST(Pictures, ShowWhatWasTrainedAgainstALimitedCost) {
  std::vector<PointOutcome> points{trained_point("small", 50, 95), trained_point("small", 8, 90),
                                   trained_point("large", 8, 93)};
  const auto made = training_pictures(points);
  const std::string script = picture_named(made, "trained_latency_ms").script;
  const std::string deviation = number_text(std::sqrt(2.0));
  EXPECT_THAT(script, HasSubstr("$line0 << EOD\n7 90 " + deviation + " \n49 95 " + deviation));
  EXPECT_THAT(script, HasSubstr("title 'hardware.board=small'"));
  EXPECT_THAT(script, HasSubstr("$line1 << EOD\n7 93 "));
  EXPECT_THAT(script, HasSubstr("title 'large, 8 ms'"));
  EXPECT_THAT(script, HasSubstr("ylabel 'int8 accuracy'"));
  EXPECT_THAT(names_of(made), Not(Contains("trained_macs"))) << "nothing limits it";
  EXPECT_THAT(picture_named(made, "trained_rom_bytes").script, HasSubstr("\n100 95 "))
      << "in the unit of its column";

  points[2].assignments[1].path = "limits.rom_bytes";
  const auto apart = training_pictures(points);
  EXPECT_THAT(picture_named(apart, "trained_latency_ms").script, Not(HasSubstr("$line1")))
      << "the sweep set another limit there";
  EXPECT_THAT(names_of(apart), Not(Contains("trained_rom_bytes"))) << "of one mark";
}

TEST(Pictures, ShowWhatEachFormOfANetworkReachesByWhatIsLeftOfIt) {
  std::vector<PointOutcome> points{trained_point("a", 8, 90), trained_point("a", 50, 95)};
  for (PointOutcome& point : points) {
    point.evaluated[0].text = "net";
    for (TrainedRow& row : point.trained) row.network.text = "net";
  }
  points[0].trained[0].network.macs = points[0].trained[1].network.macs = 2'000'000;
  EXPECT_THAT(names_of(training_pictures({points[0]})), Not(Contains("trained_forms")))
      << "of one size";
  for (TrainedRow& row : points[1].trained) row.network.macs = 5'000'000;
  const std::string script = picture_named(training_pictures(points), "trained_forms").script;
  EXPECT_THAT(script, HasSubstr("$form0 << EOD\n2 99 0 \n5 99 0 \n"));
  EXPECT_THAT(script, HasSubstr("$form1 << EOD\n2 90 " + number_text(std::sqrt(2.0)) + " \n5 95 "));
  EXPECT_THAT(script, HasSubstr("title 'float'"));
  EXPECT_THAT(script, HasSubstr("title 'int8'"));
  EXPECT_THAT(script, Not(HasSubstr("$form2"))) << "nothing is pruned";
}

TEST(Pictures, JoinSeedsOfARowAndNotItsNetworks) {
  std::vector<PointOutcome> points{trained_point("a", 8, 90), trained_point("a", 8, 94),
                                   trained_point("b", 8, 80)};
  for (PointOutcome& point : points)
    point.assignments = {{"seed", Value::scalar("1")}, {"searcher", Value::scalar(point.row)}};
  const auto marks = [&] {
    return picture_named(training_pictures(points), "trained_latency_ms").script;
  };
  EXPECT_THAT(marks(), HasSubstr("$line0 << EOD\n7 92 "));
  EXPECT_THAT(marks(), HasSubstr("$line1 << EOD\n7 80 "));

  Evaluation other = points[0].evaluated[0];
  other.text = "another";
  other.cost.latency_ms.value = 3;
  points[0].evaluated.push_back(other);
  points[0].trained.push_back(trained_row(other, 70));
  EXPECT_THAT(marks(), HasSubstr("$line0 << EOD\n3 70 0 \n7 90 "));
}

TEST(Pictures, OfTrainingsAreDrawn) {
  testing::TemporaryFolder here;
  const auto made = training_pictures({trained_point("it's", 8, 90), trained_point("b", 50, 95)});
  const auto remarks = draw(made, here.path());
  if (!remarks.empty() && remarks[0].starts_with("no pictures")) GTEST_SKIP() << remarks[0];
  EXPECT_THAT(remarks, ::testing::IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(here.path() / "trained_latency_ms.png"));
}

TEST(Pictures, AreDrawnWholeOrLeaveTheirScript) {
  testing::TemporaryFolder here;
  auto made = pictures({PointOutcome{}});
  made.push_back({"broken", "set output 'broken.png'\nplot nonsense("});
  const auto remarks = draw(made, here.path() / "figures");
  for (const Picture& picture : made)
    EXPECT_EQ(read_file(here.path() / "figures" / (picture.name + ".gp")), picture.script);
  EXPECT_FALSE(std::filesystem::exists(here.path() / "figures" / "broken.png"));
  ASSERT_EQ(remarks.size(), 1U) << "of the broken one, or that there is no gnuplot";
  if (remarks[0].starts_with("no pictures")) GTEST_SKIP() << remarks[0];
  EXPECT_THAT(remarks[0], HasSubstr("broken.png: gnuplot failed"));
  for (const char* const name : {"scatter_my_metric.png", "agreement.png"})
    EXPECT_TRUE(read_file(here.path() / "figures" / name).starts_with("\x89PNG")) << name;
  EXPECT_FALSE(std::filesystem::exists(here.path() / "figures" / ".drawing"));
}

}  // namespace
}  // namespace thimble::figures_test
