#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/nn/threads.hpp>

#include "support/datasets.hpp"
#include "support/world.hpp"

namespace thimble::study_test {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

const char* const kExperiment = R"(name: small
search_space: { use: nasbench201, channels: 2, cells: 1, image: 8 }
dataset: { use: synthetic, height: 8, width: 8 }
proxies: [ { use: naswot, batch: 4, net: full } ]
objectives: [ { maximize: naswot }, { minimize: macs } ]
searcher: { use: random, samples: 3 }
)";

/// All points of an experiment, with what is wrong with them.
struct Read {
  std::vector<Study> studies;
  Diagnostics problems;
};

Read read(const std::string& text) {
  PluginLoader loader = testing::plugins();
  MadePlugins made;
  Read read;
  for (const SweepPoint& point : expand_sweep(parse_yaml(text, "experiment"), {}))
    read.studies.push_back(make_study(point, loader, made, read.problems));
  return read;
}

TEST(Study, PointsShareThePluginsThatAreEqualInThem) {
  const Read same =
      read(std::string{kExperiment} + "sweep: { seed: [1, 2], searcher.samples: [3, 4] }");
  ASSERT_TRUE(same.problems.empty());
  ASSERT_EQ(same.studies.size(), 4U);
  const Study& first = same.studies[0];
  for (const Study& other : same.studies) {
    EXPECT_EQ(first.space, other.space);
    EXPECT_EQ(first.dataset, other.dataset);
    EXPECT_EQ(first.proxies[0].proxy, other.proxies[0].proxy);
    EXPECT_EQ(first.proxies[0].space, first.space) << "the full network is the space's";
  }
  EXPECT_NE(first.searcher, same.studies[1].searcher);
  EXPECT_NE(first.proxies[0].key, same.studies[2].proxies[0].key)
      << "seeds have values of their own";
}

TEST(Study, PointsThatDifferInAPluginHaveTheirOwn) {
  const Read different =
      read(std::string{kExperiment} + "sweep: { search_space.channels: [2, 4] }");
  ASSERT_TRUE(different.problems.empty());
  EXPECT_NE(different.studies[0].space, different.studies[1].space);
  EXPECT_NE(different.studies[0].proxies[0].space, different.studies[1].proxies[0].space);
  EXPECT_EQ(different.studies[0].dataset, different.studies[1].dataset);
}

/// To count the classes of so many samples takes longer than all else.
TEST(Study, PointsShareWhatIsFoundOutOfTheData) {
  std::string text = std::string{kExperiment} + "train: { epochs: 1 }\n";
  text.replace(text.find("width: 8 }"), 10, "width: 8, samples: 1000000 }");
  const auto seconds_of = [](const std::string& experiment) {
    const double start = thread_seconds();
    read(experiment).problems.throw_if_any();
    return thread_seconds() - start;
  };
  seconds_of(text);  // plugins are loaded
  const double one = seconds_of(text);
  std::string values = "1";
  for (int i = 2; i <= 30; ++i) values += ", " + std::to_string(i);
  EXPECT_LT(seconds_of(text + "sweep: { searcher.samples: [" + values + "] }"), 5 * one);
}

TEST(Study, RemarksOnOutputsThatNoClassHas) {
  const std::string many = "have 20 classes, dataset 'synthetic' has 10";
  std::string text = kExperiment;
  EXPECT_THAT(read(text).studies.at(0).remarks, Not(Contains(HasSubstr(many))));
  text.replace(text.find("image: 8"), 8, "image: 8, classes: 20");
  EXPECT_THAT(read(text).studies.at(0).remarks, Contains(HasSubstr(many)));
}

TEST(Study, ShiftsShortWindowsByLessUnlessToldOtherwise) {
  const std::string text =
      std::string{kExperiment} + "train: { profile: series, epochs: 1, seeds: [1]";
  const Read untold = read(text + " }");
  untold.problems.throw_if_any();
  EXPECT_EQ(untold.studies[0].train->recipe.augmentation.time_shift, 1);
  EXPECT_THAT(untold.studies[0].remarks,
              Contains("windows have 8 steps: training shifts them by at most 1, not by 8"));
  EXPECT_EQ(read(text + ", augmentation: { noise: 0 } }")
                .studies[0]
                .train->recipe.augmentation.time_shift,
            1);
  const Read told = read(text + ", augmentation: { time_shift: 8 } }");
  EXPECT_THAT(testing::problem_of([&] { told.problems.throw_if_any(); }),
              HasSubstr("a shift of 8 samples, and windows of 8"));
  EXPECT_THAT(told.studies[0].remarks, Not(Contains(HasSubstr("windows have 8"))));
}

TEST(Study, SaysInOneRoundWhatIsWrongWithObjectivesAndWithTheirSelection) {
  std::string text = kExperiment;
  text.replace(text.find("maximize: naswot }"), 18, "maximize: nobody }");
  try {
    read(text + "select: { objectives: [macs, ntk] }").problems.throw_if_any();
    FAIL() << "nothing was wrong";
  } catch (const InputError& error) {
    ASSERT_EQ(error.diagnostics().size(), 2U);
    EXPECT_THAT(error.diagnostics()[0].message, HasSubstr("no metric 'nobody'"));
    EXPECT_THAT(error.diagnostics()[1].message, HasSubstr("'ntk' is no objective"));
  }
}

