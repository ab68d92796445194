#include <bit>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <vector>

#include <sys/resource.h>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/farm/part.hpp>
#include <thimble/farm/shard.hpp>

#include "support/program.hpp"
#include "support/world.hpp"

namespace thimble::shard_test {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ShardTest : public ::testing::Test {
 protected:
  ShardTest() { make_folder(folder_of_shards(run())); }

  const fs::path& run() const { return folder_.path(); }

  /// Values of some candidates, with every kind of number and text.
  static std::vector<StoredValue> values(std::size_t count) {
    Random random{7};
    std::vector<StoredValue> all;
    for (std::size_t i = 0; i < count; ++i) {
      StoredValue stored{"|conv~" + std::to_string(i) + "|", i % 2 == 0 ? "ntk-1" : "snip-2", {}};
      stored.value.value = std::bit_cast<double>(random());
      for (std::size_t k = 0; k < i % 4; ++k)
        stored.value.repeats.push_back(std::bit_cast<double>(random()));
      stored.value.seconds = random.uniform();
      if (i % 5 == 0) stored.value.invalid = "tab\there, \\ and\nanother line";
      all.push_back(stored);
    }
    return all;
  }

  fs::path write_all(const std::vector<StoredValue>& values) const {
    Shard shard{run(), {"part-1", "n1", 12, "abc"}};
    for (const StoredValue& stored : values) {
      EXPECT_FALSE(shard.find(stored.candidate, stored.proxy));
      shard.put(stored.candidate, stored.proxy, stored.value);
    }
    shard.note_done();
    return shards_of(run()).back();
  }

  static ShardReader read(const fs::path& file) {
    ShardReader reader{file};
    reader.read_on();
    return reader;
  }

