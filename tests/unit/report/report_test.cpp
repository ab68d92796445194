#include <cmath>
#include <regex>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/yaml.hpp>
#include <thimble/report/documents.hpp>
#include <thimble/report/front_pictures.hpp>
#include <thimble/report/fronts.hpp>
#include <thimble/report/result_tables.hpp>

namespace thimble::report_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// A front of networks n0, n1, ... that have MACs and one proxy, and one more of constant value.
PointOutcome outcome(const std::vector<std::pair<int, double>>& networks) {
  PointOutcome outcome;
  outcome.metrics.proxies = {"merit", "same"};
  outcome.objectives = {{"merit", Direction::maximize, 1},
                        {"macs", Direction::minimize, 1},
                        {"same", Direction::maximize, 1}};
  for (const auto& [metric, direction, weight] : outcome.objectives)
    outcome.compared.push_back({metric, direction});
  for (const auto& [macs, merit] : networks) {
    Evaluation network;
    network.text = "n" + std::to_string(outcome.evaluated.size());
    network.macs = macs;
    network.proxies = {ProxyValue{merit, {}, 0, {}}, ProxyValue{7, {}, 0, {}}};
    network.objectives = {merit, static_cast<double>(macs), 7};
    outcome.evaluated.push_back(network);
  }
  outcome.result.front = outcome.evaluated;
  return outcome;
}

void select(PointOutcome& point, const SelectSettings& settings) {
  point.selection =
      select(point.result.front, point.objectives, settings, point.seed, point.result.remarks);
}

const std::vector<std::pair<int, double>> kBend{{0, 0}, {1, 6}, {2, 9}, {6, 9.5}, {10, 10}};

TEST(Select, ChoosesByTheHypervolumeOfAllObjectives) {
  PointOutcome point = outcome(kBend);
  select(point, {.k = 2});
  ASSERT_TRUE(point.selection);
  EXPECT_THAT(point.selection->objectives, ElementsAre(0, 1, 2));
  EXPECT_THAT(point.selection->chosen, ElementsAre(1, 2));
  EXPECT_THAT(point.selection->landmarks.extremes, ElementsAre(4, 0, 2));
  EXPECT_EQ(point.selection->landmarks.knee, 2U);
  EXPECT_THAT(point.result.remarks, IsEmpty());
}

TEST(Select, LooksOnlyAtNamedObjectives) {
  PointOutcome point = outcome(kBend);
  select(point, {.k = 2, .objectives = {"macs"}});
  EXPECT_THAT(point.selection->objectives, ElementsAre(1));
  EXPECT_THAT(point.selection->chosen, ElementsAre(0)) << "the others add nothing in MACs";
}

TEST(Select, SaysWhyNothingIsSelected) {
  PointOutcome point = outcome({{3, kNotANumber}});
  select(point, {});
  EXPECT_FALSE(point.selection);
  EXPECT_THAT(point.result.remarks, ElementsAre(HasSubstr("nothing was selected")));
}

TEST(Select, DoesNotLoseARunToASelectionThatWouldTakeForEver) {
  std::vector<std::pair<int, double>> many;
  for (int i = 0; i < 400; ++i) many.emplace_back(i, std::sqrt(i));
  PointOutcome point = outcome(many);
  select(point, {.k = 5, .method = SelectionMethod::exact});
  ASSERT_TRUE(point.selection);
  EXPECT_THAT(point.selection->chosen, SizeIs(5));
  EXPECT_THAT(point.result.remarks, ElementsAre(HasSubstr("it was evolutionary instead")));
}

TEST(SelectionTable, HasWhatWasSelectedAndWhatStandsOut) {
  std::vector<PointOutcome> points{outcome(kBend), outcome(kBend)};
  select(points[0], {.k = 2});
  const Table table = selection_table(points, nullptr, Digits::all);
  EXPECT_THAT(table.header, ElementsAre("network", "row", "seed", "arch", "selected", "stands_out",
                                        "merit", "macs", "same", "params"));
  EXPECT_THAT(
      table.rows,
      ElementsAre(ElementsAre("1", "", "0", "n0", "false", "least macs", "0", "0", "7", "0"),
                  ElementsAre("2", "", "0", "n1", "true", "", "6", "1", "7", "0"),
                  ElementsAre("3", "", "0", "n2", "true", "knee, most same", "9", "2", "7", "0"),
                  ElementsAre("5", "", "0", "n4", "false", "most merit", "10", "10", "7", "0")));
}

