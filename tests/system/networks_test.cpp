// Whole networks: generated C computes bit for bit what the reference does, layer by layer in a
// poisoned arena, on this machine and on every core.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/comparison.hpp"
#include "support/mlperf_tiny.hpp"
#include "support/on_core.hpp"
#include "support/random_networks.hpp"

namespace thimble::networks_test {
namespace {

constexpr int kCells = 100;
constexpr int kCellsOfProgram = 50;  ///< their layers' outputs must fit the smallest machine

/// Programs of some networks each; made once, since the reference takes its time.
const std::vector<test::Comparison>& programs() {
  static const auto all = [] {
    std::vector<test::Comparison> made;
    test::Int8Runs runs;
    const auto add_program = [&] {
      test::Comparison& program = made.emplace_back();
      for (std::size_t i = 0; i < runs.networks.size(); ++i)
        program.add(runs.networks[i], runs.inputs[i]);
      runs = {};
    };
    for (int i = 0; i < kCells; ++i) {
      const int channels = 2 + i % 7;
      runs.add(test::random_cell(static_cast<std::uint64_t>(i), channels, 8 + 4 * (i % 2)),
               fmt::format("cell{}", i));
      if ((i + 1) % kCellsOfProgram == 0) add_program();
    }
    for (const auto& network : test::mlperf_tiny()) runs.add(network.graph, network.name);
    add_program();
    return made;
  }();
  return all;
}

class NetworksOnHost : public ::testing::TestWithParam<std::string> {};

TEST_P(NetworksOnHost, ComputeWhatTheReferenceDoes) {
  for (const test::Comparison& program : programs()) program.expect_equal(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Paths, NetworksOnHost, ::testing::Values(test::kPortable, test::kDsp),
                         [](const auto& path) { return path.param.empty() ? "Portable" : "Dsp"; });

using NetworksOnCore = test::OnCore;

TEST_P(NetworksOnCore, ComputeWhatTheReferenceDoes) {
  for (const test::Comparison& program : programs()) program.expect_equal(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cores, NetworksOnCore, ::testing::ValuesIn(kCores), test::core_name);

constexpr std::uint64_t kGraphsOfProgram = 40;

/// The graphs that integers at the speed of float are compared with the reference on: any operators
/// in any order, of odd sizes.
const std::vector<test::Comparison>& programs_of_any_graphs() {
  static const auto all = [] {
    std::vector<test::Comparison> made;
    for (std::uint64_t seed = 0; seed < test::drawn_count(200); ++seed) {
      if (seed % kGraphsOfProgram == 0) made.emplace_back();
      Int8Network network = test::any_network(seed);
      network.name = fmt::format("any{}", seed);
      made.back().add(network, test::input_of(network, seed));
    }
    return made;
  }();
  return all;
}

/// Every program takes one way on this machine and one core; the ways take turns.
TEST(AnyGraphsOnHost, ComputeWhatTheReferenceDoes) {
  const auto& programs = programs_of_any_graphs();
  for (std::size_t i = 0; i < programs.size(); ++i)
    programs[i].expect_equal(i % 2 == 0 ? test::kPortable : test::kDsp);
}

using AnyGraphsOnCore = test::OnCore;

TEST_P(AnyGraphsOnCore, ComputeWhatTheReferenceDoes) {
  const auto& programs = programs_of_any_graphs();
  const auto turn =
      static_cast<std::size_t>(std::ranges::find(kCores, GetParam()) - kCores.begin());
  for (std::size_t i = turn; i < programs.size(); i += kCores.size())
    programs[i].expect_equal(GetParam());
}

INSTANTIATE_TEST_SUITE_P(Cores, AnyGraphsOnCore, ::testing::ValuesIn(kCores), test::core_name);

}  // namespace
}  // namespace thimble::networks_test