  testing::TemporaryFolder folder_;
};

TEST_F(ShardTest, GivesBackEveryBitAndWhoWroteIt) {
  auto all = values(200);
  const double odd[] = {std::numeric_limits<double>::quiet_NaN(),
                        -std::numeric_limits<double>::infinity(), -0.0,
                        std::numeric_limits<double>::denorm_min()};
  for (const double value : odd)
    all.push_back(
        {"odd" + std::to_string(all.size()), "ntk-1", {value, {value, 1.0}, 0.5, "", false}});
  const ShardReader shard = read(write_all(all));
  EXPECT_TRUE(shard.is_done());
  EXPECT_TRUE(shard.is_closed());
  EXPECT_THAT(shard.in_flight(), ElementsAre());
  EXPECT_EQ(shard.worker().part, "part-1");
  EXPECT_EQ(shard.worker().node, "n1");
  EXPECT_EQ(shard.worker().process, 12);
  EXPECT_EQ(shard.worker().arithmetic, "abc");
  ASSERT_EQ(shard.values().size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [candidate, proxy, value] = shard.values()[i];
    EXPECT_EQ(candidate, all[i].candidate);
    EXPECT_EQ(proxy, all[i].proxy);
    EXPECT_EQ(std::bit_cast<std::uint64_t>(value.value),
              std::bit_cast<std::uint64_t>(all[i].value.value));
    ASSERT_EQ(value.repeats.size(), all[i].value.repeats.size());
    for (std::size_t k = 0; k < value.repeats.size(); ++k)
      EXPECT_EQ(std::bit_cast<std::uint64_t>(value.repeats[k]),
                std::bit_cast<std::uint64_t>(all[i].value.repeats[k]));
    EXPECT_EQ(value.seconds, all[i].value.seconds);
    EXPECT_EQ(value.invalid, all[i].value.invalid);
  }
}

TEST_F(ShardTest, CutAnywhereItHasTheValuesBeforeAndIsNotDone) {
  const auto all = values(50);
  const fs::path file = write_all(all);
  const std::string text = testing::content(file);
  Random random{3};
  for (int cut = 0; cut < 100; ++cut) {
    std::ofstream{file, std::ios::binary} << text.substr(0, random.below(text.size()));
    const ShardReader shard = read(file);
    EXPECT_FALSE(shard.is_done());
    ASSERT_LE(shard.values().size(), all.size());
    for (std::size_t i = 0; i < shard.values().size(); ++i)
      EXPECT_TRUE(is_same(shard.values()[i].value, all[i].value)) << i;
  }
}

TEST_F(ShardTest, DamagedAnywhereItHasNoWrongValueAndIsNotDone) {
  const auto all = values(50);
  const fs::path file = write_all(all);
  const std::string text = testing::content(file);
  Random random{4};
  for (int flip = 0; flip < 100; ++flip) {
    std::string other = text;
    other[random.below(text.size())] ^= static_cast<char>(1 << random.below(8));
    std::ofstream{file, std::ios::binary} << other;
    const ShardReader shard = read(file);
    EXPECT_FALSE(shard.is_done());
    for (const StoredValue& stored : shard.values()) {
      const auto found = std::ranges::find(all, stored.candidate, &StoredValue::candidate);
      ASSERT_NE(found, all.end());
      EXPECT_TRUE(is_same(stored.value, found->value)) << stored.candidate;
    }
  }
}

/// As a coordinator does while the worker is busy.
TEST_F(ShardTest, IsReadWhileItIsWritten) {
  Shard shard{run(), {"part-1", "n1", 12, ""}};
  ShardReader reader{shards_of(run()).back()};
  reader.read_on();
  EXPECT_EQ(reader.worker().node, "n1");
  EXPECT_FALSE(shard.find("a", "ntk"));
  reader.read_on();
  EXPECT_THAT(reader.in_flight(), ElementsAre("a"));
  shard.put("a", "ntk", {1.5, {1.5}, 0.1, "", false});
  reader.read_on();
  EXPECT_THAT(reader.in_flight(), ElementsAre());
  ASSERT_EQ(reader.values().size(), 1U);
  EXPECT_FALSE(reader.is_closed());
  shard.note_failure("no luck");
  reader.read_on();
  EXPECT_TRUE(reader.is_closed());
  EXPECT_FALSE(reader.is_done());
  EXPECT_EQ(reader.failure(), "no luck");
}

TEST_F(ShardTest, TheNextWorkerKnowsWhatThoseBeforeItDidAndWhatTheRunHad) {
  write_known(run(), {{"known", "ntk", {4, {4}, 1, "", false}}});
  { Shard{run(), {"part-1", "n1", 12, ""}}.put("a", "ntk", {1.5, {1.5}, 0.1, "", false}); }
  { Shard{run(), {"part-10", "n1", 12, ""}}.put("b", "ntk", {2.5, {2.5}, 0.1, "", false}); }
  Shard next{run(), {"part-1", "n1", 12, ""}};  // of a process with the same number
  EXPECT_EQ(next.find("known", "ntk")->value, 4);
  EXPECT_EQ(next.find("a", "ntk")->value, 1.5);
  EXPECT_FALSE(next.find("b", "ntk")) << "another part's";
  EXPECT_EQ(shards_of(run(), "part-1").size(), 2U);
  EXPECT_EQ(shards_of(run()).size(), 3U);
}

TEST_F(ShardTest, SaysWhereNothingCanBeWritten) {
  fs::remove(folder_of_shards(run()));
  std::ofstream{folder_of_shards(run())} << "in the way";
  try {
    Shard shard{run(), {"part-1", "n1", 12, ""}};
    ADD_FAILURE() << "nothing thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("part-1.n1.12.shard': Not a directory"));
    EXPECT_THAT(error.what(), HasSubstr("note: can n1 write into the run's folder?"));
  }
}

/// A limit on the length of files ends writing as a full disk does, in the middle of a line.
TEST_F(ShardTest, AFullDiskCostsWhatDoesNotFitAndIsSaid) {
  const auto all = values(50);
  rlimit before{};
  ::getrlimit(RLIMIT_FSIZE, &before);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{2000, before.rlim_max};
  std::size_t put = 0;
  std::string failure;
  {
    Shard shard{run(), {"part-1", "n1", 12, ""}};
    ::setrlimit(RLIMIT_FSIZE, &small);
    try {
      for (; put < all.size(); ++put) shard.put(all[put].candidate, all[put].proxy, all[put].value);
    } catch (const Error& error) {
      failure = error.what();
    }
    ::setrlimit(RLIMIT_FSIZE, &before);
  }
  std::signal(SIGXFSZ, handler);
  EXPECT_THAT(failure, HasSubstr("cannot write '"));
  EXPECT_THAT(failure, HasSubstr("make room, and go on with run --resume"));
  const ShardReader shard = read(shards_of(run()).back());
  EXPECT_EQ(shard.values().size(), put);
  EXPECT_GT(put, 5U);
  EXPECT_FALSE(shard.is_done());
}

TEST_F(ShardTest, PartsAreReadBackAndChangedOnesAreRefused) {
  const Part part{Part::Kind::training, 2, 17, "0123", {"|a~0|+|b~1|"}};
  write_part(run(), part);
  const Part back = read_part(run(), part.name());
  EXPECT_EQ(back.kind, part.kind);
  EXPECT_EQ(back.point, 2U);
  EXPECT_EQ(back.seed, 17U);
  EXPECT_EQ(back.key, "0123");
  EXPECT_EQ(back.candidates, part.candidates);
  const fs::path file = run() / "farm" / "parts" / (part.name() + ".part");
  const std::string text = testing::content(file);
  std::ofstream{file} << text.substr(0, text.size() - 4);
  EXPECT_THROW(read_part(run(), part.name()), InputError);
  EXPECT_THROW(read_part(run(), "point-001-00"), InputError);
}

}  // namespace
}  // namespace thimble::shard_test