TEST(SelectionTable, HasTheLimitsBesideTheCosts) {
  std::vector<PointOutcome> points{outcome(kBend), outcome(kBend)};
  points[0].limits = {{"ram_bytes", 320}};
  points[1].limits = {{"ram_bytes", 64}, {"macs", 5}};
  for (PointOutcome& point : points) select(point, {.k = 1});
  const Table table = selection_table(points, nullptr, Digits::all);
  EXPECT_EQ(std::vector(table.header.end() - 2, table.header.end()),
            (std::vector<std::string>{"ram_bytes_limit", "macs_limit"}));
  const auto limits = [](const std::vector<std::string>& row) {
    return std::vector(row.end() - 2, row.end());
  };
  EXPECT_EQ(limits(table.rows.front()), (std::vector<std::string>{"320", ""}));
  EXPECT_EQ(limits(table.rows.back()), (std::vector<std::string>{"64", "5"}));
}

TEST(SelectionTable, IsReadableWhereItIsToBeRead) {
  std::vector<PointOutcome> points{outcome({{1, 0.123456789}, {0, 0}})};
  points[0].result.front[0].text = points[0].evaluated[0].text = "|a|b|";
  select(points[0], {.k = 1});
  EXPECT_THAT(to_markdown(selection_table(points, nullptr, Digits::few)),
              ::testing::AllOf(HasSubstr(" \\|a\\|b\\| |"), HasSubstr(" 0.123 |")));
}

/// What the points' ways to the best front end with.
std::vector<FrontProgress> ends_of(const std::vector<PointOutcome>& points) {
  std::vector<FrontProgress> ends;
  for (const auto& steps : front_progress(points))
    ends.push_back(steps.empty() ? FrontProgress{} : steps.back());
  return ends;
}

TEST(FrontProgress, IsAShareOfWhatAllPointsOfASeedFoundTogether) {
  const std::vector<std::pair<int, double>> half{{1, 6}, {2, 9}};
  std::vector<PointOutcome> points{outcome(kBend), outcome(half), outcome(half), outcome({{0, 1}})};
  points[2].seed = 1;
  points[3].evaluated[0].violation = 0.5;
  const auto ends = ends_of(points);
  EXPECT_EQ(ends[0].hypervolume, 1);
  EXPECT_EQ(ends[0].igd, 0);
  // What each adds to those before it, up to the reference at 11 MACs and a merit of -1.
  const double whole = 11 * 1 + 10 * 6 + 9 * 3 + 5 * 0.5 + 1 * 0.5;
  EXPECT_NEAR(ends[1].hypervolume, (10 * 7 + 9 * 3) / whole, 1e-12);
  // Both sides of the front are 10 long.
  const double far = std::hypot(0.1, 0.6) + std::hypot(0.4, 0.05) + std::hypot(0.8, 0.1);
  EXPECT_NEAR(ends[1].igd, far / 5, 1e-12);
  EXPECT_EQ(ends[2].hypervolume, 1) << "alone with its seed";
  EXPECT_EQ(ends[3].scored, 0) << "it breaks a limit";
  add_fronts(points, front_progress(points));
  EXPECT_EQ(points[1].quantities.at("hypervolume"), ends[1].hypervolume);
  EXPECT_EQ(points[1].quantities.at("igd"), ends[1].igd);
  EXPECT_FALSE(points[3].quantities.contains("hypervolume"));
}

TEST(FrontProgress, GrowsWithTheNetworksThatWereScored) {
  std::vector<std::pair<int, double>> many;
  for (int i = 0; i < 120; ++i) many.emplace_back(i, std::sqrt(i));
  const auto steps = front_progress({outcome(many)})[0];
  ASSERT_THAT(steps, SizeIs(24));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    EXPECT_EQ(steps[i].scored, static_cast<std::int64_t>(5 * (i + 1)));
    if (i == 0) continue;
    EXPECT_GT(steps[i].hypervolume, steps[i - 1].hypervolume);
    EXPECT_LT(steps[i].igd, steps[i - 1].igd);
  }
  EXPECT_EQ(steps.back().hypervolume, 1);
}

TEST(FrontProgress, ComparesInOtherMetricsThanWereSearchedBy) {
  std::vector<PointOutcome> points{outcome(kBend), outcome({{1, 6}, {2, 9}})};
  for (PointOutcome& point : points) point.compared = {{"macs", Direction::maximize}};
  points[1].objectives.resize(1);
  EXPECT_EQ(ends_of(points)[0].hypervolume, 1) << "10 MACs";
  EXPECT_EQ(ends_of(points)[1].igd, 8);
}

TEST(FrontProgress, DoesNotCompareAggregatesOfDifferentPopulations) {
  std::vector<PointOutcome> points{outcome(kBend), outcome({{1, 6}})};
  for (PointOutcome& point : points) {
    point.metrics = {{"same"}, {"merit"}};
    for (Evaluation& network : point.evaluated) {
      network.aggregates = {network.proxies[0].value};
      network.proxies.erase(network.proxies.begin());
    }
  }
  EXPECT_EQ(ends_of(points)[1].hypervolume, 1);
}

