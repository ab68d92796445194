// What the program says of wrong experiments: each tests/bad_experiments/NAME.yaml is checked from
// that folder, and its errors must read as NAME.expected has them. A first line
//
//     # thimble run FILE --jobs -1
//
// gives other arguments than `check FILE`. In what is expected, {plugins} stands for the folder of
// plugins and {count:KIND} for how many of a kind lie there. To start the program for each would
// cost a minute, so this process does what the program does, which is run for a few only.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/kind.hpp>
#include <thimble/core/text.hpp>
#include <thimble/plugin/loader.hpp>

#include "program.hpp"
#include "support/program.hpp"

namespace thimble::testing {
namespace {

namespace fs = std::filesystem;

fs::path folder() { return fs::path{THIMBLE_TEST_SOURCE} / "tests" / "bad_experiments"; }

std::vector<std::string> names_of_experiments() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator{folder()})
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

std::set<std::string> files_in_folder() {
  std::set<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator{folder()})
    files.insert(entry.path().string());
  return files;
}

void replace_all(std::string& text, const std::string& what, const std::string& by) {
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
}

std::vector<std::string> arguments_of(const std::string& name) {
  const std::string text = content(folder() / (name + ".yaml"));
  const std::string first = text.substr(0, text.find('\n'));
  const std::string mark = "# thimble ";
  auto words = split(first.starts_with(mark) ? first.substr(mark.size()) : "check FILE", ' ');
  std::ranges::replace(words, "FILE", name + ".yaml");
  return words;
}

std::string expected_of(const std::string& name) {
  std::string text = content(folder() / (name + ".expected"));
  replace_all(text, "{plugins}", THIMBLE_TEST_PLUGINS);
  for (const Kind kind : all_kinds()) {
    std::ptrdiff_t count = 0;
    for (const auto& entry : fs::directory_iterator{fs::path{THIMBLE_TEST_PLUGINS} / name_of(kind)})
      count += entry.path().extension() == ".so" ? 1 : 0;
    replace_all(text, std::string{"{count:"} + name_of(kind) + "}", std::to_string(count));
  }
  return text;
}

/// What the program does, in this process.
Finished run_here(const std::vector<std::string>& arguments) {
  std::vector<const char*> words{"thimble"};
  for (const std::string& argument : arguments) words.push_back(argument.c_str());
  ::testing::internal::CaptureStdout();
  ::testing::internal::CaptureStderr();
  Finished finished;
  finished.code =
      cli::run_program(static_cast<int>(words.size()), words.data(), THIMBLE_TEST_BINARY);
  finished.output = ::testing::internal::GetCapturedStdout();
  finished.errors = ::testing::internal::GetCapturedStderr();
  return finished;
}

Finished run_program(const std::vector<std::string>& arguments) {
  std::string line;
  for (const std::string& argument : arguments) line += "'" + argument + "' ";
  return thimble_program(line, folder(), "env -u THIMBLE_DATA -u THIMBLE_PLUGIN_PATH");
}

class BadExperiment : public ::testing::TestWithParam<std::string> {
 protected:
  /// Loads the plugins once; the loaders of the single runs then find them in memory.
  static void SetUpTestSuite() {
    static PluginLoader loader{{THIMBLE_TEST_PLUGINS}, Context{}};
    loader.list(std::nullopt);
    ::unsetenv("THIMBLE_DATA");
    ::unsetenv("THIMBLE_PLUGIN_PATH");
    fs::current_path(folder());
  }

  static void expect_refused(const Finished& finished) {
    EXPECT_EQ(finished.code, 2);
    EXPECT_EQ(finished.output, "");
    EXPECT_EQ(finished.errors, expected_of(GetParam()));
  }
};

TEST_P(BadExperiment, IsRefusedWithClearWordsAndLeavesNothing) {
  ASSERT_TRUE(fs::exists(folder() / (GetParam() + ".expected")));
  const auto before = files_in_folder();
  expect_refused(run_here(arguments_of(GetParam())));
  EXPECT_EQ(files_in_folder(), before);
}

/// The style of every message: lower case, no full stop, "PLACE: error: MESSAGE", indented notes.
TEST_P(BadExperiment, IsDescribedInTheStyleOfTheOthers) {
  auto lines = split(content(folder() / (GetParam() + ".expected")), '\n');
  ASSERT_FALSE(lines.empty());
  ASSERT_EQ(lines.back(), "") << "the text must end with a line break";
  lines.pop_back();
  ASSERT_FALSE(lines.empty());
  for (const std::string& line : lines) {
    EXPECT_FALSE(line.ends_with('.') && !line.ends_with("...")) << line;
    if (line.starts_with("  note: ")) continue;
    const auto at = line.find(": error: ");
    ASSERT_NE(at, std::string::npos) << line;
    const char first = line[at + std::string{": error: "}.size()];
    EXPECT_FALSE(first >= 'A' && first <= 'Z') << line;
  }
}

class BadExperimentOfProgram : public BadExperiment {};

TEST_P(BadExperimentOfProgram, IsRefusedTheSame) {
  expect_refused(run_program(arguments_of(GetParam())));
}

INSTANTIATE_TEST_SUITE_P(Few, BadExperimentOfProgram,
                         ::testing::Values("command_missing", "file_missing", "jobs_text",
                                           "key_unknown_proxy", "plugin_unknown_far", "several",
                                           "yaml_nul"),
                         [](const auto& instance) { return instance.param; });

INSTANTIATE_TEST_SUITE_P(Folder, BadExperiment, ::testing::ValuesIn(names_of_experiments()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace thimble::testing
