// Runs whose parts are computed by processes of their own: the same bytes, whatever happens to
// them.

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <support/farmed.hpp>
#include <support/program.hpp>
#include <support/world.hpp>
#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/farm/shard.hpp>
#include <thimble/run/store.hpp>

namespace thimble::farm_system_test {
namespace {

namespace fs = std::filesystem;
using testing::content;
using testing::farmed_results;
using testing::Finished;
using ::testing::HasSubstr;
using testing::thimble_program;

constexpr const char* kTrainings = R"(name: trained
seed: 3
search_space: { use: nasbench201, channels: 2, cells: 1 }
dataset: { use: synthetic, samples: 64, test_samples: 32 }
proxies: [{ use: naswot, batch: 8 }]
objectives: [{ maximize: naswot }]
searcher: { use: random, samples: 2 }
train: { networks: all, epochs: 2, batch: 16, seeds: [1, 2] }
)";

/// The sweep as one process and as three workers run it is run once for all tests.
class FarmedRun : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = std::make_unique<testing::TemporaryFolder>();
    here_ = folder_->path() / "a path with blanks";
    make_folder(here_);
    write_file(here_ / "sweep.yaml", testing::kFarmedSweep);
    write_file(here_ / "trained.yaml", kTrainings);
    one_ = run("sweep.yaml --jobs 1 --output one");
    whole_ = farmed_results(one_);
    farmed_ = run("sweep.yaml --jobs 1 --engine local --workers 3 --output farmed");
  }
  static void TearDownTestSuite() { folder_.reset(); }

  /// The folder of a run that was to succeed.
  static fs::path run(const std::string& arguments, const std::string& environment = "") {
    const Finished finished = thimble_program("run -q " + arguments, here_, environment);
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return here_ / trimmed(finished.output);
  }

  /// A run of its own that is as one of those is.
  static fs::path copy(const fs::path& run, const std::string& output) {
    fs::copy(run.parent_path().parent_path(), here_ / output, fs::copy_options::recursive);
    return here_ / output / run.parent_path().filename() / run.filename();
  }

  static inline std::unique_ptr<testing::TemporaryFolder> folder_;
  static inline fs::path here_, one_, farmed_;
  static inline std::map<std::string, std::string> whole_;
};

TEST_F(FarmedRun, GivesTheSameBytesAsOneProcess) {
  ASSERT_GT(whole_.size(), 500U);
  EXPECT_EQ(farmed_results(farmed_), whole_);
  EXPECT_EQ(shards_of(farmed_).size(), 4U);
  const fs::path alone = run("sweep.yaml --jobs 1 --engine local --workers 1 --output alone");
  EXPECT_EQ(farmed_results(alone), whole_);
}

TEST_F(FarmedRun, TrainingsArePartsToo) {
  const auto whole = farmed_results(run("trained.yaml --jobs 1 --output one"));
  ASSERT_TRUE(whole.contains("trained.csv"));
  const fs::path farmed = run("trained.yaml --jobs 1 --engine local --workers 2 --output two");
  EXPECT_EQ(farmed_results(farmed), whole);
  const auto shards = shards_of(farmed);
  EXPECT_EQ(std::ranges::count_if(shards,
                                  [](const fs::path& shard) {
                                    return shard.filename().string().starts_with("training");
                                  }),
            4);
  // What has been trained is not farmed out again.
  fs::remove_all(farmed / "farm");
  run("trained.yaml --jobs 1 --engine local --workers 2 --output two --resume");
  EXPECT_EQ(shards_of(farmed).size(), 1U);
}

TEST_F(FarmedRun, TrainingsOnSeveralDataArePartsEach) {
  const std::string data =
      "'train.datasets=[{use: synthetic, samples: 64, test_samples: 32}, {use: synthetic, samples: "
      "64, test_samples: 32, classes: 4, as: four, net: {classes: 4}}]' 'train.seeds=[1]' ";
  const auto whole = farmed_results(run("trained.yaml " + data + "--jobs 1 --output several"));
  const fs::path farmed =
      run("trained.yaml " + data + "--jobs 1 --engine local --workers 2 --output farmed_several");
  EXPECT_EQ(farmed_results(farmed), whole);
  EXPECT_EQ(shards_of(farmed).size(), 5U) << "the search, and two networks on two data";
}

class FarmedBatches : public FarmedRun, public ::testing::WithParamInterface<const char*> {};

