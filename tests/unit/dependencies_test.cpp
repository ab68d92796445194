// The order of the floors (CONTRIBUTING.md, "Dependencies go one way"), read off the #include
// lines.

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace thimble::dependencies_test {
namespace {

namespace fs = std::filesystem;

const fs::path kRoot = THIMBLE_TEST_SOURCE;
const fs::path kHeaders = kRoot / "framework" / "include";
const fs::path kSources = kRoot / "framework" / "src";

using Words = std::set<std::string>;

/// What each floor may include, besides itself.
const std::map<std::string, Words>& allowed_floors() {
  static const std::map<std::string, Words> allowed = [] {
    std::map<std::string, Words> floors{
        {"core", {}},
        {"graph", {"core"}},
        {"space", {"core", "graph"}},
        {"deploy", {"core", "graph"}},
        {"emulate", {"core", "graph", "deploy"}},
        {"hardware", {"core", "graph", "deploy", "emulate"}},
        {"nn/propagation", {"core", "graph"}},
        {"nn/ntk", {"core", "graph", "nn/propagation"}},
        {"nn", {"core", "graph", "deploy", "nn/propagation", "nn/ntk"}},
        {"train", {"core", "graph", "deploy", "nn/propagation", "nn"}}};
    Words below{"core", "graph",          "space",  "deploy", "hardware",
                "nn",   "nn/propagation", "nn/ntk", "train"};
    for (const char* const floor : {"search", "plugin", "experiment", "report", "page", "run"}) {
      floors[floor] = below;
      below.insert(floor);
    }
    floors["farm"] = {"core", "search"};
    floors["run"].insert("farm");
    for (auto& [floor, may] : floors) may.insert(floor);
    return floors;
  }();
  return allowed;
}

std::vector<std::string> lines_of(const fs::path& file) {
  std::ifstream stream{file};
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

bool is_code(const fs::path& file) {
  return Words{".hpp", ".cpp", ".inc"}.contains(file.extension().string());
}

/// Our own C++ files below a folder.
std::vector<fs::path> files_in(const fs::path& folder) {
  std::vector<fs::path> files;
  if (!fs::exists(folder)) return files;
  for (const auto& entry : fs::recursive_directory_iterator{folder})
    if (is_code(entry.path())) files.push_back(entry.path());
  return files;
}

/// Those of a floor: its folders beneath are floors of their own.
std::vector<fs::path> files_of(const std::string& floor) {
  std::vector<fs::path> files;
  for (const fs::path& folder : {kHeaders / "thimble" / floor, kSources / floor})
    for (const fs::path& file : files_in(folder))
      if (file.parent_path() == folder) files.push_back(file);
  return files;
}

struct Include {
  std::string path;
  bool is_quoted = false;
};

std::vector<Include> includes_of(const fs::path& file) {
  static const std::regex include{R"(^\s*#\s*include\s*([<"])([^>"]+)[>"].*)"};
  std::vector<Include> found;
  std::smatch match;
  for (const std::string& line : lines_of(file))
    if (std::regex_match(line, match, include)) found.push_back({match[2], match[1] == "\""});
  return found;
}

/// "nn/ntk" of "thimble/nn/ntk/ntk.hpp"; "?" for what is not ours, "" for the kinds' headers.
std::string floor_of(const std::string& include) {
  constexpr std::string_view kOurs = "thimble/";
  if (!include.starts_with(kOurs)) return "?";
  return fs::path{include.substr(kOurs.size())}.parent_path().string();
}

std::string shown(const fs::path& file) { return fs::relative(file, kRoot).string(); }

bool includes_torch(const fs::path& file) {
  for (const Include& include : includes_of(file))
    for (const char* const library : {"torch/", "ATen/", "c10/"})
      if (include.path.starts_with(library)) return true;
  return false;
}

/// Every header of ours that a header draws in.
Words drawn_in_by(const std::string& header) {
  Words seen;
  std::vector<std::string> open{header};
  while (!open.empty()) {
    const std::string next = open.back();
    open.pop_back();
    if (!seen.insert(next).second) continue;
    for (const Include& include : includes_of(kHeaders / next))
      if (floor_of(include.path) != "?") open.push_back(include.path);
  }
  return seen;
}

void expect_no_tensors(const std::string& header) {
  const Words drawn = drawn_in_by(header);
  EXPECT_GT(drawn.size(), 3U) << header;
  for (const std::string& other : drawn)
    EXPECT_FALSE(includes_torch(kHeaders / other)) << header << " draws in " << other;
}

TEST(Dependencies, EveryFloorIncludesOnlyTheFloorsBelowIt) {
  std::size_t count = 0;
  for (const auto& [floor, allowed] : allowed_floors()) {
    const auto files = files_of(floor);
    EXPECT_FALSE(files.empty()) << "floor " << floor << " is empty";
    for (const fs::path& file : files) {
      for (const Include& include : includes_of(file)) {
        const std::string target = floor_of(include.path);
        if (target == "?") continue;
        ++count;
        EXPECT_TRUE(allowed.contains(target)) << shown(file) << " includes " << include.path;
      }
    }
  }
  EXPECT_GT(count, 100U) << "the includes were not found";
}

TEST(Dependencies, EveryFolderIsAFloor) {
  for (const fs::path& folder : {kHeaders / "thimble", kSources}) {
    for (const fs::path& file : files_in(folder)) {
      const std::string floor = fs::relative(file.parent_path(), folder).string();
      const bool has_no_floor = floor == "." || file.parent_path().filename() == "qemu_plugin";
      EXPECT_TRUE(has_no_floor || allowed_floors().contains(floor))
          << shown(file) << ": say here what " << floor << " may include";
    }
  }
}

TEST(Dependencies, QuotedIncludesStayInTheirFolder) {
  for (const char* const folder : {"framework", "plugins"}) {
    for (const fs::path& file : files_in(kRoot / folder)) {
      for (const Include& include : includes_of(file)) {
        if (!include.is_quoted) continue;
        EXPECT_EQ(include.path.find('/'), std::string::npos)
            << shown(file) << " includes " << include.path;
        EXPECT_TRUE(fs::exists(file.parent_path() / include.path))
            << shown(file) << " includes " << include.path;
      }
    }
  }
}

TEST(Dependencies, OneFileKnowsEachOfTheseLibraries) {
  const std::map<std::string, Words> allowed{
      {"boost/dll", {"framework/src/plugin/loader.cpp"}},
      {"boost/process", {"framework/src/core/process.cpp"}},
      {"yaml-cpp", {"framework/src/core/yaml.cpp"}},
      {"onnx/", {"framework/src/deploy/onnx_writer.cpp"}},
      {"sqlite3", {"framework/src/run/store.cpp"}},
      {"tbb/", {"framework/src/core/parallel.cpp"}},
      // The framework for hypervolumes; the plugins are its algorithms.
      {"pagmo",
       {"framework/src/search/hypervolume.cpp", "plugins/searchers/nsga2/nsga2.cpp",
        "plugins/searchers/pagmo/pagmo.cpp"}}};
  std::map<std::string, Words> found;
  for (const char* const folder : {"framework", "plugins"})
    for (const fs::path& file : files_in(kRoot / folder))
      for (const Include& include : includes_of(file))
        for (const auto& [library, files] : allowed)
          if (include.path.starts_with(library)) found[library].insert(shown(file));
  EXPECT_EQ(found, allowed);
}

/// LibTorch's headers cost seconds a file: only what works with tensors includes them, by whatever
/// way.
TEST(Dependencies, OnlyNetworksAndTheirTrainingSeeTensors) {
  for (const char* const header :
       {"thimble/search/scoring.hpp", "thimble/search/selection.hpp", "thimble/experiment/load.hpp",
        "thimble/experiment/study.hpp", "thimble/report/result_tables.hpp",
        "thimble/report/analysis_pictures.hpp", "thimble/page/run_page.hpp", "thimble/run/run.hpp",
        "thimble/run/store.hpp", "thimble/farm/farm.hpp"})
    expect_no_tensors(header);
  for (const fs::path& file : files_in(kRoot / "framework")) {
    const std::string name = shown(file);
    const bool may = name.starts_with("framework/include/thimble/nn/") ||
                     name.starts_with("framework/src/nn/") ||
                     name.starts_with("framework/include/thimble/train/") ||
                     name.starts_with("framework/src/train/") ||
                     name == "framework/src/search/pass_runner.cpp";
    EXPECT_TRUE(may || !includes_torch(file)) << name << " includes LibTorch";
  }
  for (const fs::path& file : files_in(kRoot / "plugins")) {
    const std::string name = shown(file);
    const bool may = name.starts_with("plugins/proxies/") ||
                     name.starts_with("plugins/datasets/") || name.starts_with("plugins/tasks/");
    EXPECT_TRUE(may || !includes_torch(file)) << name << " includes LibTorch";
  }
}

/// What is under another licence is included by nobody else.
TEST(Dependencies, OnlyThePluginForQemuIncludesItsHeaders) {
  for (const char* const folder : {"framework", "plugins", "tests"}) {
    for (const fs::path& file : files_in(kRoot / folder)) {
      if (file.parent_path().filename() == "qemu_plugin") continue;
      for (const Include& include : includes_of(file)) {
        const std::string name = fs::path{include.path}.filename().string();
        EXPECT_FALSE(fs::exists(kSources / "emulate" / "qemu_plugin" / name))
            << shown(file) << " includes " << include.path;
      }
    }
  }
}

/// Searchers, search spaces and hardware are compiled without LibTorch, in a second each.
TEST(Dependencies, HeadersOfTensorlessKindsDrawInNoTensors) {
  for (const char* const header :
       {"thimble/search/searcher.hpp", "thimble/search/evaluation.hpp", "thimble/searcher.hpp",
        "thimble/search_space.hpp", "thimble/hardware.hpp", "thimble/plugin/loader.hpp",
        "thimble/search/witnesses.hpp", "thimble/search/expected_cost.hpp",
        "thimble/search/uncosted.hpp"})
    expect_no_tensors(header);
}

TEST(Dependencies, PluginsKnowNeitherOtherPluginsNorTheExperiment) {
  for (const fs::path& file : files_in(kRoot / "plugins")) {
    for (const Include& include : includes_of(file)) {
      EXPECT_FALSE(include.path.starts_with("plugins/")) << shown(file);
      for (const char* const floor : {"experiment", "report", "page", "run"})
        EXPECT_NE(floor_of(include.path), floor) << shown(file);
    }
  }
}

TEST(Dependencies, EveryPluginIsAFolderOfItsKind) {
  const Words kinds{"proxies", "searchspaces", "searchers", "hardware", "datasets", "tasks"};
  for (const fs::path& file : files_in(kRoot / "plugins")) {
    const fs::path place = fs::relative(file, kRoot / "plugins");
    EXPECT_TRUE(kinds.contains(place.begin()->string())) << shown(file);
    EXPECT_GE(std::distance(place.begin(), place.end()), 3) << shown(file);
  }
}

/// A library neither prints, nor reads the environment, nor ends the program.
TEST(Dependencies, PluginsAndTheFrameworkLeaveTheWorldAlone) {
  static const std::regex forbidden{
      R"(std::c(out|err|log)\b|\b(f|s|v|vf)?printf\s*\(|\bputs\s*\(|fmt::print\b|\bgetenv\s*\()"
      R"(|\bsetenv\s*\(|\b_?exit\s*\(|std::abort\b|std::terminate\b|manual_seed\b)"};
  std::vector<fs::path> files = files_in(kRoot / "plugins");
  for (const fs::path& folder : {kHeaders, kSources})
    for (const fs::path& file : files_in(folder)) files.push_back(file);
  EXPECT_GT(files.size(), 50U);
  for (const fs::path& file : files) {
    int number = 0;
    for (std::string line : lines_of(file)) {
      ++number;
      line.erase(std::min(line.find("//"), line.size()));
      std::smatch match;
      EXPECT_FALSE(std::regex_search(line, match, forbidden))
          << shown(file) << ":" << number << ": " << line;
    }
  }
}

}  // namespace
}  // namespace thimble::dependencies_test
