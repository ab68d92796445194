// What the program says of wrong experiments: each tests/bad_experiments/NAME.yaml is checked from
// that folder, and its errors must read as NAME.expected has them. A first line
//
//     # thimble run FILE --jobs -1
//
// gives other arguments than `check FILE`. In what is expected, {plugins} stands for the folder of
// plugins and {count:KIND} for how many of a kind lie there.

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/kind.hpp>
#include <thimble/core/text.hpp>

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

std::string arguments_of(const std::string& name) {
  const std::string text = content(folder() / (name + ".yaml"));
  const std::string first = text.substr(0, text.find('\n'));
  const std::string mark = "# thimble ";
  std::string line;
  for (const std::string& word :
       split(first.starts_with(mark) ? first.substr(mark.size()) : "check FILE", ' '))
    line += (word == "FILE" ? "'" + name + ".yaml'" : "'" + word + "'") + " ";
  return line;
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

class BadExperiment : public ::testing::TestWithParam<std::string> {};

TEST_P(BadExperiment, IsRefusedWithClearWordsAndLeavesNothing) {
  ASSERT_TRUE(fs::exists(folder() / (GetParam() + ".expected")));
  const auto before = files_in_folder();
  const Finished finished = thimble_program(arguments_of(GetParam()), folder(),
                                            "env -u THIMBLE_DATA -u THIMBLE_PLUGIN_PATH");
  EXPECT_EQ(finished.code, 2);
  EXPECT_EQ(finished.output, "");
  EXPECT_EQ(finished.errors, expected_of(GetParam()));
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

INSTANTIATE_TEST_SUITE_P(Folder, BadExperiment, ::testing::ValuesIn(names_of_experiments()),
                         [](const auto& instance) { return instance.param; });

}  // namespace
}  // namespace thimble::testing
