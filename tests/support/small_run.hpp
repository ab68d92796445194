#pragma once

#include <chrono>
#include <csignal>
#include <fstream>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "support/commands.hpp"
#include "support/world.hpp"

namespace thimble::testing {

inline constexpr const char* kSmallExperiment = R"(
name: small
seed: 5
search_space: { use: nasbench201 }
dataset: { use: synthetic, samples: 512 }
proxies:
  - { use: ntk, batch: 8, repeats: 2 }
  - { use: linear_regions, batch: 100, batches: 2, repeats: 2 }
hardware: { use: analytic, board: nucleo_f746zg }
objectives:
  - { minimize: ntk }
  - { maximize: linear_regions }
  - { minimize: latency_ms, weight: 0.5 }
searcher: { use: pruning }
)";

class Run : public ::testing::Test {
 protected:
  Run() { std::ofstream{here_.path() / "small.yaml"} << kSmallExperiment; }

  /// The result file of a run; the last line of the output is its folder.
  std::string result(const Finished& finished) const {
    EXPECT_EQ(finished.code, 0) << finished.errors;
    return content(here_.path() / last_line(finished) / "result.yaml");
  }

  /// Starts a run and kills it after a while; true when it was still running.
  bool run_and_kill(const std::string& more, std::chrono::milliseconds after) const {
    const Command run{"run small.yaml --quiet " + more, here_.path()};
    std::this_thread::sleep_for(after);
    run.send(SIGKILL);
    return run.wait().code == 128 + SIGKILL;
  }

  TemporaryFolder here_;
};

}  // namespace thimble::testing
