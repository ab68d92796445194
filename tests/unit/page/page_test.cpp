#include <memory>
#include <string>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/page/run_page.hpp>

#include "support/priced_space.hpp"
#include "support/random_networks.hpp"
#include "support/world.hpp"

namespace thimble::page_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(NetworkPlan, HasTheArenaOfWhatIsDeployed) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const Graph graph =
        seed % 2 == 0 ? test::random_cell(seed, 8, 16) : test::random_time_series(seed);
    const NetworkPlan plan = plan_of(graph, nullptr);
    const CSource source = generate_c(lower(drawn_network(graph, seed)));
    EXPECT_EQ(plan.arena_bytes, source.plan.arena_bytes) << seed;
    EXPECT_EQ(plan.lower_bound_bytes, source.plan.lower_bound_bytes) << seed;
  }
}

/// Two blocks in one place at one time would be a drawing of something that cannot work.
TEST(NetworkPlan, BlocksDoNotMeet) {
  for (std::uint64_t seed = 0; seed < 12; ++seed) {
    const NetworkPlan plan = plan_of(test::random_cell(seed, 8, 16), nullptr);
    std::int64_t end = 0;
    for (const NetworkPlan::Block& a : plan.blocks) {
      end = std::max(end, a.offset + a.bytes);
      for (const NetworkPlan::Block& b : plan.blocks) {
        const bool are_at_one_time = a.first <= b.last && b.first <= a.last;
        const bool are_in_one_place =
            a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        EXPECT_TRUE(&a == &b || !are_at_one_time || !are_in_one_place)
            << seed << ": tensors " << a.tensor << " and " << b.tensor;
      }
    }
    EXPECT_LE(end, plan.arena_bytes) << seed;
  }
}

constexpr const char* kHeader = "network,point,arch,canonical,valid,feasible,reason,macs,merit\n";

/// A run's folder with these rows of networks n1, n2, ..., of which the last is found.
class Page : public ::testing::Test {
 protected:
  void write(const std::string& rows, const std::string& best) const {
    write_file(folder_.path() / "candidates.csv", kHeader + rows);
    write_file(folder_.path() / "resolved.yaml",
               "# thimble 0.1.0 (revision test)\n# identity 00ff\nname: page\n"
               "objectives: [{maximize: merit}, {minimize: macs}]\nlimits: {macs: 100}\n");
    write_file(folder_.path() / "result.yaml",
               fmt::format("points:\n  - row: \"\"\n    seed: 1\n    best: {{arch: {0}, feasible: "
                           "true, macs: 50, proxies: {{merit: 0.12345678}}, cost: {{}}}}\n"
                           "    front: [{{arch: {0}}}]\n    remarks: []\n",
                           best));
  }
  std::string page() const { return run_page(page_data(read_run(folder_.path()), {})); }

  TemporaryFolder folder_;
};

TEST_F(Page, ShowsFewDigitsAndKeepsAll) {
  write("1,1,n1,n1,true,true,,50,0.12345678\n", "n1");
  EXPECT_THAT(page(), HasSubstr("<data value=\"0.12345678\">0.1235</data>"));
  EXPECT_THAT(page(), HasSubstr("50 % of 0.0001 M")) << "of the limit";
}

TEST_F(Page, ShowsErrorsBesideCosts) {
  write("1,1,n1,n1,true,true,,50,1\n", "n1");
  write_file(folder_.path() / "selected.csv",
             "network,row,seed,arch,selected,stands_out,latency_ms,latency_ms.error,"
             "latency_ms.origin\n1,,1,n1,true,knee,17.2,0.5,guessed\n");
  EXPECT_THAT(page(), ::testing::AllOf(HasSubstr("17.2 ms</data> ± 50 %, guessed"),
                                       Not(HasSubstr("latency_ms.origin</th>"))));
}

