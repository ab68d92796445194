#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/farm/slurm_engine.hpp>

#include "support/world.hpp"

namespace thimble::slurm_engine_test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(SlurmSettings, AreReadStrictlyAndAllThatIsWrongIsSaid) {
  const testing::TemporaryFolder folder;
  const auto file = folder.path() / "engine.yaml";
  write_file(file,
             "partition: long\ntime: 1-12\ncpus: 4\nmemory: 8G\n"
             "setup: [module load gcc, export A=1]\noptions: ['--qos=high']\n");
  const SlurmSettings settings = read_slurm_settings(file);
  EXPECT_EQ(settings.partition, "long");
  EXPECT_EQ(settings.cpus, 4);
  EXPECT_THAT(settings.setup, ElementsAre("module load gcc", "export A=1"));
  EXPECT_THAT(settings.options, ElementsAre("--qos=high"));
  write_file(file, "partion: long\ncpus: 0\n");
  try {
    read_slurm_settings(file);
    ADD_FAILURE() << "nothing thrown";
  } catch (const InputError& error) {
    EXPECT_THAT(
        error.what(),
        AllOf(HasSubstr("engine.yaml:1:1: error: unknown key 'partion' for the engine file; "
                        "did you mean 'partition'?"),
              HasSubstr("engine.yaml:2:7: error: 'cpus'")));
  }
  write_file(file, "- long\n");
  EXPECT_THROW(read_slurm_settings(file), InputError);
  EXPECT_THROW(read_slurm_settings(folder.path() / "none.yaml"), InputError);
}

TEST(SlurmSettings, UnderstandsEveryFormOfALimit) {
  const std::pair<const char*, std::int64_t> forms[] = {{"90", 5400},         {"1:30", 90},
                                                        {"2:00:01", 7201},    {"1-12", 129'600},
                                                        {"1-12:30", 131'400}, {"0-0:0:5", 5}};
  for (const auto& [text, seconds] : forms) EXPECT_EQ(slurm_seconds(text), seconds) << text;
  for (const char* const text : {"", "UNLIMITED", "1:2:3:4", "x-1", "1h", "99999999999999999999"})
    EXPECT_FALSE(slurm_seconds(text)) << text;
}

TEST(SlurmSettings, CountsTheCoresOfAnAllocation) {
  for (const auto& [text, cpus] : {std::pair{"4", 4}, {"2(x3)", 6}, {"4(x2),2", 10}})
    EXPECT_EQ(slurm_cpus(text), cpus) << text;
  for (const char* const text : {"", "x", "4(x2", "4(x)", "0", "-1(x2)", "4,"})
    EXPECT_FALSE(slurm_cpus(text)) << text;
}

}  // namespace
}  // namespace thimble::slurm_engine_test
