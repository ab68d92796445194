// Farms. Measured: what a coordinator does, in real files. Simulated, with measured times of
// candidates: how long a sweep takes on 1 to 512 workers that wait in a queue and are killed.

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <queue>
#include <vector>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/farm/farm.hpp>
#include <thimble/run/run.hpp>
#include <thimble/run/store.hpp>

#include "support/world.hpp"

namespace thimble {
namespace {

StoredValue value_at(std::int64_t place) {
  Random random{static_cast<std::uint64_t>(place)};
  StoredValue stored{
      fmt::format("|nor_conv_3x3~0|+|nor_conv_3x3~0|avg_pool_3x3~1|+|none~0|none~1|{}~2|", place),
      "ntk-0123456789abcdef",
      {}};
  stored.value.value = random.uniform();
  stored.value.repeats = {random.uniform(), random.uniform(), random.uniform()};
  stored.value.seconds = 0.1;
  return stored;
}

/// Reads 64 shards with 100,000 values together and puts them into a store.
void merges_shards(benchmark::State& state) {
  constexpr std::int64_t kShards = 64, kValues = 100'000;
  const TemporaryFolder run;
  make_folder(folder_of_shards(run.path()));
  for (std::int64_t shard = 0; shard < kShards; ++shard) {
    Shard file{run.path(), {fmt::format("part-{}", shard), "node", shard, "here"}};
    for (std::int64_t i = shard; i < kValues; i += kShards) {
      const StoredValue stored = value_at(i);
      file.put(stored.candidate, stored.proxy, stored.value);
    }
    file.note_done();
  }
  struct Nobody final : Engine {
    Submission submit(const Array& array) override { return {"1", array.tasks.size()}; }
    bool is_alive(const std::string&) override { return false; }
  } nobody;
  for (auto _ : state) {
    Farm farm{{.run = run.path(), .array = {}}, nobody};
    const TemporaryFolder other;
    SqliteStore store{other.path() / "store.sqlite"};
    store.merge(farm.new_values());
    if (store.size() != kValues) state.SkipWithError("values are missing");
  }
}
BENCHMARK(merges_shards)->Unit(benchmark::kMillisecond);

/// Workers that need no time: what is left is the coordinator's, files and all.
class Instant final : public Engine {
 public:
  explicit Instant(std::filesystem::path run) : run_{std::move(run)} {}
  Submission submit(const Array& array) override {
    for (const auto& task : array.tasks) {
      Shard shard{run_, {task[0], "node", 1, "here"}};
      shard.put(task[0], "ntk", {});
      shard.note_done();
    }
    return {"1", array.tasks.size()};
  }
  bool is_alive(const std::string&) override { return false; }

