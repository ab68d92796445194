#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/params.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/sweep.hpp>

namespace thimble::sweep_test {
namespace {

std::vector<SweepPoint> points_of(const std::string& yaml,
                                  const std::vector<std::string>& overrides = {}) {
  std::vector<Assignment> assignments;
  for (const std::string& text : overrides) assignments.push_back(parse_override(text));
  return expand_sweep(parse_yaml(yaml, "x"), assignments);
}

/// "row: {root}" of each point.
std::vector<std::string> lines_of(const std::string& yaml,
                                  const std::vector<std::string>& overrides = {}) {
  std::vector<std::string> lines;
  for (const SweepPoint& point : points_of(yaml, overrides))
    lines.push_back(point.row + ": " + detail::one_line(point.root));
  return lines;
}

std::string problem_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  try {
    points_of(yaml, overrides);
  } catch (const InputError& error) {
    return to_string(Diagnostic{error.diagnostics()[0].where, error.diagnostics()[0].message, {}});
  }
  return "no problem";
}

using Lines = std::vector<std::string>;

TEST(Sweep, IsOnePointWhenThereIsNone) { EXPECT_EQ(lines_of("{a: 1}"), Lines{": {a: 1}"}); }

TEST(Sweep, VariesTheLastKeyFastest) {
  EXPECT_EQ(lines_of("{sweep: {a: [1, 2], b: [x, y]}}"),
            (Lines{"a=1 b=x: {a: 1, b: x}", "a=1 b=y: {a: 1, b: y}", "a=2 b=x: {a: 2, b: x}",
                   "a=2 b=y: {a: 2, b: y}"}));
}

TEST(Sweep, PutsGridsOneAfterTheOther) {
  EXPECT_EQ(lines_of("{a: 0, sweep: [{a: [1]}, {b: 2}, {row: plain}]}"),
            (Lines{"a=1: {a: 1}", "b=2: {a: 0, b: 2}", "plain: {a: 0}"}));
}

TEST(Sweep, FillsTheLabelAndSharesRowsAmongSeeds) {
  EXPECT_EQ(lines_of("{sweep: {row: 'a of {a}, {a}', a: [1, 2], seed: [3, 4]}}"),
            (Lines{"a of 1, 1: {a: 1, seed: 3}", "a of 1, 1: {a: 1, seed: 4}",
                   "a of 2, 2: {a: 2, seed: 3}", "a of 2, 2: {a: 2, seed: 4}"}));
  EXPECT_EQ(lines_of("{sweep: {row: 'of {a}', a: [[x], [1, [2]], []]}}"),
            (Lines{"of x: {a: [x]}", "of 1, [2]: {a: [1, [2]]}", "of []: {a: []}"}));
  EXPECT_EQ(lines_of("{sweep: {seed: [3, 4]}}"), (Lines{": {seed: 3}", ": {seed: 4}"}));
}

TEST(Sweep, RunsTheRowsThatAreAskedFor) {
  const std::string three =
      "{sweep: [{row: 'at most 5.3, w1', a: 1}, {row: TE-NAS, a: 2}, {a: 3}]}";
  EXPECT_EQ(lines_of(three, {"rows=TE-NAS"}), Lines{"TE-NAS: {a: 2}"});
  EXPECT_EQ(lines_of(three, {"rows=['a=3', at*w1]"}),
            (Lines{"at most 5.3, w1: {a: 1}", "a=3: {a: 3}"}));
  EXPECT_EQ(lines_of(three, {"rows='*'"}).size(), 3U);
  EXPECT_EQ(problem_of(three, {"rows=TE"}),
            "override 'rows=TE': error: no row of the sweep is called 'TE'");
  EXPECT_EQ(problem_of("{sweep: {a: [1]}}", {"rows=[]"}),
            "override 'rows=[]': error: 'rows' is an empty list");
  EXPECT_EQ(problem_of("{a: 1}", {"rows=TE"}),
            "override 'rows=TE': error: 'rows' are those of a sweep, and there is none");
}

TEST(Sweep, RefusesALabelOfWhatIsNotSet) {
  EXPECT_EQ(problem_of("{sweep: {row: 'a {a}, seed {seed}', a: [1, 2]}}"),
            "x:1:15: error: the label names '{seed}', which these points do not set");
  EXPECT_EQ(lines_of("{sweep: {row: '{ {a} }', a: 1}}"), Lines{"{ 1 }: {a: 1}"});
}

TEST(Sweep, ReachesIntoListsByPlaceAndByName) {
  const std::string yaml = "{list: [{use: a, n: 1}, {use: b, as: c, n: 1}, {minimize: d, n: 1}]";
  EXPECT_EQ(
      lines_of(yaml + ", sweep: {list.0.n: 2}}"),
      Lines{"list.0.n=2: {list: [{use: a, n: 2}, {use: b, as: c, n: 1}, {minimize: d, n: 1}]}"});
  EXPECT_EQ(lines_of(yaml + ", sweep: {row: r, list.b.n: 2, list.c.m: 3, list.d.n: 4}}"),
            Lines{"r: {list: [{use: a, n: 1}, {use: b, as: c, n: 2, m: 3}, {minimize: d, n: 4}]}"});
}

TEST(Sweep, MakesMapsOnTheWayAndTakesKeysAwayByNull) {
  EXPECT_EQ(lines_of("{sweep: {row: r, a.b.c: 1}}"), Lines{"r: {a: {b: {c: 1}}}"});
  EXPECT_EQ(lines_of("{a: 1, b: {c: 1, d: 2}, sweep: {row: r, a: , b.c: }}"),
            Lines{"r: {b: {d: 2}}"});
  EXPECT_EQ(lines_of("{a: 1, sweep: [{a: [~, 2]}, {row: 'a of {a}', a: }]}"),
            (Lines{"a=~: {}", "a=2: {a: 2}", "a of ~: {}"}));
}

TEST(Sweep, TakesOverridesFirst) {
  EXPECT_EQ(lines_of("{a: 1}", {"a=2", "b.c=[x, y]"}), Lines{": {a: 2, b: {c: [x, y]}}"});
  EXPECT_EQ(lines_of("{sweep: {a: [1, 2], b: [3, 4]}}", {"a=7"}),
            (Lines{"a=7 b=3: {a: 7, b: 3}", "a=7 b=4: {a: 7, b: 4}"}))
      << "an override replaces what is swept";
  EXPECT_EQ(lines_of("{a: 1, sweep: {b: [1, 2]}}", {"sweep="}), Lines{": {a: 1}"});
}

TEST(Sweep, RefusesWhatIsNoSweep) {
  EXPECT_EQ(problem_of("[a]"), "x:1:1: error: an experiment must be a map, found a list");
  EXPECT_EQ(problem_of("{sweep: a}"),
            "x:1:9: error: 'sweep' must be a map or a list of maps, found 'a'");
  EXPECT_EQ(problem_of("{sweep: []}"), "x:1:9: error: 'sweep' is empty");
  EXPECT_EQ(problem_of("{sweep: {}}"), "x:1:9: error: 'sweep' is empty");
  EXPECT_EQ(problem_of("{sweep: [a]}"),
            "x:1:10: error: an entry of 'sweep' must be a map, found 'a'");
  EXPECT_EQ(problem_of("{sweep: {a: []}}"), "x:1:13: error: 'a' has no values to sweep over");
  EXPECT_EQ(problem_of("{sweep: {row: {}, a: 1}}"),
            "x:1:15: error: 'row' must be text, found a map");
}

TEST(Sweep, RefusesPathsThatLeadNowhere) {
  EXPECT_EQ(problem_of("{a: 1, sweep: {a.b: 2}}"),
            "x:1:21: error: 'a.b' leads nowhere: 'a' is '1', not a map");
  EXPECT_EQ(problem_of("{a: [{use: b}], sweep: {a.c.d: 2}}"),
            "x:1:32: error: 'a.c.d' leads nowhere: no entry 'c'");
  EXPECT_EQ(problem_of("{a: [{use: b}], sweep: {a.1: 2}}"),
            "x:1:30: error: 'a.1' names entry 1 of a list of 1");
  EXPECT_EQ(problem_of("{a: [1], sweep: {a.-1: 2}}"),
            "x:1:24: error: 'a.-1' names entry -1 of a list of 1");
  EXPECT_EQ(problem_of("{sweep: {a..b: 2}}"), "x:1:16: error: 'a..b' is no key path");
}

TEST(Sweep, RefusesMorePointsThanAnybodyCanRun) {
  std::string values = "[0";
  for (int i = 1; i < 400; ++i) values += ", " + std::to_string(i);
  values += "]";
  EXPECT_EQ(points_of("{sweep: {a: " + values + "}}").size(), 400U);
  EXPECT_NE(problem_of("{sweep: {a: " + values + ", b: " + values + ", c: " + values + "}}")
                .find("more than 100000 points"),
            std::string::npos);
}

TEST(Override, KeepsTheWholeArgumentAsItsPlace) {
  const Assignment read = parse_override("a.b={c: [1, x]}");
  EXPECT_EQ(read.path, "a.b");
  EXPECT_EQ(detail::one_line(read.value), "{c: [1, x]}");
  const Location& where = read.value.find("c")->items()[0].where();
  EXPECT_EQ(where.file, "override 'a.b={c: [1, x]}'");
  EXPECT_EQ(where.line, 0);
}

TEST(Override, RefusesWhatIsNone) {
  EXPECT_EQ(problem_of("{}", {"a"}), "override 'a': error: 'a' is no override");
  EXPECT_EQ(problem_of("{}", {"=1"}), "override '=1': error: '=1' is no override");
  EXPECT_EQ(problem_of("{}", {".a=1"}), "override '.a=1': error: '.a' is no key path");
  EXPECT_EQ(problem_of("{}", {"a=[1"}),
            "override 'a=[1': error: not valid YAML: end of sequence flow not found");
}

TEST(Override, TakesAnEmptyValueAsNone) {
  EXPECT_EQ(lines_of("{a: 1, b: 2}", {"a="}), Lines{": {b: 2}"});
  EXPECT_EQ(lines_of("{a: 1}", {"a=x=y"}), Lines{": {a: x=y}"});
}

TEST(Sweep, FillsALabelWhoseValueHoldsItsOwnHole) {
  const auto points =
      expand_sweep(parse_yaml("sweep: {row: 'a {seed} b', seed: ['{seed}{seed}']}", "x.yaml"), {});
  EXPECT_EQ(points.at(0).row, "a {seed}{seed} b");
}

TEST(Sweep, ReplacesAnAxisByAList) {
  const auto points = expand_sweep(parse_yaml("sweep: {seed: [1, 2, 3]}", "x.yaml"),
                                   {parse_override("seed=[4, 5]")});
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[1].root.find("seed")->text(), "5");
}

