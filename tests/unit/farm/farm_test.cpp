// How parts come to be done, with an engine whose workers do what a test says.

#include <functional>
#include <map>
#include <set>
#include <vector>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/farm/farm.hpp>

#include "support/program.hpp"
#include "support/world.hpp"

namespace thimble::farm_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Each part's worker is a function, called when its array is submitted.
class ScriptedEngine final : public Engine {
 public:
  using Work = std::function<void(const std::string& part, int attempt)>;
  explicit ScriptedEngine(Work work) : work_{std::move(work)} {}

  Submission submit(const Array& array) override {
    if (array.tasks.size() > most) {
      Array first = array;
      first.tasks.resize(most);
      return submit(first);
    }
    if (refuses) refuses();
    for (const auto& task : array.tasks)
      for (const std::string& part : task) {
        work_(part, ++attempts[part]);
        if (dies_behind(part)) break;
      }
    arrays.push_back(array.tasks);
    return {std::to_string(arrays.size()), array.tasks.size()};
  }
  bool is_alive(const std::string& id) override { return alive.contains(id) && was_asked(id); }

  std::map<std::string, int> attempts;
  std::vector<std::vector<std::vector<std::string>>> arrays;
  std::function<bool(const std::string&)> dies_behind = [](const std::string&) { return false; };
  std::set<std::string> alive;
  std::size_t most = 1000;
  std::function<void()> refuses;
  std::function<void()> asked = [] {};

 private:
  bool was_asked(const std::string&) {
    asked();
    return true;
  }
  Work work_;
};

class FarmTest : public ::testing::Test {
 protected:
  static Part part(std::size_t point) { return {Part::Kind::point, point, 0, "key", {}}; }

  FarmOrder order() const {
    FarmOrder order;
    order.run = folder_.path();
    order.array.program = "/opt/thimble";
    return order;
  }

  Shard shard(const std::string& part, const std::string& node = "n1") const {
    return Shard{folder_.path(), {part, node, next_++, "here"}};
  }
  static ProxyValue value(double number) { return {number, {number}, 0.1, "", false}; }

  std::string failure_of(ScriptedEngine& engine, const std::vector<Part>& parts) const {
    try {
      Farm{order(), engine}.compute(parts);
    } catch (const Error& error) {
      return error.what();
    }
    ADD_FAILURE() << "nothing thrown";
    return "";
  }

  testing::TemporaryFolder folder_;
  mutable std::int64_t next_ = 100;
};

TEST_F(FarmTest, AsksAgainForWhatIsMissingWhileThereIsProgress) {
  ScriptedEngine engine{[&](const std::string& part, int attempt) {
    auto own = shard(part);
    const bool is_second = part == this->part(1).name();
    own.put("a" + std::to_string(attempt), part, value(attempt));
    if (!is_second || attempt == 6) own.note_done();  // else it is killed
  }};
  Farm farm{order(), engine};
  farm.compute({part(0), part(1), part(2)});
  EXPECT_THAT(engine.attempts, ::testing::UnorderedElementsAre(std::pair{part(0).name(), 1},
                                                               std::pair{part(1).name(), 6},
                                                               std::pair{part(2).name(), 1}));
  EXPECT_EQ(farm.new_values().size(), 8U);
  EXPECT_TRUE(farm.new_values().empty());
  // Who begins again finds all of it done.
  Farm{order(), engine}.compute({part(0), part(1), part(2)});
  EXPECT_EQ(engine.arrays.size(), 6U);
}

