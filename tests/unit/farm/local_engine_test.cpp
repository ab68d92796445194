#include <chrono>
#include <thread>

#include <gmock/gmock.h>

#include <thimble/core/files.hpp>
#include <thimble/farm/local_engine.hpp>

#include "support/program.hpp"
#include "support/world.hpp"

namespace thimble::local_engine_test {
namespace {

using namespace std::chrono_literals;
using testing::content;

class LocalEngineTest : public ::testing::Test {
 protected:
  LocalEngineTest() { make_folder(folder_.path() / "logs"); }

  /// A shell that runs `line` with the names of a task's parts.
  Array array(const std::string& line, std::vector<std::vector<std::string>> tasks) const {
    Array array;
    array.program = "/bin/sh";
    array.arguments = {"-c", line, "sh"};
    array.folder = folder_.path();
    array.logs = folder_.path() / "logs";
    array.tasks = std::move(tasks);
    return array;
  }

  static void wait_for(LocalEngine& engine, const std::string& id) {
    while (engine.is_alive(id)) std::this_thread::sleep_for(5ms);
  }

  testing::TemporaryFolder folder_;
};

TEST_F(LocalEngineTest, RunsEveryTaskAndKeepsWhatItSays) {
  LocalEngine engine{2};
  const auto [id, tasks] =
      engine.submit(array("echo done: \"$@\"; touch \"$1\"; exit 3", {{"a"}, {"b", "c"}, {"d"}}));
  EXPECT_EQ(tasks, 3U);
  wait_for(engine, id);
  for (const char* const name : {"a", "b", "d"})
    EXPECT_TRUE(std::filesystem::exists(folder_.path() / name)) << name;
  EXPECT_EQ(content(folder_.path() / "logs" / (id + "_1.log")), "done: b c\n");
}

TEST_F(LocalEngineTest, HasItsProcessesStartedByALauncher) {
  LocalEngine engine{1, {"/usr/bin/env", "LAUNCHED=yes"}};
  const auto [id, tasks] = engine.submit(array("echo $LAUNCHED \"$1\"", {{"a"}}));
  wait_for(engine, id);
  EXPECT_EQ(content(folder_.path() / "logs" / (id + "_0.log")), "yes a\n");
}

TEST_F(LocalEngineTest, RunsSoManyAtATime) {
  LocalEngine engine{2};
  const auto id = engine
                      .submit(array("touch \"$1\"; while [ ! -e go ]; do sleep 0.02; done",
                                    {{"a"}, {"b"}, {"c"}}))
                      .id;
  const auto there = [&](const char* name) {
    return std::filesystem::exists(folder_.path() / name);
  };
  while (!there("a") || !there("b")) std::this_thread::sleep_for(5ms);
  std::this_thread::sleep_for(100ms);
  EXPECT_FALSE(there("c"));
  EXPECT_TRUE(engine.is_alive(id));
  write_file(folder_.path() / "go", "");
  wait_for(engine, id);
  EXPECT_TRUE(there("c"));
}

TEST_F(LocalEngineTest, KillsWhatIsLeft) {
  const auto start = std::chrono::steady_clock::now();
  {
    LocalEngine engine{1};
    engine.submit(array("sleep 60", {{"a"}, {"b"}}));
    engine.submit(array("sleep 60", {{"c"}}));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, 20s);
}

TEST_F(LocalEngineTest, SaysInTheLogWhatCannotBeStarted) {
  LocalEngine engine{1};
  Array missing = array("", {{"a"}});
  missing.program = folder_.path() / "nothing";
  const auto id = engine.submit(missing).id;
  wait_for(engine, id);
  EXPECT_THAT(content(folder_.path() / "logs" / (id + "_0.log")),
              ::testing::HasSubstr("cannot start '"));
  EXPECT_FALSE(engine.is_alive("local1-1")) << "of a process before this one";
}

}  // namespace
}  // namespace thimble::local_engine_test
