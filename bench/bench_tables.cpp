// What the cost of a network takes from a warm look-up table, one thread: the sum over its
// operators alone, with the memory plan, and from the graph as a search has it. And what on_miss:
// fit is worth: by kind of operator, the error of each row of a shipped table by a fit to all
// others.

#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include <support/world.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/op_fit.hpp>
#include <thimble/hardware/table_hardware.hpp>
#include <thimble/search_space.hpp>

namespace {

using namespace thimble;  // NOLINT(google-build-using-namespace): a program of its own

constexpr int kRuns = 2000;

template <class Work>
double microseconds(const Work& work) {
  double best = 1e9;
  for (int turn = 0; turn < 5; ++turn) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRuns; ++i) work();
    const std::chrono::duration<double, std::micro> taken =
        std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count() / kRuns);
  }
  return best;
}

void print_fits(const LatencyTable& table) {
  fmt::print("\n| operator | rows | mean error | largest |\n|---|--:|--:|--:|\n");
  for (const Kernel kernel : kKernels) {
    std::vector<std::vector<double>> features;
    std::vector<double> instructions;
    for (const OpRow* const row : table.rows()) {
      if (row->op.kernel != kernel) continue;
      features.push_back(features_of(row->op));
      instructions.push_back(*row->instructions);
    }
    try {
      const RelativeFit fit = fit_relative(features, instructions);
      fmt::print("| {} | {} | {:.1f} % | {:.0f} % |\n", name_of(kernel), features.size(),
                 100 * fit.mean_error, 100 * fit.largest_error);
    } catch (const InputError&) {
      fmt::print("| {} | {} | too few | |\n", name_of(kernel), features.size());
    }
  }
}

}  // namespace

int main() {
  const auto share = installed_prefix() / "share" / "thimble";
  const Board board = read_board(board_file("nucleo_f746zg", share));
  const LatencyTable table = read_latency_table(share / "tables" / "m7.csv");
  OpCostsOptions options;
  options.kernels = own_kernels();
  const TableHardware hardware{board, table, options, scratch_bytes};
  PluginLoader loader = thimble::testing::plugins();
  const auto space = thimble::testing::make<SearchSpace>(loader, "nasbench201");
  const Graph graph = space->build(space->decode(
      "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|+|skip_connect~0|avg_pool_3x3~1|"
      "nor_conv_3x3~2|"));
  const Graph ready = deployed(graph);
  const Int8Network network = skeleton(ready);
  double sum = 0;
  fmt::print("{} layers, {} rows\n", network.layers.size(), hardware.ops().size());
  fmt::print("latency of the deployed network     {:7.1f} us\n",
             microseconds([&] { sum += hardware.latency(network).value; }));
  fmt::print("memory plan of the deployed network {:7.1f} us\n", microseconds([&] {
               sum += static_cast<double>(plan_memory(network, scratch_bytes).arena_bytes);
             }));
  fmt::print("skeleton of the deployed network    {:7.1f} us\n",
             microseconds([&] { sum += static_cast<double>(skeleton(ready).layers.size()); }));
  fmt::print("whole cost() from the graph         {:7.1f} us (checksum {:.6g})\n",
             microseconds([&] { sum += hardware.cost(graph).latency_ms.value; }), sum);
  print_fits(table);
}