TEST(ProgressPictures, HaveABandForEachRow) {
  std::vector<PointOutcome> points{outcome(kBend), outcome({{1, 6}})};
  points[1].row = "other";
  const auto pictures = progress_pictures(points, front_progress(points));
  ASSERT_THAT(pictures, SizeIs(2));
  EXPECT_EQ(pictures[0].name, "hypervolume");
  EXPECT_THAT(pictures[0].script, HasSubstr("title 'other'"));
  EXPECT_THAT(pictures[0].script, HasSubstr("\n1 0.6930693")) << "10 x 7 of 101";

  points = {outcome({{1, 6}}), outcome(kBend), outcome({{10, 10}})};
  EXPECT_THAT(progress_pictures(points, front_progress(points))[0].script,
              HasSubstr("\n1 0.108910891089109 0.108910891089109 0.4009900990099"))
      << "medians are of sorted values";
}

TEST(ReportTable, MarksRowsThatAreBeyondTheLimits) {
  std::vector<PointOutcome> points{outcome(kBend), outcome(kBend)};
  points[1].row = "small";
  for (PointOutcome& point : points) point.result.best = point.evaluated[0];
  points[1].result.best->violation = 0.5;
  EXPECT_EQ(to_markdown(report_table(points, {}, {})),
            "| row                       |\n|---------------------------|\n"
            "| result                    |\n| small (beyond the limits) |\n");
}

TEST(Results, NameTheSelectedNetworks) {
  std::vector<PointOutcome> points{outcome(kBend)};
  EXPECT_EQ(to_yaml(result_document(points)).find("selected:"), std::string::npos);
  select(points[0], {.k = 2});
  const std::string document = to_yaml(result_document(points));
  for (const char* const part : {"knee: \"n2\"", "merit: \"n4\"", "macs: \"n0\""})
    EXPECT_THAT(document, HasSubstr(part));
  const Table table = result_table(points);
  EXPECT_EQ(table.header.back(), "selected");
  EXPECT_EQ(table.rows[0].back(), "n1; n2");
}

TEST(FrontPictures, ShowEveryObjectiveAgainstTheCost) {
  std::vector<PointOutcome> points{outcome(kBend)};
  EXPECT_THAT(front_pictures(points), IsEmpty());
  select(points[0], {.k = 2});
  const auto pictures = front_pictures(points);
  ASSERT_THAT(pictures, SizeIs(2));
  EXPECT_EQ(pictures[0].name, "front_merit");
  EXPECT_THAT(pictures[0].script, HasSubstr("$chosen << EOD\n1 6 \n2 9 \nEOD"));
  EXPECT_THAT(pictures[0].script, HasSubstr("$knee << EOD\n2 9 \nEOD"));
  EXPECT_THAT(pictures[0].script, HasSubstr("$ends << EOD\n10 10 \n0 0 \n2 9 \nEOD"));
  EXPECT_EQ(pictures[1].name, "front_same");
}

/// As drawn, numbers end 46 pixels above their points and are 17 wide a digit; axes are 496 pixels
/// high and 806 wide.
TEST(FrontPictures, HaveRoomForTheNumbersOfNetworksAtTheirEdges) {
  std::vector<PointOutcome> points{outcome(kBend)};
  select(points[0], {.k = 2});
  const std::string script = front_pictures(points)[0].script;
  std::smatch x, y;
  ASSERT_TRUE(std::regex_search(script, x, std::regex{R"(set xrange \[(.*):(.*)\])"}));
  ASSERT_TRUE(std::regex_search(script, y, std::regex{R"(set yrange \[(.*):(.*)\])"}));
  const double low = std::stod(y[1]), high = std::stod(y[2]);
  EXPECT_GT((high - 10) / (high - low), 50. / 496);
  const double left = std::stod(x[1]), right = std::stod(x[2]);
  for (const double room : {0 - left, right - 10})
    EXPECT_GT(room / (right - left), 7 * 17. / 2 / 806) << left << " to " << right;
}

TEST(FrontPictures, WriteLargeNumbersShort) {
  const auto script = [](int macs) {
    std::vector<PointOutcome> points{outcome({{0, 0}, {macs, 1}})};
    select(points[0], {.k = 1});
    return front_pictures(points).at(0).script;
  };
  EXPECT_THAT(script(50'000'000), HasSubstr("set format x '%.0s %c'"));
  EXPECT_THAT(script(50), Not(HasSubstr("set format x")));
}

}  // namespace
}  // namespace thimble::report_test