TEST(Sweep, ReplacesAnAxisOfListsByOneOrSeveral) {
  const std::string sweep = "{a: [x], sweep: [{row: base}, {row: swept, a: [[y], [z]]}]}";
  EXPECT_EQ(lines_of(sweep, {"a=[u, v]"}), (Lines{"base: {a: [u, v]}", "swept: {a: [u, v]}"}));
  EXPECT_EQ(lines_of(sweep, {"a=[[u, v]]"}), lines_of(sweep, {"a=[u, v]"}));
  EXPECT_EQ(lines_of(sweep, {"a=[]"}), (Lines{"base: {a: []}", "swept: {a: []}"}));
  EXPECT_EQ(lines_of("{a: [x], sweep: {a: [[y]]}}", {"a=[[u], [v]]"}),
            (Lines{"a=[u]: {a: [u]}", "a=[v]: {a: [v]}"}));
  EXPECT_EQ(problem_of(sweep, {"a=[[u], [v]]"}),
            "override 'a=[[u], [v]]': error: 'a' has 2 values, and row 'base' takes one");
  EXPECT_EQ(lines_of(sweep, {"a=[[u], [v]]", "rows=swept"}),
            (Lines{"swept: {a: [u]}", "swept: {a: [v]}"}));
}

TEST(Sweep, KnowsAnAxisByTheOtherNameOfItsEntry) {
  const std::string sweep = "{p: [{use: x, n: 1}], sweep: {p.x.n: [2, 3]}}";
  EXPECT_EQ(lines_of(sweep, {"p.0.n=7"}), Lines{"p.x.n=7: {p: [{use: x, n: 7}]}"});
  EXPECT_EQ(lines_of(sweep, {"p.0.n=[7, 8]"}).size(), 2U);
}

