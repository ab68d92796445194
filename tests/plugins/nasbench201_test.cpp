// The space against the published records: MACs and parameters digit for digit, the number of
// different functions, and the round trip of all 15,625 texts.

#include <map>
#include <set>
#include <sstream>

#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>

namespace thimble::nasbench201_test {
namespace {

class NasBench201 : public ::testing::Test {
 protected:
  static std::unique_ptr<SearchSpace> space(const std::string& yaml = "{}") {
    static PluginLoader loader = testing::plugins();
    return testing::make<SearchSpace>(loader, "nasbench201", yaml);
  }

  template <class Visit>
  static void for_all(const SearchSpace& space, Visit visit) {
    const auto decisions = space.decisions();
    for (std::uint64_t i = 0; i < 15625; ++i) visit(genotype_at(decisions, i));
  }
};

/// A record of the benchmark: result files of NATS-Bench (fake_torch_dir), architectures 0, 11,
/// 284.
struct Record {
  const char* settings;
  const char* arch;
  double macs_m;
  double params_m;
};

constexpr const char* kArch0 =
    "|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~"
    "2|";
constexpr const char* kArch11 =
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|nor_conv_3x3~1|avg_pool_3x3~2|";
constexpr const char* kArch284 =
    "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|none~0|nor_conv_1x1~1|none~2|";
constexpr const char* kImageNet16 = "{classes: 120, image: 16}";

TEST_F(NasBench201, CountsMacsAndParametersAsPublished) {
  const std::vector<Record> records{
      {"{}", kArch0, 15.64737, 0.129306},         {"{}", kArch11, 113.95137, 0.802426},
      {"{}", kArch284, 11.71521, 0.101306},       {"{classes: 100}", kArch0, 15.65322, 0.135156},
      {kImageNet16, kArch0, 3.91948, 0.136456},   {kImageNet16, kArch11, 28.49548, 0.809576},
      {kImageNet16, kArch284, 2.93644, 0.108456},
  };
  for (const auto& [settings, arch, macs_m, params_m] : records) {
    const auto nb = space(settings);
    const Graph graph = nb->build(nb->decode(arch));
    // The records are millions with six decimals of MACs in steps of 10: exact integers.
    EXPECT_EQ(macs(graph), std::llround(macs_m * 1e6)) << arch << settings;
    EXPECT_EQ(params(graph), std::llround(params_m * 1e6)) << arch << settings;
  }
}

TEST_F(NasBench201, CountsEveryCellByTheBenchmarksFormula) {
  const auto nb = space();
  for_all(*nb, [&](const Genotype& genotype) {
    const auto n1 = std::ranges::count(genotype, 2.0), n3 = std::ranges::count(genotype, 3.0);
    const Graph graph = nb->build(genotype);
    ASSERT_EQ(macs(graph), 7'783'050 + 35'389'440 * n3 + 3'932'160 * n1) << nb->encode(genotype);
    ASSERT_EQ(params(graph), 73'306 + 243'040 * n3 + 28'000 * n1) << nb->encode(genotype);
  });
}

TEST_F(NasBench201, WritesAndReadsAllTexts) {
  const auto nb = space();
  std::set<std::string> texts;
  for_all(*nb, [&](const Genotype& genotype) {
    const std::string text = nb->encode(genotype);
    ASSERT_EQ(nb->decode(text), genotype) << text;
    texts.insert(text);
  });
  EXPECT_EQ(texts.size(), 15625U);
}

TEST_F(NasBench201, Has6466CanonicalForms) {
  const auto nb = space();
  std::set<Genotype> forms;
  for_all(*nb, [&](const Genotype& genotype) { forms.insert(nb->canonical(genotype)); });
  EXPECT_EQ(forms.size(), 6466U);
}

TEST_F(NasBench201, Has341DisconnectedCells) {
  const auto nb = space("{cells: 1, stages: 1}");
  int disconnected = 0;
  for_all(*nb, [&](const Genotype& g) { disconnected += is_connected(nb->build(g)) ? 0 : 1; });
  EXPECT_EQ(disconnected, 341);
}

TEST_F(NasBench201, GroupsCellsAsThePublishedIsomorphismIdsDo) {
  THIMBLE_NEEDS_DATA("nasbench201/nasbench201.csv");
  const auto nb = space();
  std::istringstream file{read_file(testing::test_data() / "nasbench201/nasbench201.csv")};
  std::string line;
  std::getline(file, line);
  std::map<std::string, Genotype> form_of_id;
  std::set<Genotype> forms;
  while (std::getline(file, line)) {
    const auto cells = split(line, ',');
    const Genotype form = nb->canonical(nb->decode(cells[1]));
    const auto [place, is_new] = form_of_id.emplace(cells[10], form);
    ASSERT_EQ(place->second, form) << cells[1];
    if (is_new) {
      ASSERT_TRUE(forms.insert(form).second) << cells[1];
    }
  }
  EXPECT_EQ(form_of_id.size(), 6466U);
}

/// Tuples that NAS-Bench-Suite-Zero publishes validation accuracies for, with the benchmark's text
/// of the cell of that accuracy.
TEST_F(NasBench201, ReadsTheTuplesOfNasLib) {
  const std::vector<std::pair<std::string, std::string>> published{
      {"(4, 0, 3, 1, 4, 3)",  // 84.99 %
       "|avg_pool_3x3~0|+|skip_connect~0|none~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_1x1~2|"},
      {"(2, 0, 3, 4, 4, 2)",  // 89.66 %
       "|nor_conv_3x3~0|+|skip_connect~0|avg_pool_3x3~1|+|nor_conv_1x1~0|avg_pool_3x3~1|"
       "nor_conv_3x3~2|"},
      {"(0, 4, 4, 1, 2, 4)",  // 83.09 %
       "|skip_connect~0|+|avg_pool_3x3~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|avg_pool_3x3~2|"},
      {" (2,2,0,2,2,3) ",  // 91.18 %
       "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|"
       "nor_conv_1x1~2|"}};
  const auto nb = space();
  for (const auto& [tuple, text] : published)
    EXPECT_EQ(nb->encode(nb->decode(tuple)), text) << tuple;
}

TEST_F(NasBench201, SaysWhatIsWrongWithAText) {
  const auto nb = space();
  const auto why = [&](const std::string& text) -> std::string {
    try {
      nb->decode(text);
    } catch (const Error& error) {
      return error.diagnostics().front().message;
    }
    return "nothing";
  };
  EXPECT_EQ(why("|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_conect~0|none~1|none~2|"),
            "no operator 'skip_conect'; did you mean 'skip_connect'?");
  EXPECT_EQ(why("|none~0|+|none~0|none~1|"),
            "'|none~0|+|none~0|none~1|' is no cell: it needs three "
            "groups joined by '+'");
  EXPECT_EQ(
      why("|none~0|+|none~0|none~0|+|none~0|none~1|none~2|"),
      "'|none~0|+|none~0|none~0|+|none~0|none~1|none~2|' is no cell: 'none~0' must end in '~1'");
  EXPECT_EQ(why("(2, 0, 3, 1, 4)"), "'(2, 0, 3, 1, 4)' is no cell: it has 5 numbers, not six");
  EXPECT_EQ(why("(2, 0, 3, 1, 4, 2"),
            "'(2, 0, 3, 1, 4, 2' is no cell: its last letter must be ')'");
  EXPECT_EQ(why("(2, 0, 5, 1, 4, 2)"), "'5' is no operator's number in NASLib");
  EXPECT_EQ(why("(2, 0, -1, 1, 4, 2)"), "'-1' is no operator's number in NASLib");
  EXPECT_EQ(why("(2, 0, , 1, 4, 2)"), "'' is no operator's number in NASLib");
}

TEST_F(NasBench201, ArenasOfGeneratedCAreAsSmallAsTheyCanBe) {
  const auto nb = space();
  int above = 0;
  for_all(*nb, [&](const Genotype& genotype) {
    const Graph graph = nb->build(genotype);
    if (!is_connected(graph)) return;
    const MemoryPlan plan = plan_memory(skeleton(deployed(graph)), scratch_bytes);
    above += plan.arena_bytes > plan.lower_bound_bytes ? 1 : 0;
  });
  EXPECT_EQ(above, 0);
}

}  // namespace
}  // namespace thimble::nasbench201_test