TEST_P(FarmedBatches, GiveTheSameBytesAsOneProcess) {
  const std::string words =
      fmt::format("sweep.yaml --jobs 1 sweep=~ 'searcher={}' --output batches{} ", GetParam(),
                  fingerprint(GetParam()));
  const auto whole = farmed_results(run(words));
  const fs::path farmed = run(words + "--engine local --workers 2 --batches 0");
  EXPECT_EQ(farmed_results(farmed), whole);
  EXPECT_GE(shards_of(farmed).size(), 2U);
  // What takes less than is asked for stays in this process.
  const fs::path here = run(words + "--engine local --workers 2 --batches 10");
  EXPECT_EQ(farmed_results(here), whole);
  EXPECT_EQ(shards_of(here).size(), 0U);
}

INSTANTIATE_TEST_SUITE_P(Searchers, FarmedBatches,
                         ::testing::Values("{use: nsga2, population: 16, evaluations: 48}",
                                           "{use: pruning}"));

/// What an interrupted run of one process has is known to the workers.
TEST_F(FarmedRun, GoesOnWithARunOfOneProcess) {
  const fs::path again =
      run("sweep.yaml --jobs 1 --output one --resume --engine local --workers 2");
  EXPECT_EQ(farmed_results(again), whole_);
  for (const fs::path& file : shards_of(again)) {
    ShardReader shard{file};
    shard.read_on();
    EXPECT_TRUE(shard.is_done());
    EXPECT_TRUE(shard.values().empty());
  }
}

/// A third of the workers dies, and so does whoever asked for them, whose clocks were wrong by an
/// hour either way.
TEST_F(FarmedRun, GivesTheSameBytesWhenWorkersAndCoordinatorAreKilled) {
  const Finished killed = testing::shell(
      "'" THIMBLE_TEST_PROGRAM
      "' run -q sweep.yaml --jobs 1 --engine local --workers 2 --output two &\n"
      "coordinator=$!\n"
      "shards() { find two -name '*.shard' -size +8k; }\n"
      "for i in $(seq 600); do [ $(shards | wc -l) -ge 2 ] && break; sleep 0.05; done\n"
      "kill -9 $(shards | sed 's/.*\\.\\([0-9]*\\)\\.shard/\\1/' | head -1)\n"
      "for i in $(seq 600); do [ $(shards | wc -l) -ge 3 ] && break; sleep 0.05; done\n"
      "find two -type f | awk 'NR % 2' | xargs -d '\\n' touch -d '1 hour ago'\n"
      "find two -type f | awk 'NR % 2 == 0' | xargs -d '\\n' touch -d '1 hour'\n"
      "kill -9 $coordinator; wait $coordinator",
      here_);
  ASSERT_EQ(killed.code, 128 + SIGKILL) << killed.errors;
  const fs::path resumed =
      run("sweep.yaml --jobs 1 --engine local --workers 2 --output two --resume");
  EXPECT_EQ(farmed_results(resumed), whole_);
  // Nothing that was there when a worker died has been computed again for its part.
  std::set<std::pair<std::string, std::string>> seen;
  const auto shards = shards_of(resumed);
  EXPECT_GT(shards.size(), 4U);
  for (const fs::path& file : shards) {
    ShardReader shard{file};
    shard.read_on();
    for (const StoredValue& stored : shard.values())
      EXPECT_TRUE(seen.emplace(shard.worker().part, stored.candidate + stored.proxy).second)
          << file;
  }
}

/// Whoever goes on without an engine has what the workers had.
TEST_F(FarmedRun, IsFinishedByOneProcessWithTheValuesOfItsWorkers) {
  const fs::path farmed = copy(farmed_, "finished");
  const auto seconds = [&] {
    std::map<std::string, double> all;
    for (const StoredValue& stored : SqliteStore{farmed / "store.sqlite"}.values())
      all[stored.candidate + stored.proxy] = stored.value.seconds;
    return all;
  };
  const auto before = seconds();
  fs::remove(farmed / "store.sqlite");
  fs::remove(farmed / "result.yaml");
  EXPECT_EQ(farmed_results(run("sweep.yaml --jobs 1 --output finished --resume")), whole_);
  EXPECT_EQ(seconds(), before) << "computed again";
}

