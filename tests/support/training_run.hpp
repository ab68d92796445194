#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "support/commands.hpp"
#include "support/world.hpp"

namespace thimble::testing {

inline constexpr const char* kTrainedExperiment = R"(
name: small
search_space: { use: zoo, networks: [cnn_1d] }
dataset: { use: synthetic, channels: 1, height: 128, width: 9, classes: 6, samples: 256, test_samples: 60 }
hardware: { use: analytic, board: nucleo_f746zg }
objectives: [{ minimize: latency_ms }]
searcher: { use: exhaustive }
)";

/// Two seeds of that network, with all that a state has to keep.
inline constexpr const char* kTrain =
    "'train={profile: series, epochs: 6, seeds: [1, 2], validation: 0.1, averaging: 0.9}' ";

class TrainingRun : public ::testing::Test {
 protected:
  TrainingRun() { std::ofstream{here_.path() / "small.yaml"} << kTrainedExperiment; }

  Finished run(const std::string& more) const {
    return thimble_command("run small.yaml --quiet " + more, here_.path());
  }

  /// The folder of a run that went well.
  std::filesystem::path folder(const Finished& finished) const {
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return folder_of(finished);
  }

  /// The last line of a run's output.
  std::filesystem::path folder_of(const Finished& finished) const {
    return here_.path() / last_line(finished);
  }

  /// Everything that trainings left, in one text.
  std::string trained(const std::filesystem::path& folder) const {
    std::string all;
    for (const char* const file :
         {"trained.csv", "history.csv", "weights/1-1.safetensors", "weights/1-2.safetensors"}) {
      EXPECT_TRUE(std::filesystem::exists(folder / file)) << file;
      all += content(folder / file);
    }
    return all;
  }

  TemporaryFolder here_;
};

}  // namespace thimble::testing