/// Where some rows sweep over a key and others take the file's, both get what is said.
TEST(Sweep, GivesOneValueToRowsThatDoNotSweep) {
  const std::string sweep = "{a: 1, sweep: [{row: base}, {row: swept, a: [2, 3]}]}";
  EXPECT_EQ(lines_of(sweep, {"a=[7]"}), (Lines{"base: {a: 7}", "swept: {a: 7}"}));
  EXPECT_EQ(lines_of(sweep, {"a=7"}), lines_of(sweep, {"a=[7]"}));
  EXPECT_EQ(problem_of("{sweep: {a: [1]}}", {"a=[]"}),
            "override 'a=[]': error: 'a' has no values to sweep over");
}

TEST(Sweep, RefusesOverridesThatAllRowsUndo) {
  const auto points_of = [](const std::string& text) {
    return expand_sweep(parse_yaml(text, "x.yaml"), {parse_override("searcher.epochs=5")});
  };
  const std::string whole = "{searcher: [{use: a, epochs: 1}]}";
  try {
    points_of("sweep: [" + whole + "]");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_EQ(
        error.diagnostics()[0].message,
        "'searcher.epochs' changes nothing: every row of the sweep sets 'searcher' as a whole");
    EXPECT_EQ(error.diagnostics()[0].where.file, "override 'searcher.epochs=5'");
  }
  EXPECT_EQ(points_of("searcher: {use: a}\nsweep: [" + whole + ", {seed: [2]}]").size(), 2U);
}

