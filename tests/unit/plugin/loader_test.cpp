// Broken plugins (tests/bad_plugins) give one clear error each and disturb nobody else.

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sys/stat.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/search/searcher.hpp>

#include "support/world.hpp"

namespace thimble::loader_test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Not;
using ::testing::StartsWith;

const fs::path kBad = fs::path{THIMBLE_TEST_BINARY} / "tests" / "bad_plugins";

/// The one thing that loading this file complains of.
Diagnostic problem_of(PluginLoader& loader, const fs::path& file) {
  try {
    loader.load(file);
  } catch (const InputError& error) {
    EXPECT_EQ(error.diagnostics().size(), 1U) << error.what();
    return error.diagnostics().front();
  }
  ADD_FAILURE() << file << " was loaded";
  return {};
}

Diagnostic problem_of(const fs::path& file) {
  PluginLoader loader{{}, {}};
  return problem_of(loader, file);
}

Diagnostic problem_of_bad(const std::string& name) {
  const fs::path file = kBad / (name + ".so");
  Diagnostic problem = problem_of(file);
  EXPECT_EQ(problem.where.file, file.string());
  return problem;
}

/// The one thing that looking for this plugin complains of.
Diagnostic problem_of_finding(PluginLoader& loader, Kind kind, const std::string& name) {
  Diagnostics problems;
  EXPECT_EQ(loader.find(kind, name, {"x.yaml", 3, 7}, problems), nullptr);
  EXPECT_EQ(problems.size(), 1U);
  try {
    problems.throw_if_any();
  } catch (const InputError& error) {
    EXPECT_EQ(error.diagnostics().front().where.file, "x.yaml");
    return error.diagnostics().front();
  }
  return {};
}

// ---------------------------------------------------------------------------------------- files

TEST(Loader, RefusesATextFile) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "x.so", std::string(5000, '#'));
  const Diagnostic problem = problem_of(folder.path() / "x.so");
  EXPECT_EQ(problem.message, "cannot be loaded: invalid ELF header");
  EXPECT_EQ(problem.where.file, (folder.path() / "x.so").string());
  EXPECT_THAT(problem.note, HasSubstr("is it a shared library"));
}

TEST(Loader, RefusesAnEmptyFile) {
  const testing::TemporaryFolder folder;
  write_file(folder.path() / "x.so", "");
  EXPECT_EQ(problem_of(folder.path() / "x.so").message, "cannot be loaded: file too short");
}

TEST(Loader, RefusesAFolderALinkToNothingAndAPipe) {
  const testing::TemporaryFolder folder;
  fs::create_directory(folder.path() / "folder.so");
  fs::create_symlink(folder.path() / "nothing", folder.path() / "link.so");
  ASSERT_EQ(mkfifo((folder.path() / "pipe.so").c_str(), 0600), 0);
  EXPECT_EQ(problem_of(folder.path() / "folder.so").message, "is no file, so no plugin");
  EXPECT_EQ(problem_of(folder.path() / "link.so").message, "is a link to nothing");
  EXPECT_EQ(problem_of(folder.path() / "pipe.so").message, "is no file, so no plugin");
  EXPECT_EQ(problem_of(folder.path() / "missing.so").message, "does not exist");

  PluginLoader loader{{folder.path()}, {}};
  for (const FoundPlugin& plugin : loader.list(std::nullopt)) EXPECT_EQ(plugin.type, nullptr);
  EXPECT_EQ(loader.list(std::nullopt).size(), 3U);
}

TEST(Loader, RefusesALibraryThatIsNoPlugin) {
  const Diagnostic problem = problem_of_bad("no_entry");
  EXPECT_EQ(problem.message, "is a shared library, but no thimble plugin");
  EXPECT_THAT(problem.note, HasSubstr("THIMBLE_PLUGIN(name, version)"));
}

TEST(Loader, NamesAMissingSymbolAtOnce) {
  const Diagnostic problem = problem_of_bad("missing_symbol");
  EXPECT_THAT(problem.message, HasSubstr("cannot be loaded: undefined symbol: "));
  EXPECT_THAT(problem.message, HasSubstr("nobody_defines_this"));
  EXPECT_THAT(problem.message, Not(HasSubstr("Bad file descriptor")));
  EXPECT_THAT(problem.message, Not(HasSubstr("Illegal seek")));
}