TEST_F(FarmTest, NamesTheCandidateThatKillsThreeWorkersAndDoesTheOthers) {
  ScriptedEngine engine{[&](const std::string& part, int attempt) {
    auto own = shard(part, "n" + std::to_string(attempt));
    write_file(
        folder_.path() / "farm" / "logs" / (std::to_string(engine.arrays.size() + 1) + "_0.log"),
        "loading\nAborted\n");
    own.put("good" + std::to_string(attempt), "p", value(attempt));
    if (part != this->part(0).name()) return own.note_done();
    own.find("deadly", "p");
    const std::string last = Shard::death_line(SIGABRT);
    ASSERT_EQ(::write(own.descriptor(), last.data(), last.size()),
              static_cast<ssize_t>(last.size()));
  }};
  EXPECT_THAT(failure_of(engine, {part(0), part(1)}),
              AllOf(HasSubstr("part '" + part(0).name() +
                              "' cannot be computed: at candidate "
                              "'deadly' worker after worker dies: signal 6, Aborted on n3"),
                    HasSubstr("3_0.log' ends with\n    loading\n    Aborted")));
  EXPECT_EQ(engine.attempts[part(0).name()], 3);
  EXPECT_EQ(engine.attempts[part(1).name()], 1);
}

TEST_F(FarmTest, SplitsWhatAnEngineDoesNotTakeAtOnce) {
  ScriptedEngine engine{[&](const std::string& part, int) { shard(part).note_done(); }};
  engine.most = 5;
  std::vector<Part> parts;
  for (std::size_t i = 0; i < 23; ++i) parts.push_back(part(i));
  Farm{order(), engine}.compute(parts);
  ASSERT_EQ(engine.arrays.size(), 5U);
  EXPECT_EQ(engine.arrays[4].size(), 3U);
  EXPECT_EQ(engine.attempts.size(), 23U);
}

/// A start of thimble costs a second.
TEST_F(FarmTest, GivesAProcessSeveralPartsWhereThereAreMany) {
  ScriptedEngine engine{[&](const std::string& part, int) { shard(part).note_done(); }};
  std::vector<Part> parts;
  for (std::size_t i = 0; i < 100; ++i) parts.push_back(part(i));
  FarmOrder two = order();
  two.array.at_once = 2;
  Farm{two, engine}.compute(parts);
  ASSERT_EQ(engine.arrays.size(), 1U);
  EXPECT_EQ(engine.arrays[0].size(), 17U) << "of 6 each";
  EXPECT_EQ(engine.attempts.size(), 100U);
}

/// What comes behind a part that kills its process has not had its turn.
TEST_F(FarmTest, PartsBehindADeadlyOneAreNotBlamed) {
  std::vector<Part> parts;
  for (std::size_t i = 0; i < 48; ++i) parts.push_back(part(i));
  const std::string deadly = parts[0].name();
  ScriptedEngine engine{[&](const std::string& part, int) {
    auto own = shard(part);
    if (part == deadly)
      own.find("net", "p");
    else
      own.note_done();
  }};
  engine.dies_behind = [&](const std::string& part) { return part == deadly; };
  FarmOrder two = order();
  two.array.at_once = 2;
  std::string failure;
  try {
    Farm{two, engine}.compute(parts);
  } catch (const Error& error) {
    failure = error.what();
  }
  EXPECT_THAT(failure, HasSubstr("at candidate 'net'"));
  EXPECT_THAT(failure, ::testing::Not(HasSubstr(parts[1].name())));
  EXPECT_EQ(states_of_parts(folder_.path()).size(), 48U);
  for (const PartState& state : states_of_parts(folder_.path()))
    EXPECT_EQ(state.is_done, state.part != deadly) << state.part;
}

/// As at a limit on jobs: what was taken goes on, and makes room.
TEST_F(FarmTest, WhatIsRefusedBehindOthersWaitsForThem) {
  ScriptedEngine engine{[&](const std::string& part, int) { shard(part).note_done(); }};
  engine.most = 2;
  int asked = 0;
  engine.refuses = [&] {
    if (++asked == 2) throw InputError{"too many jobs"};
  };
  std::vector<std::string> said;
  FarmOrder waiting = order();
  waiting.say = [&](const std::string& line) { said.push_back(line); };
  Farm{waiting, engine}.compute({part(0), part(1), part(2)});
  EXPECT_EQ(engine.attempts.size(), 3U);
  EXPECT_THAT(said, ElementsAre("1 parts wait for the others: too many jobs"));
  engine.refuses = [] { throw InputError{"no such partition"}; };
  EXPECT_THROW((Farm{order(), engine}.compute({part(7)})), InputError);
}

