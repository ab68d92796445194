// What the kernel itself takes, one thread: the costs of all 15,625 cells of NAS-Bench-201, the
// way from a genotype to its scores with a proxy that does nothing, and the start of the program.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include <fmt/format.h>

#include <support/world.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/run/store.hpp>
#include <thimble/search/scoring.hpp>

namespace {

using namespace thimble;  // NOLINT(google-build-using-namespace): a program of its own

class Nothing final : public Proxy {
 public:
  Direction direction() const override { return Direction::maximize; }
  Pass pass() const override { return Pass{}; }
  double score(Observation&) const override { return 1; }
};

template <class Work>
double seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

template <class Work>
double best_of(int runs, const Work& work) {
  double best = seconds(work);
  for (int i = 1; i < runs; ++i) best = std::min(best, seconds(work));
  return best;
}

struct Bench {
  PluginLoader loader = thimble::testing::plugins();
  std::unique_ptr<SearchSpace> space = thimble::testing::make<SearchSpace>(loader, "nasbench201");
  std::unique_ptr<SearchSpace> narrow =
      thimble::testing::make<SearchSpace>(loader, "nasbench201", "{channels: 3, cells: 1}");
  std::unique_ptr<Hardware> board =
      thimble::testing::make<Hardware>(loader, "analytic", "{board: nucleo_f746zg}");
  std::unique_ptr<Dataset> images = thimble::testing::make<Dataset>(loader, "synthetic");
  std::unique_ptr<Proxy> ntk = thimble::testing::make<Proxy>(loader, "ntk", "{repeats: 1}");
  Nothing nothing;

  void all_costs() {
    ScoringSetup setup;
    setup.space = space.get();
    setup.hardware = board.get();
    const Scoring scoring{setup};
    const auto decisions = space->decisions();
    double sum = 0;
    const double taken = best_of(3, [&] {
      for (std::uint64_t i = 0; i < 15625; ++i) {
        const Evaluation cell = scoring.cost(genotype_at(decisions, i));
        if (cell.has_cost) sum += cell.cost.latency_ms.value;
      }
    });
    fmt::print(
        "MACs, parameters, latency, RAM, ROM of 15,625 cells   {:.3f} s ({:.1f} us a cell; "
        "checksum {:.6g})\n",
        taken, taken / 15625 * 1e6, sum);
  }

  double per_candidate(const Proxy& proxy, std::int64_t count, ProxyStore& store) {
    ScoringSetup setup;
    setup.space = space.get();
    setup.hardware = board.get();
    setup.dataset = images.get();
    setup.store = &store;
    setup.proxies = {{"p", "p" + std::to_string(count), &proxy, narrow.get()}};
    setup.objectives = {{"p", proxy.direction(), 1}};
    Scoring scoring{setup};
    Random random{1};
    std::vector<Genotype> genotypes;
    for (std::int64_t i = 0; i < count; ++i)
      genotypes.push_back(random_genotype(space->decisions(), random));
    scoring.evaluate(std::span{genotypes}.first(1));  // draws the batch, reads the canonical forms
    return seconds([&] { scoring.evaluate(genotypes); }) / static_cast<double>(count);
  }

  void overhead() {
    const thimble::testing::TemporaryFolder folder;
    SqliteStore store{folder.path() / "store.sqlite"};
    const double own = per_candidate(nothing, 2000, store);
    const double with_ntk = per_candidate(*ntk, 100, store);
    fmt::print("kernel's own time a candidate {:.3f} ms, with one NTK {:.1f} ms: {:.2f} %\n",
               own * 1e3, with_ntk * 1e3, 100 * own / (with_ntk - own));
  }
};

void start_up() {
  const thimble::testing::TemporaryFolder folder;
  const std::string experiment = (folder.path() / "start.yaml").string();
  FILE* const file = std::fopen(experiment.c_str(), "w");
  fmt::print(file,
             "name: start\nsearch_space: {{use: nasbench201}}\ndataset: {{use: synthetic}}\n"
             "proxies: [{{use: ntk, batch: 2, repeats: 1}}]\nhardware: {{use: analytic}}\n");
  std::fclose(file);
  const std::string command = fmt::format(
      "'{}' score '{}' --jobs 1 --arch "
      "'|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|' >/dev/null",
      THIMBLE_TEST_PROGRAM, experiment);
  const double taken = best_of(7, [&] {
    if (std::system(command.c_str()) != 0) fmt::print("the program failed\n");
  });
  fmt::print("from process start to the first evaluation and exit    {:.3f} s\n", taken);
}

}  // namespace

int main() {
  use_single_threaded_math();
  Bench bench;
  bench.all_costs();
  bench.overhead();
  start_up();
}