TEST_F(FarmedRun, TornShardsAreComputedAgain) {
  const fs::path farmed = copy(farmed_, "torn");
  // As a lost node leaves it: of three parts something, and the run had not come to its end.
  fs::remove(farmed / "store.sqlite");
  fs::remove(farmed / "result.yaml");
  const auto shards = shards_of(farmed);
  ASSERT_EQ(shards.size(), 4U);
  fs::resize_file(shards[0], fs::file_size(shards[0]) / 3);
  fs::resize_file(shards[1], 7);
  std::string text = content(shards[2]);
  text[text.size() / 2] ^= 1;
  write_file(shards[2], text);
  EXPECT_EQ(
      farmed_results(run("sweep.yaml --jobs 1 --engine local --workers 2 --output torn --resume")),
      whole_);
  EXPECT_EQ(shards_of(farmed).size(), 7U);
}

TEST_F(FarmedRun, ACandidateThatKillsItsWorkersIsNamedAndCostsNoOtherPoint) {
  const std::string plugins =
      "THIMBLE_PLUGIN_PATH='" THIMBLE_TEST_BINARY "/tests/bad_plugins/proxy'";
  const auto with_fault = [](const std::string& place, const std::string& params) {
    return "'proxies=[{use: faulty, fault: abort, place: " + place + ", params: " + params +
           "}]' 'objectives=[{maximize: faulty}]' sweep.seed=[1,2] searcher.samples=30 --jobs 1 ";
  };
  // The network of the first point whose size is its own.
  const fs::path good = run("sweep.yaml --output good " + with_fault("nowhere", "0"), plugins);
  const CsvTable table = parse_csv(content(good / "candidates.csv"), "candidates.csv");
  std::map<std::string, std::vector<std::string>> archs;
  std::map<std::string, std::string> point;
  for (const auto& row : table.rows) {
    archs[row[table.column("params")].text].push_back(row[table.column("arch")].text);
    point[row[table.column("arch")].text] = row[table.column("point")].text;
  }
  const auto deadly = std::ranges::find_if(archs, [&](const auto& size) {
    return size.second.size() == 1 && point[size.second[0]] == "1" &&
           size.second[0].find("conv_3x3") != std::string::npos;
  });
  ASSERT_NE(deadly, archs.end());
  const std::string arguments = "run -q sweep.yaml --output two --engine local --workers 2 " +
                                with_fault("score", deadly->first);
  EXPECT_GE(
      thimble_program("run -q sweep.yaml --output crash " + with_fault("score", deadly->first),
                      here_, plugins)
          .code,
      128)
      << "one process dies of it";
  const Finished finished = thimble_program(arguments, here_, plugins);
  EXPECT_EQ(finished.code, 1) << finished.errors;
  EXPECT_THAT(finished.errors, HasSubstr("part 'point-001-"));
  EXPECT_THAT(finished.errors, HasSubstr("' worker after worker dies: signal 6, Aborted on "));
  EXPECT_THAT(finished.errors, ::testing::Not(HasSubstr("part 'point-002-")));
  const fs::path folder = fs::directory_iterator { here_ / "two" / "sweep" } -> path();
  const auto kept = SqliteStore{folder / "store.sqlite"}.size();
  EXPECT_GT(kept, 25) << "the other point's, and what came before";
}

TEST_F(FarmedRun, RefusesAnEngineThatThereIsNot) {
  const Finished finished = thimble_program("run sweep.yaml --engine locale", here_);
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("no engine 'locale'; did you mean 'local'?"));
  EXPECT_FALSE(fs::exists(here_ / "runs"));
  const std::pair<const char*, const char*> others[] = {
      {"--workers 2", "--workers is for engine local"},
      {"--detach --engine local", "--detach is for engine slurm"},
      {"--engine-file x.yaml", "--engine-file is for engine slurm"},
      {"--batches 5", "--batches needs an engine"}};
  for (const auto& [options, words] : others) {
    const Finished refused = thimble_program(fmt::format("run sweep.yaml {}", options), here_);
    EXPECT_EQ(refused.code, 2);
    EXPECT_THAT(refused.errors, HasSubstr(words));
  }
}

TEST_F(FarmedRun, SaysThatThereIsNoSlurm) {
  const Finished finished =
      thimble_program("run sweep.yaml --engine slurm --output none", here_, "PATH=/nowhere");
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors,
              HasSubstr("engine slurm needs 'sbatch', which is not on this machine"));
  EXPECT_FALSE(fs::exists(here_ / "none"));
}

