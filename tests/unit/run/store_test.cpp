#include <bit>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <thread>
#include <vector>

#include <sys/resource.h>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/run/store.hpp>

#include "support/world.hpp"

namespace thimble::store_test {
namespace {

class StoreTest : public ::testing::Test {
 protected:
  std::filesystem::path file() const { return folder_.path() / "store.sqlite"; }
  testing::TemporaryFolder folder_;
};

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

TEST_F(StoreTest, GivesBackExactDoublesAfterReopening) {
  Random random{1};
  std::vector<double> values{0.0,
                             -0.0,
                             0.1,
                             std::numeric_limits<double>::denorm_min(),
                             std::numeric_limits<double>::max(),
                             std::nextafter(1.0, 2.0)};
  for (int i = 0; i < 200; ++i)
    values.push_back(std::ldexp(random.normal(), static_cast<int>(random.below(600)) - 300));
  {
    SqliteStore store{file()};
    for (std::size_t i = 0; i < values.size(); ++i)
      store.put("candidate " + std::to_string(i), "ntk",
                {values[i], {values[i], -values[i]}, 0.25, ""});
  }
  SqliteStore store{file()};
  EXPECT_EQ(store.size(), static_cast<std::int64_t>(values.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto found = store.find("candidate " + std::to_string(i), "ntk");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->value, values[i]);
    ASSERT_EQ(found->repeats.size(), 2U);
    EXPECT_EQ(bits(found->repeats[0]), bits(values[i]));
    EXPECT_EQ(bits(found->repeats[1]), bits(-values[i]));
    EXPECT_EQ(found->seconds, 0.25);
    EXPECT_EQ(found->invalid, "");
  }
}

TEST_F(StoreTest, KeepsWhyThereIsNoValue) {
  {
    SqliteStore store{file()};
    store.put("a", "ntk",
              {kNotANumber, {1.5, kNotANumber, INFINITY}, 2, "the kernel's 'rank' is 0"});
  }
  const auto found = SqliteStore{file()}.find("a", "ntk");
  ASSERT_TRUE(found);
  EXPECT_TRUE(std::isnan(found->value));
  ASSERT_EQ(found->repeats.size(), 3U);
  EXPECT_EQ(found->repeats[0], 1.5);
  EXPECT_TRUE(std::isnan(found->repeats[1]));
  EXPECT_FALSE(std::isfinite(found->repeats[2]));
  EXPECT_EQ(found->invalid, "the kernel's 'rank' is 0");
}

TEST_F(StoreTest, KnowsCandidatesAndProxiesApart) {
  SqliteStore store{file()};
  store.put("a", "ntk", {1, {}, 0, ""});
  store.put("a", "naswot", {2, {}, 0, ""});
  store.put("|none~0|+'; DROP TABLE proxy_values", "ntk", {3, {}, 0, ""});
  EXPECT_EQ(store.find("a", "ntk")->value, 1);
  EXPECT_EQ(store.find("a", "naswot")->value, 2);
  EXPECT_EQ(store.find("|none~0|+'; DROP TABLE proxy_values", "ntk")->value, 3);
  EXPECT_TRUE(store.find("a", "ntk")->repeats.empty());
  EXPECT_FALSE(store.find("b", "ntk"));
  EXPECT_FALSE(store.find("A", "ntk"));
  store.put("a", "ntk", {4, {}, 0, ""});
  EXPECT_EQ(store.find("a", "ntk")->value, 4) << "the later value stands";
  EXPECT_EQ(store.size(), 3);
}

TEST_F(StoreTest, ServesManyThreadsAtOnce) {
  SqliteStore store{file()};
  constexpr int kThreads = 8, kEach = 50;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&store, t] {
      for (int i = 0; i < kEach; ++i) {
        const std::string own = std::to_string(t) + "-" + std::to_string(i);
        store.put(own, "p", {static_cast<double>(t * kEach + i), {}, 0, ""});
        store.put("shared " + std::to_string(i), "p", {static_cast<double>(i), {}, 0, ""});
        EXPECT_EQ(store.find(own, "p")->value, t * kEach + i);
      }
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(store.size(), kThreads * kEach + kEach);
  for (int i = 0; i < kEach; ++i)
    EXPECT_EQ(store.find("shared " + std::to_string(i), "p")->value, i);
}

TEST_F(StoreTest, RefusesAFileThatIsNone) {
  std::ofstream{file()} << std::string(4096, 'x');
  EXPECT_THROW(SqliteStore{file()}, Error);
  EXPECT_THROW(SqliteStore{folder_.path() / "missing" / "store.sqlite"}, Error);
}

/// What is said when the store is opened; empty when it can be.
std::string problem_of(const std::filesystem::path& file) {
  try {
    const SqliteStore store{file};
  } catch (const Error& error) {
    return to_string(error.diagnostics().front());
  }
  return "";
}

/// The file, as another program holds it.
class OtherProgram {
 public:
  explicit OtherProgram(const std::filesystem::path& file) {
    EXPECT_EQ(sqlite3_open(file.c_str(), &handle_), SQLITE_OK);
  }
  ~OtherProgram() { sqlite3_close(handle_); }
  OtherProgram(const OtherProgram&) = delete;
  OtherProgram& operator=(const OtherProgram&) = delete;

  void execute(const char* sql) {
    EXPECT_EQ(sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sql;
  }

 private:
  sqlite3* handle_ = nullptr;
};

TEST_F(StoreTest, SaysWhenAnotherProcessHoldsIt) {
  SqliteStore store{file()};
  OtherProgram other{file()};
  other.execute("BEGIN IMMEDIATE");
  try {
    store.put("a", "p", {1, {}, 0, {}});
    FAIL() << "it was written";
  } catch (const Error& error) {
    EXPECT_NE(error.diagnostics().front().note.find("another process holds it"), std::string::npos)
        << error.diagnostics().front().note;
  }
  other.execute("COMMIT");
  store.put("a", "p", {1, {}, 0, {}});
  EXPECT_EQ(store.find("a", "p")->value, 1);
}

/// What SQLite shares among processes needs 32 KiB before there is any value.
TEST_F(StoreTest, SaysThatTheDiskIsFull) {
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{16384, before.rlim_max};
  auto* const handler = std::signal(SIGXFSZ, SIG_IGN);
  ::setrlimit(RLIMIT_FSIZE, &small);
  const std::string problem = problem_of(file());
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(problem.find("the disk is full"), std::string::npos) << problem;
}

TEST_F(StoreTest, RefusesTheStoreOfANewerProgram) {
  EXPECT_EQ(problem_of(file()), "");
  OtherProgram{file()}.execute("PRAGMA user_version = 2");
  EXPECT_NE(problem_of(file()).find("version 2, this thimble knows 1"), std::string::npos)
      << problem_of(file());
}

}  // namespace
}  // namespace thimble::store_test