TEST_F(Page, SaysWhetherSearchesWereAtTheirEnd) {
  write("1,1,n1,n1,true,true,,50,1\n", "n1");
  EXPECT_THAT(page(), HasSubstr("there is no course to draw"));
  write("1,1,n1,n1,true,true,,50,1\n2,1,n2,n2,true,true,,60,2\n3,1,n3,n3,true,true,,70,0\n", "n2");
  EXPECT_THAT(page(), HasSubstr("MACs at network 1 and merit at network 2 of 3. The last fifth"));
  write("1,1,n1,n1,true,true,,50,1\n2,1,n2,n2,true,true,,60,2\n", "n2");
  EXPECT_THAT(page(), HasSubstr("of 2. That was late"));
}

TEST_F(Page, TakesNamesAsTextWhateverIsInThem) {
  const std::string name = "</script><img src=x onerror=alert(1)>";
  write("1,1," + name + "," + name + ",true,true,,50,1\n", "\"" + name + "\"");
  EXPECT_THAT(page(), Not(HasSubstr("<img")));
  EXPECT_THAT(page(), HasSubstr("&lt;/script&gt;&lt;img src=x"));
}

TEST_F(Page, ShowsWhatTurnsTextAround) {
  write("1,1,n1,n1,true,true,,50,1\n", "n1");
  const std::string result = read_file(folder_.path() / "result.yaml");
  write_file(folder_.path() / "result.yaml", result + "remarks: [\"a \u202eb\u202c\"]\n");
  EXPECT_THAT(page(), HasSubstr("<li>a \\u202eb\\u202c</li>"));
}

TEST_F(Page, SaysWhatTheNetworkFoundHasLearned) {
  write("1,1,n1,n1,true,true,,50,1\n2,1,n2,n2,true,true,,50,1\n", "n2");
  write_file(folder_.path() / "trained.csv",
             "network,seed,float_accuracy,int8_accuracy\n1,1,11,12\n2,1,90.5,91.0\n2,2,90.7,\n");
  const std::string html = page();
  const auto card =
      html.substr(html.find("<article"), html.find("</article>") - html.find("<article"));
  EXPECT_THAT(card, ::testing::AllOf(HasSubstr("float_accuracy"), HasSubstr("90.6"),
                                     HasSubstr("± 0.1414, 2 trainings"), HasSubstr("91"),
                                     HasSubstr("<td>1 training</td>"), Not(HasSubstr(">12<"))));
}

TEST_F(Page, OfManyPointsSaysWhatTheirNetworksHaveLearned) {
  std::filesystem::create_directory(folder_.path() / "resolved");
  std::string rows, points;
  for (int i = 1; i <= 7; ++i) {
    rows += fmt::format("{0},{0},n{0},n{0},true,true,,50,1\n", i);
    points += fmt::format(
        "  - {{row: '', seed: {0}, best: {{arch: n{0}, feasible: true}}, remarks: []}}\n", i);
    write_file(folder_.path() / fmt::format("resolved/{}.yaml", i), "name: page\n");
  }
  write(rows, "n1");
  std::filesystem::remove(folder_.path() / "resolved.yaml");
  write_file(folder_.path() / "result.yaml", "points:\n" + points);
  write_file(folder_.path() / "trained.csv",
             "network,seed,float_accuracy,pruned_accuracy\n2,1,90.5,\n2,2,90.7,\n8,1,70,71\n");
  const std::string html = page();
  const std::size_t begin = html.find("What each point found</caption>");
  ASSERT_NE(begin, std::string::npos);
  const std::string table = html.substr(begin, html.find("</table>", begin) - begin);
  EXPECT_THAT(table, ::testing::AllOf(HasSubstr(">float_accuracy</th>"), HasSubstr(">90.6</data>"),
                                      Not(HasSubstr("pruned_accuracy")), Not(HasSubstr(">70<"))));
}

TEST_F(Page, BreaksArchitecturesBetweenTheirDecisions) {
  write("1,1,\"a=1,b=x y,c=<\",n1,true,true,,50,1\n", "\"a=1,b=x y,c=<\"");
  EXPECT_THAT(page(), HasSubstr("<code>a=1,<wbr>b=x y,<wbr>c=&lt;</code>"));
}

