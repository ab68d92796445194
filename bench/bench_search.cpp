// The whole pruning search of TE-NAS's size (54 removals in 3 rounds, 3 repeats of the NTK at batch
// 32 and of linear regions), from the start of the program to its result, on one and two cores, and
// whether both results are the same. Generated images; the work is that of real ones.

#include <chrono>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include <support/program.hpp>
#include <support/world.hpp>

namespace {

constexpr const char* kExperiment = R"(
name: search
seed: 1
search_space: { use: nasbench201 }
dataset: { use: synthetic }
proxies: [{ use: ntk, batch: 32, repeats: 3 }, { use: linear_regions, repeats: 3 }]
hardware: { use: analytic, board: nucleo_f746zg }
objectives: [{ minimize: ntk }, { maximize: linear_regions }, { minimize: latency_ms }]
searcher: { use: pruning }
)";

struct Timed {
  double seconds = 0;
  std::string result;
};

Timed search(const std::filesystem::path& folder, int jobs) {
  const auto start = std::chrono::steady_clock::now();
  const auto finished = thimble::testing::thimble_program(
      fmt::format("run search.yaml --quiet --jobs {} --output jobs{}", jobs, jobs), folder);
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
  const std::string run = finished.output.substr(0, finished.output.find('\n'));
  return {taken.count(), thimble::testing::content(folder / run / "result.yaml")};
}

}  // namespace

int main() {
  const thimble::testing::TemporaryFolder folder;
  std::ofstream{folder.path() / "search.yaml"} << kExperiment;
  const Timed one = search(folder.path(), 1);
  const Timed two = search(folder.path(), 2);
  fmt::print(
      "whole pruning search: {:.1f} s with one job, {:.1f} s with two, ratio {:.2f}; results {}\n",
      one.seconds, two.seconds, one.seconds / two.seconds,
      !one.result.empty() && one.result == two.result ? "equal" : "DIFFERENT");
}