TEST_F(FarmTest, ThreadsThatWentOnAreNotBlamed) {
  ScriptedEngine engine{[&](const std::string& part, int attempt) {
    auto own = shard(part);
    own.find("left out for want of memory", "p");  // which is not stored
    own.find("busy" + std::to_string(attempt), "p");
    own.put("good" + std::to_string(attempt), "p", value(attempt));
    if (attempt == 6) own.note_done();
  }};
  Farm{order(), engine}.compute({part(0)});
  EXPECT_EQ(engine.attempts[part(0).name()], 6);
}

TEST_F(FarmTest, StopsAtTheSecondAttemptThatBringsNothing) {
  ScriptedEngine idle{[](const std::string&, int) {}};
  EXPECT_THAT(failure_of(idle, {part(0)}),
              AllOf(HasSubstr("no worker of it has begun"),
                    HasSubstr("2_0.log' is empty; can nodes run '/opt/thimble' and write into '")));
  ScriptedEngine failing{
      [&](const std::string& part, int) { shard(part, "n2").note_failure("no room on the disk"); }};
  EXPECT_THAT(failure_of(failing, {part(1)}), HasSubstr("no room on the disk (on n2)"));
  EXPECT_EQ(failing.attempts[part(1).name()], 2);
}

TEST_F(FarmTest, ATrainingThatIsKilledWhereItStoppedBeforeLeadsNowhere) {
  const Part training{Part::Kind::training, 0, 1, "key", {"net"}};
  ScriptedEngine engine{[&](const std::string& part, int attempt) {
    auto own = shard(part);
    for (int epoch = 1; epoch <= std::min(attempt, 3); ++epoch) own.note_step(epoch);
  }};
  EXPECT_THAT(failure_of(engine, {training}),
              HasSubstr("its worker after worker dies: killed from outside, or its node was lost"));
  EXPECT_EQ(engine.attempts[training.name()], 5);
}

TEST_F(FarmTest, NamesBothWorkersThatDiffer) {
  ScriptedEngine engine{[&](const std::string& part, int) {
    const bool is_first = part == this->part(0).name();
    auto own = shard(part, is_first ? "old" : "new");
    own.put("shared", "p", value(1));
    own.put("net", "p", value(is_first ? 2 : 3));
    own.note_done();
  }};
  Farm farm{order(), engine};
  farm.compute({part(0), part(1)});
  try {
    farm.new_values();
    ADD_FAILURE() << "nothing thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("two workers differ about candidate 'net'"),
                      HasSubstr("2 of process 100 on old (here)"),
                      HasSubstr("3 of process 101 on new (here)"), HasSubstr("farm/shards'")));
  }
}

/// A coordinator that was killed left an array at work.
TEST_F(FarmTest, WaitsForTheArraysOfTheCoordinatorBeforeIt) {
  ScriptedEngine engine{[](const std::string&, int) { ADD_FAILURE() << "submitted again"; }};
  make_folder(folder_of_shards(folder_.path()));
  write_file(folder_.path() / "farm" / "arrays.txt", "17\n");
  engine.alive = {"17"};
  int asked = 0;
  engine.asked = [&] {
    if (++asked == 3) shard(part(0).name()).note_done();
  };
  Farm{order(), engine}.compute({part(0)});
  EXPECT_EQ(asked, 3);
}

TEST_F(FarmTest, StopsWhenAskedToAndLeavesTheArraysToWhoComesBack) {
  ScriptedEngine engine{[](const std::string&, int) {}};
  engine.alive = {"1"};
  engine.asked = [] { request_stop(); };
  EXPECT_THROW((Farm{order(), engine}.compute({part(0)})), Interrupted);
  withdraw_stop();
  EXPECT_THAT(submitted_arrays(folder_.path()), ElementsAre("1"));
}

}  // namespace
}  // namespace thimble::farm_test