/// The built plugins, with another file of one: it does the same, but is no copy.
class Rebuilt {
 public:
  Rebuilt(const std::string& kind, const std::string& name) {
    const fs::path built{THIMBLE_TEST_PLUGINS};
    for (const auto& entry : fs::directory_iterator{built})
      if (entry.path().filename() != kind)
        fs::create_directory_symlink(entry.path(), folder_.path() / entry.path().filename());
    fs::create_directory(folder_.path() / kind);
    for (const auto& entry : fs::directory_iterator{built / kind})
      if (entry.path().filename() != name + ".so")
        fs::create_symlink(entry.path(), folder_.path() / kind / entry.path().filename());
    const fs::path file = fs::path{kind} / (name + ".so");
    write_file(folder_.path() / file, read_file(built / file) + "rebuilt");
  }

  LoadedExperiment load(const fs::path& experiment) const {
    PluginLoader loader{{folder_.path()}, {}};
    return load_experiment(experiment, {}, loader);
  }

 private:
  testing::TemporaryFolder folder_;
};

TEST(Study, ARebuiltPluginHasStoredValuesOfItsOwnInTheSameRun) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder.path() / "small.yaml";
  write_file(file, kExperiment);
  PluginLoader loader = testing::plugins();
  const LoadedExperiment before = load_experiment(file, {}, loader);
  EXPECT_EQ(before.studies[0].proxies[0].key,
            load_experiment(file, {}, loader).studies[0].proxies[0].key);
  for (const auto& [kind, name] : std::vector<std::pair<std::string, std::string>>{
           {"proxy", "naswot"}, {"searchspace", "nasbench201"}, {"dataset", "synthetic"}}) {
    const LoadedExperiment after = Rebuilt{kind, name}.load(file);
    EXPECT_NE(after.studies[0].proxies[0].key, before.studies[0].proxies[0].key) << name;
    EXPECT_EQ(after.identity, before.identity) << name;
    EXPECT_EQ(to_yaml(after.studies[0].resolved), to_yaml(before.studies[0].resolved)) << name;
  }
}

/// The file with `to` in the place of `from`.
void change(const fs::path& file, const std::string& from, const std::string& to) {
  std::string text = read_file(file);
  ASSERT_NE(text.find(from), std::string::npos) << from;
  text.replace(text.find(from), from.size(), to);
  write_file(file, text);
}

TEST(Study, AnotherBoardOrTableInTheSameFileMakesAnotherRun) {
  const testing::TemporaryFolder folder;
  const fs::path share = installed_prefix() / "share" / "thimble";
  const fs::path board = folder.path() / "nucleo_f446re.yaml";
  const fs::path table = folder.path() / "m4.csv";
  fs::copy_file(share / "tables" / "m4.csv", table);
  const auto identity_of = [&](const std::string& hardware) {
    write_file(folder.path() / "small.yaml", kExperiment + ("hardware: " + hardware));
    PluginLoader loader = testing::plugins();
    return load_experiment(folder.path() / "small.yaml", {}, loader).identity;
  };
  const std::string analytic = "{ use: analytic, board: " + board.string() + " }";
  const std::string tables = "{ use: table, on_miss: refuse, board: " + board.string() +
                             ", tables: [" + table.string() + "] }";
  for (const std::string& hardware : {analytic, tables}) {
    SCOPED_TRACE(hardware);
    fs::copy_file(share / "boards" / "nucleo_f446re.yaml", board,
                  fs::copy_options::overwrite_existing);
    const std::string before = identity_of(hardware);
    change(board, "clock_mhz:", "# the processor's\nclock_mhz:");
    EXPECT_EQ(identity_of(hardware), before) << "a comment costs nothing";
    change(board, "clock_mhz: 180", "clock_mhz: 90");
    EXPECT_NE(identity_of(hardware), before);
  }
  const std::string before = identity_of(tables);
  std::string rows = read_file(table);
  rows.erase(rows.rfind('\n', rows.size() - 2) + 1);
  write_file(table, rows);
  EXPECT_NE(identity_of(tables), before) << "a row less";
}

/// Reports speak of KiB.
TEST(Study, TakesLimitsOnMemoryWithAUnit) {
  const testing::TemporaryFolder folder;
  const auto limits_of = [&](const std::string& limits) {
    write_file(folder.path() / "small.yaml",
               kExperiment + ("hardware: { use: analytic }\nlimits: " + limits));
    PluginLoader loader = testing::plugins();
    return load_experiment(folder.path() / "small.yaml", {}, loader).studies[0].limits;
  };
  const auto limits = limits_of("{ board: false, ram_bytes: 64 KiB, rom_bytes: 0.5MiB }");
  ASSERT_EQ(limits.size(), 2U);
  EXPECT_EQ(limits[0].most, 65536);
  EXPECT_EQ(limits[1].most, 524288);
  EXPECT_THAT([&] { limits_of("{ ram_bytes: 64 kb }"); },
              ::testing::ThrowsMessage<InputError>(
                  ::testing::HasSubstr("'ram_bytes' must be a number, found '64 kb'")));
  EXPECT_THROW(limits_of("{ macs: 64 KiB }"), InputError) << "no memory";
}

}  // namespace
}  // namespace thimble::study_test