// ----------------------------------------------------------------------------------------- info

TEST(Loader, RefusesAnotherSizeOfInfo) {
  EXPECT_EQ(problem_of_bad("wrong_size").message, "built for another thimble; rebuild it");
}

TEST(Loader, RefusesAnotherAbiAndNamesBoth) {
  const Diagnostic problem = problem_of_bad("wrong_abi");
  EXPECT_EQ(problem.message, "built for another thimble; rebuild it");
  EXPECT_THAT(problem.note, HasSubstr("plugin abi " + std::to_string(kAbiVersion + 1000)));
  EXPECT_THAT(problem.note, HasSubstr("host abi " + std::to_string(kAbiVersion)));
}

TEST(Loader, RefusesAPluginOfBeforeAndSaysWhereItsSourcesMayHaveToChange) {
  const Diagnostic problem = problem_of_bad("old_abi");
  EXPECT_EQ(problem.message, "built for another thimble; rebuild it");
  EXPECT_THAT(problem.note, HasSubstr("plugin abi " + std::to_string(kAbiVersion - 1)));
  EXPECT_THAT(problem.note, HasSubstr("docs/plugin-abi.md says what changed"));
  EXPECT_THAT(problem_of_bad("wrong_abi").note, Not(HasSubstr("what changed")));
}

TEST(Loader, TheLibraryIsCalledByThisNumber) {
  EXPECT_TRUE(fs::exists(fs::path{THIMBLE_TEST_BINARY} / "lib" /
                         ("libthimble.so." + std::to_string(kAbiVersion))));
}

TEST(Loader, TheDocumentSaysWhatChangedWithThisNumber) {
  EXPECT_THAT(read_file(fs::path{THIMBLE_TEST_SOURCE} / "docs" / "plugin-abi.md"),
              HasSubstr("### ABI " + std::to_string(kAbiVersion) + "\n"));
}

TEST(Loader, RefusesAnotherToolchainAndNamesBoth) {
  const Diagnostic problem = problem_of_bad("wrong_build");
  EXPECT_THAT(problem.message,
              StartsWith("built for another thimble, with gcc 1; cxx11abi 0, not gcc "));
  EXPECT_THAT(problem.note, HasSubstr("gcc 1; cxx11abi 0"));
  EXPECT_THAT(problem.note, HasSubstr(THIMBLE_BUILD));
}

/// Before it is loaded: it calls what is nowhere, as one does that is built against another
/// LibTorch.
TEST(Loader, RefusesAnotherLibTorchByItsVersion) {
  const Diagnostic problem = problem_of_bad("wrong_torch");
  EXPECT_EQ(problem.message,
            "built for another thimble, with torch 0.4.1, not torch " THIMBLE_TORCH "; rebuild it");
  EXPECT_THAT(problem.note, HasSubstr("torch 0.4.1; host gcc"));
}

TEST(Loader, RefusesANameThatIsNoIdentifier) {
  const Diagnostic problem = problem_of_bad("wrong_name");
  EXPECT_EQ(problem.message, "'Wrong-Name' is no name for a plugin");
  EXPECT_THAT(problem.note, HasSubstr("lower case"));
}

TEST(Loader, RefusesIncompleteInfo) {
  EXPECT_EQ(problem_of_bad("null_name").message, "its plugin info is incomplete");
  EXPECT_EQ(problem_of_bad("null_enlist").message, "its plugin info is incomplete");
}

// ----------------------------------------------------------------------------------- entry point

TEST(Loader, CatchesWhateverTheEntryPointThrows) {
  EXPECT_EQ(problem_of_bad("throws_standard").message,
            "plugin 'throws_standard' 1.2.3 failed while it was registered: no luck today");
  EXPECT_EQ(problem_of_bad("throws_error").message,
            "plugin 'throws_error' 1.2.3 failed while it was registered: profile 'small' stands "
            "before provides");
  EXPECT_EQ(problem_of_bad("throws_int").message,
            "plugin 'throws_int' 1.2.3 failed while it was registered: something that is no "
            "exception");
}

