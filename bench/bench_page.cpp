// Writing the page of a run: 2,000 cells of NAS-Bench-201 with eight numbers each, 40 of them with
// layers and memory plans. bench/page_times.mjs has the browser's side of it.

#include <benchmark/benchmark.h>

#include <thimble/core/files.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/page/run_page.hpp>
#include <thimble/run/run.hpp>

#include "support/world.hpp"

namespace thimble {
namespace {

constexpr const char* kExperiment = R"(
name: page
seed: 1
search_space: {use: nasbench201}
hardware: {use: table, board: nucleo_f746zg, on_miss: fit}
objectives: [{minimize: latency_ms}, {minimize: ram_bytes}, {minimize: rom_bytes}]
searcher: {use: random, samples: 2000}
select: {k: 5}
)";

struct MadeRun {
  TemporaryFolder folder;
  PluginLoader loader = testing::plugins();
  std::filesystem::path run;
  LoadedExperiment experiment;

  MadeRun() {
    const auto file = folder.path() / "page.yaml";
    write_file(file, kExperiment);
    RunOptions options;
    options.experiment = file;
    options.output = folder.path() / "runs";
    run = run_experiment(options, loader).folder;
    experiment = load_experiment(file, {}, loader);
  }
};

void writes_a_page(benchmark::State& state) {
  static const MadeRun made;
  for (auto _ : state) write_page(made.run, made.experiment.studies);
  state.counters["bytes"] = static_cast<double>(std::filesystem::file_size(made.run / kPageFile));
}
BENCHMARK(writes_a_page)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace thimble

BENCHMARK_MAIN();
