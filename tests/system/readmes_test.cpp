// The parameter tables in the plugins' READMEs are what the plugins say.

#include <filesystem>
#include <map>
#include <string>

#include <gtest/gtest.h>

#include <support/commands.hpp>

namespace thimble::readmes_test {
namespace {

TEST(Readmes, ShowTheParametersThatPluginsHave) {
  const std::string begin = "<!-- parameters -->\n";
  int tables = 0;
  for (const auto& [folder, kind] :
       std::map<std::string, std::string>{{"proxies", "proxy"},
                                          {"searchspaces", "searchspace"},
                                          {"searchers", "searcher"},
                                          {"hardware", "hardware"},
                                          {"datasets", "dataset"}})
    for (const auto& plugin : std::filesystem::directory_iterator{
             std::filesystem::path{THIMBLE_TEST_SOURCE} / "plugins" / folder}) {
      if (!plugin.is_directory()) continue;
      const std::string text = testing::content(plugin.path() / "README.md");
      const auto at = text.find(begin);
      if (at == std::string::npos) continue;
      const auto table = at + begin.size();
      const std::string name = plugin.path().filename().string();
      EXPECT_EQ(text.substr(table, text.find("<!-- /parameters -->", table) - table),
                testing::thimble_command("show " + kind + "/" + name + " --markdown").output)
          << name << ": run scripts/update-readmes";
      ++tables;
    }
  EXPECT_GT(tables, 30) << "most plugins have one";
}

}  // namespace
}  // namespace thimble::readmes_test