/// It would mix the values of two experiments.
TEST_F(FarmedRun, AWorkerWithOtherDataIsRefused) {
  const fs::path farmed = copy(farmed_, "other");
  const std::string part = shards_of(farmed)[0].filename().string();
  const fs::path file = farmed / "resolved" / "001.yaml";
  std::string text = content(file);
  text.replace(text.find("samples: 256"), 12, "samples: 255");
  write_file(file, text);
  const Finished finished =
      thimble_program("work '" + farmed.string() + "' " + part.substr(0, part.find('.')), here_);
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("has other data, plugins or another build of thimble"));
}

/// Kernels that no processor of today would choose, and every one can run.
constexpr const char* kOther = "OPENBLAS_CORETYPE=Sandybridge";

TEST_F(FarmedRun, AWorkerOfOtherArithmeticIsRefusedBeforeItComputes) {
  const fs::path farmed = copy(farmed_, "alien");
  const auto before = shards_of(farmed);
  const std::string part = before[0].filename().string();
  for (const fs::path& file : before) fs::remove(file);
  const Finished finished = thimble_program(
      "work '" + farmed.string() + "' " + part.substr(0, part.find('.')), here_, kOther);
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors, HasSubstr("computes with other arithmetic than the run: "));
  EXPECT_THAT(finished.errors, HasSubstr("OpenBLAS, Sandybridge kernels"));
  EXPECT_THAT(finished.errors, HasSubstr("note: begin the run with --arithmetic avx2"));
  ShardReader shard{shards_of(farmed).at(0)};
  shard.read_on();
  EXPECT_TRUE(shard.values().empty());
  EXPECT_THAT(shard.failure(), HasSubstr("other arithmetic"));
}

TEST_F(FarmedRun, ARunIsNotResumedWithOtherArithmetic) {
  const fs::path known = copy(one_, "moved");
  const Finished finished =
      thimble_program("run sweep.yaml --jobs 1 --output moved --resume", here_, kOther);
  EXPECT_EQ(finished.code, 2);
  EXPECT_THAT(finished.errors,
              HasSubstr("the run was computed with other arithmetic than this process has: "));
  EXPECT_THAT(finished.errors, HasSubstr("begin anew without --resume"));
  EXPECT_EQ(farmed_results(known), whole_);
}

/// As if the machines had other processors: what the user or the launcher chose does not count.
TEST_F(FarmedRun, WithAvx2ProcessorsOfAllKindsComputeTheSame) {
  if (!__builtin_cpu_supports("avx2")) GTEST_SKIP() << "this processor has no AVX2";
  const std::string words = "sweep.yaml --jobs 1 --arithmetic avx2 searcher.samples=20 --output ";
  const auto pinned = farmed_results(run(words + "pinned", kOther));
  const fs::path farmed = run(words + "farmed2 --engine local --workers 2",
                              "ATEN_CPU_CAPABILITY=default DNNL_MAX_CPU_ISA=SSE41");
  EXPECT_EQ(farmed_results(farmed), pinned);
  EXPECT_NE(farmed_results(run("sweep.yaml --jobs 1 searcher.samples=20 --output other", kOther)),
            pinned);
  EXPECT_THAT(
      content(farmed / "resolved" / "001.yaml"),
      ::testing::ContainsRegex("# arithmetic [0-9a-f]+ .*Haswell kernels; LibTorch .*AVX2"));
}

TEST_F(FarmedRun, AShardOfOtherBitsStopsTheRunAndBothWorkersAreNamed) {
  const fs::path farmed = copy(farmed_, "planted");
  ShardReader shard{shards_of(farmed).at(0)};
  shard.read_on();
  StoredValue other = shard.values().at(0);
  other.value.value = std::nextafter(other.value.value, 1e9);
  Shard{farmed, {"point-009-0", "elsewhere", 7, "ffff (another processor)"}}.put(
      other.candidate, other.proxy, other.value);
  const Finished finished = thimble_program(
      "run sweep.yaml --jobs 1 --engine local --workers 1 --output planted --resume", here_);
  EXPECT_EQ(finished.code, 1);
  EXPECT_THAT(finished.errors, HasSubstr("two workers differ about candidate"));
  EXPECT_THAT(finished.errors, HasSubstr("process 7 on elsewhere (ffff (another processor))"));
  EXPECT_THAT(finished.errors, HasSubstr("OpenBLAS"));
}

}  // namespace
}  // namespace thimble::farm_system_test
