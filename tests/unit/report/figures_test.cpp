#include <cmath>
#include <filesystem>
#include <regex>
#include <string>
#include <vector>

#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/report/analysis_pictures.hpp>

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