TEST(Loader, WantsAPluginToProvideOneThing) {
  EXPECT_EQ(problem_of_bad("provides_nothing").message,
            "plugin 'provides_nothing' provides 0 things, not one");
  EXPECT_EQ(problem_of_bad("provides_two").message,
            "plugin 'provides_two' provides 2 things, not one");
}

TEST(Loader, WantsTheFileToBeCalledAsThePlugin) {
  EXPECT_EQ(problem_of_bad("misnamed").message,
            "the file of plugin 'other' must be called other.so");
}

// ---------------------------------------------------------------------------------------- names

TEST(Loader, SaysWhichTwoPluginsHaveOneName) {
  PluginLoader loader{{kBad / "first", kBad / "second"}, {}};
  const Diagnostic problem = problem_of_finding(loader, Kind::searcher, "twin");
  EXPECT_EQ(problem.message, "two plugins are called 'twin'");
  EXPECT_THAT(problem.note, HasSubstr((kBad / "first" / "twin.so").string()));
  EXPECT_THAT(problem.note, HasSubstr((kBad / "second" / "twin.so").string()));
}

TEST(Loader, TakesAFolderThatIsNamedTwiceOnce) {
  PluginLoader loader{{kBad / "first", kBad / "second" / ".." / "first"}, {}};
  Diagnostics problems;
  EXPECT_NE(loader.find(Kind::searcher, "twin", {}, problems), nullptr);
  EXPECT_TRUE(problems.empty());
  EXPECT_EQ(loader.list(std::nullopt).size(), 1U);
}

TEST(Loader, SuggestsANameForAMisspeltOne) {
  PluginLoader loader{{kBad / "first"}, {}};
  const Diagnostic problem = problem_of_finding(loader, Kind::searcher, "twni");
  EXPECT_EQ(problem.message, "no searcher plugin 'twni'; did you mean 'twin'?");
  EXPECT_THAT(problem.note, HasSubstr((kBad / "first").string()));
}

TEST(Loader, SaysOfWhichKindAPluginIs) {
  PluginLoader loader{{kBad / "first"}, {}};
  EXPECT_EQ(problem_of_finding(loader, Kind::proxy, "twin").message,
            "plugin 'twin' is a searcher, not a proxy");
}

TEST(Loader, TakesTheKindOfTheInterfaceWhateverThePluginCallsItself) {
  PluginLoader loader{{kBad / "late"}, {}};
  EXPECT_EQ(problem_of_finding(loader, Kind::proxy, "odd_kind").message,
            "plugin 'odd_kind' is a searcher, not a proxy");
}

TEST(Loader, ReportsABrokenPluginWhereItWasAskedFor) {
  PluginLoader loader{{kBad}, {}};
  const Diagnostic problem = problem_of_finding(loader, Kind::searcher, "wrong_abi");
  EXPECT_EQ(problem.message,
            "plugin 'wrong_abi' cannot be used: built for another thimble; rebuild it");
  EXPECT_THAT(problem.note, HasSubstr((kBad / "wrong_abi.so").string()));
  EXPECT_THAT(problem.note, HasSubstr("host abi"));
}

TEST(Loader, DoesNotLoadWhatNobodyAskedFor) {
  PluginLoader loader{{kBad, kBad / "first"}, {}};
  Diagnostics problems;
  EXPECT_NE(loader.find(Kind::searcher, "twin", {}, problems), nullptr);
  EXPECT_TRUE(problems.empty());
}

TEST(Loader, SearchesFoldersThatDoNotExistWithoutComplaint) {
  PluginLoader loader{{"/no/such/folder", ""}, {}};
  EXPECT_THAT(loader.list(std::nullopt), IsEmpty());
}

TEST(Loader, ListsTheGoodOnesBesideTheBrokenOnes) {
  PluginLoader loader{{kBad, kBad / "first", THIMBLE_TEST_PLUGINS}, {}};
  std::vector<std::string> good;
  std::size_t broken = 0;
  for (const FoundPlugin& plugin : loader.list(Kind::searcher)) {
    if (plugin.type != nullptr) {
      good.push_back(plugin.type->name);
      EXPECT_EQ(plugin.type->kind, Kind::searcher);
    } else {
      ++broken;
      EXPECT_EQ(plugin.problem.where.file, plugin.file.string());
      EXPECT_FALSE(plugin.problem.message.empty());
    }
  }
  EXPECT_THAT(good, IsSupersetOf({"exhaustive", "random", "twin"}));
  EXPECT_TRUE(std::ranges::is_sorted(good));
  EXPECT_EQ(broken, 16U);
}