/// Rows that are left out neither save an override nor spoil it.
TEST(Sweep, JudgesOverridesByTheRowsThatRun) {
  const std::string sweep =
      "searcher: {use: a, epochs: 2}\n"
      "sweep: [{row: other, searcher: [{use: a, epochs: 1}]}, {row: plain, seed: [2]}]";
  EXPECT_EQ(problem_of(sweep, {"rows=other", "searcher.epochs=5"}),
            "override 'searcher.epochs=5': error: 'searcher.epochs' changes nothing: every row of "
            "the sweep sets 'searcher' as a whole");
  EXPECT_EQ(points_of(sweep, {"rows=plain", "searcher.epochs=5"}).size(), 1U);
}

TEST(Sweep, RefusesOverridesOfWhatSomeRowsSetAndTheOthersLack) {
  const std::string sweep = "sweep: [{searcher: [{use: a, epochs: 1}]}, {seed: [2]}]";
  EXPECT_EQ(problem_of(sweep, {"searcher.epochs=5"}),
            "override 'searcher.epochs=5': error: 'searcher.epochs' changes nothing: rows of the "
            "sweep set 'searcher' as a whole, and the others have none");
  EXPECT_EQ(points_of(sweep, {"searcher.use=b", "searcher.epochs=5"}).size(), 2U);
  EXPECT_EQ(
      points_of("sweep: [{budget: [{evaluations: 1}]}, {seed: [2]}]", {"budget.minutes=5"}).size(),
      2U)
      << "a map of the others' own";
}

TEST(Sweep, TakesAnEntryOutOfAListByNull) {
  const auto points = expand_sweep(parse_yaml("proxies: [{use: a}, {use: b}]", "x.yaml"),
                                   {parse_override("proxies.a=~")});
  ASSERT_EQ(points[0].root.find("proxies")->items().size(), 1U);
  EXPECT_EQ(points[0].root.find("proxies")->items()[0].find("use")->text(), "b");
}

TEST(Sweep, RefusesWhatAllPointsShare) {
  EXPECT_THROW(expand_sweep(parse_yaml("sweep: {benchmark.accuracy: [a, b]}", "x.yaml"), {}),
               InputError);
}

}  // namespace
}  // namespace thimble::sweep_test
