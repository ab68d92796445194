// The program beside broken plugins (tests/bad_plugins): each is told of, and disturbs nobody else.

#include <filesystem>
#include <string>
#include <string_view>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <support/commands.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>

namespace thimble::bad_plugins_test {
namespace {

namespace fs = std::filesystem;
using testing::Finished;
using ::testing::HasSubstr;
using ::testing::Not;

const fs::path kBad = fs::path{THIMBLE_TEST_BINARY} / "tests" / "bad_plugins";

/// Runs the program with the broken plugins in its path.
Finished run_program(const std::string& arguments) {
  const testing::TemporaryFolder folder;
  return testing::thimble_command(arguments, folder.path(), {{"THIMBLE_PLUGIN_PATH", kBad}});
}

TEST(BadPlugins, ListsPluginsAndTellsOfBrokenOnesBesides) {
  const Finished outcome = run_program("plugins searcher");
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("searcher     random"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("error")));
  for (const char* const name : {"no_entry", "wrong_abi", "throws_int", "missing_symbol"})
    EXPECT_THAT(outcome.errors, HasSubstr((kBad / name).string() + ".so: error: "));
}

/// Runs an experiment that takes no time. The parts are YAML.
Finished run_experiment(const std::string& proxy, const std::string& metric,
                        const std::string& searcher) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder.path() / "x.yaml";
  write_file(file, fmt::format(R"(name: x
schema: 1
seed: 1
search_space: {{ use: nasbench201, channels: 2, cells: 1 }}
dataset: {{ use: synthetic }}
proxies:
  - {}
objectives: [{{ maximize: {} }}]
searcher: {}
)",
                               proxy, metric, searcher));
  return run_program("run '" + file.string() + "' --jobs 2");
}

Finished run_faulty(const std::string& place, const std::string& fault) {
  return run_experiment("{ use: faulty, place: " + place + ", fault: " + fault + " }", "faulty",
                        "{ use: random, samples: 3 }");
}

TEST(BadPlugins, RunsAPluginFromThePath) {
  const Finished outcome = run_faulty("nowhere", "error");
  EXPECT_EQ(outcome.code, 0) << outcome.errors;
  EXPECT_THAT(outcome.errors, Not(HasSubstr("error")));
}

TEST(BadPlugins, RefusesAnExperimentThatNamesABrokenPlugin) {
  const Finished outcome = run_experiment("{ use: ntk }", "ntk", "{ use: wrong_abi }");
  EXPECT_EQ(outcome.code, 2);
  EXPECT_THAT(outcome.errors, HasSubstr("x.yaml:9:18: error: plugin 'wrong_abi' cannot be used: "
                                        "built for another thimble; rebuild it\n  note: "));
}

TEST(BadPlugins, RefusesAnExperimentWhosePluginCannotBeMade) {
  for (const char* const fault : {"error", "standard", "integer"}) {
    const Finished outcome = run_faulty("constructor", fault);
    EXPECT_EQ(outcome.code, 2) << fault;
    EXPECT_THAT(outcome.errors, HasSubstr("x.yaml:7:")) << fault;
    EXPECT_THAT(outcome.errors, HasSubstr("'faulty'")) << fault;
  }
}

TEST(BadPlugins, CountsACandidateInvalidWhenItsScoreIsAnErrorOrNotFinite) {
  const Finished error = run_faulty("score", "error");
  EXPECT_EQ(error.code, 1) << "nothing else was there to find";
  EXPECT_THAT(error.errors, HasSubstr("is valid: "));
  const Finished nan = run_faulty("score", "nan");
  EXPECT_EQ(nan.code, 1);
  EXPECT_THAT(nan.errors, HasSubstr("is valid: proxy 'faulty' gave nan"));
}

TEST(BadPlugins, FailsWithThePluginsNameWhenAScoreThrowsAnythingElse) {
  for (const char* const place : {"score", "combine"}) {
    const Finished outcome = run_faulty(place, "standard");
    EXPECT_EQ(outcome.code, 1) << place;
    EXPECT_THAT(outcome.errors, HasSubstr("proxy 'faulty' failed on")) << place;
    EXPECT_THAT(outcome.errors, HasSubstr("the sky has fallen")) << place;
    EXPECT_THAT(outcome.errors, HasSubstr("this is a fault of the plugin")) << place;
  }
}

TEST(BadPlugins, DoesNotCrashWhenAPluginThrowsWhatIsNoException) {
  for (const char* const place : {"pass", "score", "combine"}) {
    const Finished outcome = run_faulty(place, "integer");
    // Asked what it needs while the experiment is checked, it makes the experiment unusable.
    EXPECT_EQ(outcome.code, std::string_view{place} == "pass" ? 2 : 1) << place;
    EXPECT_THAT(outcome.errors, HasSubstr("faulty")) << place;
  }
}

}  // namespace
}  // namespace thimble::bad_plugins_test