TEST(Loader, WorksOnAfterABrokenPlugin) {
  PluginLoader loader{{kBad / "first"}, {}};
  problem_of(loader, kBad / "throws_standard.so");
  problem_of(loader, kBad / "throws_standard.so");  // and says so each time
  const PluginType& type = loader.load(kBad / "first" / "twin.so");
  EXPECT_EQ(type.name, "twin");
  Diagnostics problems;
  const Value resolved = PluginLoader::resolve(type, Value::map(), {}, problems);
  EXPECT_NE(loader.make<Searcher>(type, resolved, {}), nullptr);
}

TEST(Loader, LoadsALibraryOnce) {
  PluginLoader loader{{}, {}};
  const fs::path file = kBad / "first" / "twin.so";
  EXPECT_EQ(&loader.load(file), &loader.load(kBad / "second" / ".." / "first" / "twin.so"));
}

TEST(Loader, KnowsALibraryByItsBytes) {
  const testing::TemporaryFolder folder;
  const fs::path file = folder.path() / "twin.so";
  write_file(file, read_file(kBad / "first" / "twin.so"));
  PluginLoader loader{{}, {}};
  const PluginType& type = loader.load(kBad / "first" / "twin.so");
  EXPECT_EQ(type.fingerprint, loader.load(file).fingerprint);
  EXPECT_EQ(type.fingerprint, fingerprint(read_file(file)));
  EXPECT_NE(kernel_fingerprint(), 0U);
  EXPECT_NE(kernel_fingerprint(), type.fingerprint);
}

// ----------------------------------------------------------------------------- after the loading

TEST(Loader, MakesWhatADescriptionThrowsAProblem) {
  PluginLoader loader{{}, {}};
  const PluginType& type = loader.load(kBad / "late" / "describes_once.so");
  Diagnostics problems;
  PluginLoader::resolve(type, Value::map(), {"x.yaml", 3, 7}, problems);
  try {
    problems.throw_if_any();
    ADD_FAILURE() << "there was no problem";
  } catch (const InputError& error) {
    EXPECT_STREQ(error.what(),
                 "x.yaml:3:7: error: plugin 'describes_once' 1.2.3 failed while its "
                 "parameters were read: asked too often");
  }
}

/// What making the faulty proxy complains of.
std::string problem_of_making(const std::string& fault) {
  PluginLoader loader{{}, {}};
  const PluginType& type = loader.load(kBad / "proxy" / "faulty.so");
  Diagnostics problems;
  const Value given = parse_yaml("{place: constructor, fault: " + fault + "}", "test");
  const Value resolved = PluginLoader::resolve(type, given, {}, problems);
  problems.throw_if_any();
  struct Anything {};
  try {
    loader.make<Anything>(type, resolved, {"x.yaml", 3, 7});
  } catch (const InputError& error) {
    EXPECT_EQ(error.diagnostics().size(), 1U);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Loader, TellsAConstructorsErrorWhereThePluginWasAskedFor) {
  EXPECT_EQ(problem_of_making("error"),
            "x.yaml:3:7: error: proxy 'faulty': these do not fit together");
}

TEST(Loader, LeavesTheFileThatAConstructorNamesInItsError) {
  EXPECT_EQ(problem_of_making("file_error"), "table.txt:7:3: error: no such row");
}

TEST(Loader, CallsAnythingElseThatAConstructorThrowsAFaultOfThePlugin) {
  EXPECT_EQ(
      problem_of_making("standard"),
      "x.yaml:3:7: error: plugin 'faulty' 1.2.3 failed while it was made: the sky has fallen\n"
      "  note: this is a fault of the plugin, not of the experiment");
  EXPECT_EQ(problem_of_making("integer"),
            "x.yaml:3:7: error: plugin 'faulty' 1.2.3 failed while it was made: something that is "
            "no exception\n  note: this is a fault of the plugin, not of the experiment");
}

}  // namespace
}  // namespace thimble::loader_test