 private:
  std::filesystem::path run_;
};

void coordinates_parts(benchmark::State& state) {
  for (auto _ : state) {
    const TemporaryFolder run;
    Instant engine{run.path()};
    std::vector<Part> parts;
    for (std::int64_t i = 0; i < state.range(0); ++i)
      parts.push_back({Part::Kind::point, static_cast<std::size_t>(i), 0, "key", {}});
    Farm farm{{.run = run.path(), .array = {}}, engine};
    farm.compute(parts);
    benchmark::DoNotOptimize(farm.new_values());
  }
}
BENCHMARK(coordinates_parts)->Arg(64)->Arg(512)->Arg(4096)->Unit(benchmark::kMillisecond);

/// Seconds, but for the rates.
struct Cluster {
  int workers = 1;
  double queue = 60;          ///< mean wait for the first job of a slot
  double next = 1;            ///< wait of later ones, which follow on the same slot
  double start = 1.3;         ///< of thimble, until it computes
  double node_losses = 0;     ///< an hour and worker; Slurm starts the part again after two minutes
  double process_deaths = 0;  ///< an hour and worker; thimble asks again when nothing runs any more
};

struct Sweep {
  int points = 512;
  int candidates = 500;
};

struct Course {
  double seconds = 0;  ///< until the result
  double lost = 0;     ///< of work that was done and has to be done again
  int rounds = 0;
};

double exponential(Random& random, double mean) { return -mean * std::log1p(-random.uniform()); }

Course simulate(const Cluster& cluster, const Sweep& sweep, const std::vector<double>& measured) {
  Random random{17};
  const auto candidate = [&] { return measured[random.below(measured.size())]; };
  std::vector<double> open(static_cast<std::size_t>(sweep.points));
  for (double& left : open)
    for (int i = 0; i < sweep.candidates; ++i) left += candidate();
  Course course;
  while (!open.empty()) {
    ++course.rounds;
    std::priority_queue<double, std::vector<double>, std::greater<>> free;  // when each slot is
    for (int i = 0; i < cluster.workers; ++i)
      free.push(course.seconds + exponential(random, cluster.queue));
    std::vector<double> again;
    for (double left : open) {
      double now = free.top();
      free.pop();
      for (bool is_over = false; !is_over;) {
        now += cluster.start;
        const double rates[] = {cluster.node_losses, cluster.process_deaths};
        const double total = rates[0] + rates[1];
        const double death = total > 0 ? exponential(random, 3600 / total) : 1e30;
        is_over = death >= left;
        now += std::min(death, left);
        if (is_over) break;
        const double in_flight = random.uniform() * candidate();
        course.lost += in_flight + cluster.start;
        left -= death - in_flight;
        if (random.uniform() * total < rates[0]) {
          now += 120;
        } else {
          again.push_back(left);
          is_over = true;
        }
      }
      course.seconds = std::max(course.seconds, now);
      free.push(now + cluster.next);
    }
    open = std::move(again);
  }
  return course;
}

/// Of candidates of NAS-Bench-201, ntk and linear_regions as experiments/quickstart.yaml has them.
std::vector<double> measured_candidates() {
  PluginLoader loader = testing::plugins();
  const TemporaryFolder folder;
  write_file(folder.path() / "x.yaml",
             "name: x\nsearch_space: {use: nasbench201}\ndataset: {use: synthetic}\n"
             "proxies: [{use: ntk}, {use: linear_regions}]\nobjectives: [{minimize: ntk}]\n"
             "searcher: {use: random, samples: 40}\n");
  RunOptions options;
  options.experiment = folder.path() / "x.yaml";
  options.output = folder.path();
  const auto run = run_experiment(options, loader).folder;
  std::map<std::string, double> seconds;
  for (const StoredValue& stored : SqliteStore{run / "store.sqlite"}.values())
    seconds[stored.candidate] += stored.value.seconds;
  std::vector<double> all;
  for (const auto& [name, time] : seconds) all.push_back(time);
  return all;
}

void simulates_a_sweep(benchmark::State& state) {
  static const std::vector<double> measured = measured_candidates();
  Cluster cluster;
  cluster.workers = static_cast<int>(state.range(0));
  cluster.node_losses = static_cast<double>(state.range(1)) / 1000;
  cluster.process_deaths = static_cast<double>(state.range(2)) / 1000;
  Cluster alone;
  alone.queue = alone.next = 0;
  const Sweep sweep;
  Course course;
  for (auto _ : state) course = simulate(cluster, sweep, measured);
  state.counters["minutes"] = course.seconds / 60;
  state.counters["speedup"] = simulate(alone, sweep, measured).seconds / course.seconds;
  state.counters["rounds"] = course.rounds;
  state.counters["lost_s"] = course.lost;
}
BENCHMARK(simulates_a_sweep)
    ->ArgNames({"workers", "node_losses_1000h", "deaths_1000h"})
    ->ArgsProduct({{1, 8, 64, 512}, {0}, {0}})
    ->ArgsProduct({{8, 64, 512}, {1000}, {0}})
    ->ArgsProduct({{8, 64, 512}, {0}, {1000}})
    ->Iterations(1);

}  // namespace
}  // namespace thimble

BENCHMARK_MAIN();