TEST_F(Page, IsTheSameForTheSameFiles) {
  write("1,1,n1,n1,true,true,,50,\n2,1,n2,n2,false,false,no path,,\n", "n1");
  EXPECT_EQ(page(), page());
  EXPECT_THAT(page(), HasSubstr("<!-- this run -->"));
}

TEST_F(Page, OfTooManyNetworksKeepsTheFrontAndSome) {
  std::string rows;
  for (std::size_t i = 1; i <= kMostShown + 1; ++i)
    rows += fmt::format("{0},1,n{0},n{0},true,true,,{0},{0}\n", i);
  write(rows, "n4");
  const PageData data = page_data(read_run(folder_.path()), {});
  EXPECT_LE(data.arch.size(), kShownOfMore);
  EXPECT_GT(data.arch.size(), kShownOfMore / 2);
  ASSERT_TRUE(data.points[0].best_place);
  EXPECT_EQ(data.arch[*data.points[0].best_place], "n4");
  EXPECT_THAT(run_page(data), HasSubstr("networks: the front, and every n-th of the others"));
}

/// What is said of the folder that no page can be made of.
std::string refusal(const std::filesystem::path& folder) {
  try {
    run_page(page_data(read_run(folder), {}));
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST_F(Page, NeedsACompleteRun) {
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("no folder of a complete run"));
  write("1,2,n1,n1,true,true,,50,1\n", "n1");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("'2' is no point"));
  const std::string result = read_file(folder_.path() / "result.yaml");
  write_file(folder_.path() / "result.yaml", result.substr(0, result.size() - 8));
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("ends within a line"));
  write_file(folder_.path() / "result.yaml", result);
  std::filesystem::remove(folder_.path() / "resolved.yaml");
  EXPECT_THAT(refusal(folder_.path()), HasSubstr("1 points, but 0 resolved experiments"));
}

TEST_F(Page, RefusesNumbersAndNetworksThatSomebodyChanged) {
  const std::string row = "1,1,n1,n1,true,true,,50,1\n";
  write(row, "n2");
  EXPECT_THAT(refusal(folder_.path()),
              HasSubstr("result.yaml:4:18: error: 'n2' is no network of point 1 in candidates.csv\n"
                        "  note: one of both files has been changed"));
  write(row, "n1");
  const std::string result = read_file(folder_.path() / "result.yaml");
  for (const auto& [from, to, problem] :
       {std::tuple{"macs: 50", "macs: 1e999",
                   "4:44: error: 'macs' must be a number, found '1e999'"},
        {"merit: 0.12345678", "merit: [2]", "'merit' must be a number, found a list"},
        {"front: [{arch: n1}]", "front: [{}]", "5:13: error: a map is no network of point 1"}}) {
    std::string changed = result;
    changed.replace(changed.find(from), std::string{from}.size(), to);
    write_file(folder_.path() / "result.yaml", changed);
    EXPECT_THAT(refusal(folder_.path()), HasSubstr(problem)) << to;
  }
  write("1,1,n1,n1,true,true,,1e999,1\n", "n1");
  EXPECT_THAT(refusal(folder_.path()),
              HasSubstr("candidates.csv:2:22: error: '1e999' is no number"));
}

TEST_F(Page, SaysWhichNetworksItsSpaceCannotRead) {
  write("1,1,d0=1,d0=1,false,true,,50,1\n2,1,d0=7,d0=7,false,true,,50,1\n", "d0=1");
  std::vector<Study> studies(1);
  studies[0].space = std::make_shared<PricedSpace>(PricedSpace::Prices{{1, 2}});
  const PageData data = page_data(read_run(folder_.path()), studies);
  EXPECT_THAT(data.remarks,
              ElementsAre(::testing::AllOf(HasSubstr("cannot read 1 architecture"),
                                           HasSubstr("network 2: "), HasSubstr("'7'"))));
  ASSERT_EQ(data.choices.size(), 1U);
  EXPECT_EQ(data.choices[0].values[0], 1);
}

}  // namespace
}  // namespace thimble::page_test
