// What sharing passes saves, on NAS-Bench-201's networks of the published size (C = 16, N = 5,
// batch 64), and how close the passes come to what convolutions can do on this machine. Times are
// of one thread's processor, the best of several turns, except cells a second.
//
//   bench_proxies [turns]

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <map>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/search/scoring.hpp>

#include "support/world.hpp"

namespace {

using namespace thimble;

constexpr int kBatch = 64;
constexpr int kCells = 8;

/// Experiment parts, made once.
class World {
 public:
  World()
      : loader_{thimble::testing::plugins()},
        space_{thimble::testing::make<SearchSpace>(loader_, "nasbench201")},
        data_{thimble::testing::make<Dataset>(loader_, "synthetic")} {
    Random random = Random::stream(1, {"cells"});
    while (cells_.size() < kCells) {
      cells_.push_back(random_genotype(space_->decisions(), random));
      if (!is_connected(space_->build(cells_.back()))) cells_.pop_back();
    }
  }

  const std::vector<Genotype>& cells() const { return cells_; }
  Graph graph(const Genotype& cell) const { return live(space_->build(cell)); }

  /// Scores all cells anew with these proxies.
  void score(const std::vector<std::string>& names, int jobs = 1) {
    ScoringSetup setup;
    setup.space = space_.get();
    setup.dataset = data_.get();
    for (const std::string& name : names) {
      auto& proxy = proxies_[name];
      if (proxy == nullptr) proxy = thimble::testing::make<Proxy>(loader_, name);
      setup.proxies.push_back({name, name, proxy.get(), space_.get()});
    }
    setup.jobs = jobs;
    Scoring{setup}.evaluate(cells_);
  }

 private:
  PluginLoader loader_;
  std::unique_ptr<SearchSpace> space_;
  std::unique_ptr<Dataset> data_;
  std::vector<Genotype> cells_;
  std::map<std::string, std::unique_ptr<Proxy>> proxies_;
};

template <class Work>
double seconds(const Work& work) {
  const double start = thread_seconds();
  work();
  return thread_seconds() - start;
}

template <class Work>
double wall_seconds(const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Each alone, and all together, in turns.
void compare(World& world, const char* title, const std::vector<std::string>& names, int turns) {
  std::vector<double> alone(names.size(), std::numeric_limits<double>::infinity());
  double together = std::numeric_limits<double>::infinity();
  for (int turn = 0; turn < turns; ++turn) {
    for (std::size_t i = 0; i < names.size(); ++i)
      alone[i] = std::min(alone[i], seconds([&] { world.score({names[i]}); }));
    together = std::min(together, seconds([&] { world.score(names); }));
  }
  double sum = 0;
  for (const double one : alone) sum += one;
  const auto dearest = static_cast<std::size_t>(std::ranges::max_element(alone) - alone.begin());
  fmt::print("{}, ms a cell:", title);
  for (std::size_t i = 0; i < names.size(); ++i)
    fmt::print(" {} {:.0f}", names[i], 1e3 * alone[i] / kCells);
  fmt::print("\n  together {:.0f}: {:.2f} of the dearest ({}), {:.2f} of their sum\n",
             1e3 * together / kCells, together / alone[dearest], names[dearest], together / sum);
}

/// All proxies at once on two cores, against one after the other on one.
/// The first round of each finds memory that the system has yet to hand out; it does not count.
void compare_throughput(World& world, const std::vector<std::string>& names, int turns) {
  std::vector<double> shared, apart, ratios;
  for (int turn = -1; turn < turns; ++turn) {
    shared.push_back(wall_seconds([&] { world.score(names, 2); }));
    apart.push_back(0);
    for (const std::string& name : names)
      apart.back() += wall_seconds([&] { world.score({name}); });
    ratios.push_back(apart.back() / shared.back());
  }
  const auto median = [](std::vector<double>& values) {
    values.erase(values.begin());
    std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
    return values[values.size() / 2];
  };
  fmt::print(
      "{} proxies: {:.2f} cells a second on two cores, {:.2f} one after the other on one: "
      "{:.1f} times (medians)\n",
      names.size(), kCells / median(shared), kCells / median(apart), median(ratios));
}

/// Arithmetic of a forward and a backward run: the latter twice the former, but for the gradient
/// by the images, which nobody asks for.
double gflop(const Graph& graph) {
  double macs_of_first = 0;
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph.node(id).op == Op::conv && graph.inputs(id)[0] == 0)
      macs_of_first += static_cast<double>(graph.node(id).shape.elements()) *
                       graph.node(id).kernel.height * graph.node(id).kernel.width *
                       graph.node(0).shape.channels;
  return 2e-9 * kBatch * (3 * static_cast<double>(macs(graph)) - macs_of_first);
}

/// The convolutions of a network without all else, forwards and backwards.
double seconds_of_convolutions(const Graph& graph, double& best_rate) {
  const at::NoGradGuard no_grad;
  double sum = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    if (node.op != Op::conv) continue;
    const Shape& in = graph.node(graph.inputs(id)[0]).shape;
    const auto layout = at::MemoryFormat::ChannelsLast;
    const auto x = at::randn({kBatch, in.channels, in.height, in.width}).contiguous(layout);
    const auto weight =
        at::randn({node.shape.channels, in.channels, node.kernel.height, node.kernel.width});
    const std::array<std::int64_t, 2> stride{node.stride.height, node.stride.width};
    const std::array<std::int64_t, 2> padding{node.padding.height, node.padding.width};
    const bool is_first = graph.inputs(id)[0] == 0;
    at::Tensor y;
    const double forwards = seconds([&] { y = at::conv2d(x, weight, {}, stride, padding); });
    sum += forwards + seconds([&] {
             at::convolution_backward(y, x, weight, {}, stride, padding, {1, 1}, false, {0, 0}, 1,
                                      {!is_first, true, false});
           });
    best_rate =
        std::max(best_rate, 2e-9 * static_cast<double>(y.numel() * weight[0].numel()) / forwards);
  }
  return sum;
}

void print_roofline(const World& world, int turns) {
  double passes = std::numeric_limits<double>::infinity(), convolutions = passes, work = 0,
         rate = 0;
  for (int turn = 0; turn < turns; ++turn) {
    double pass_sum = 0, convolution_sum = 0;
    work = 0;
    for (const Genotype& cell : world.cells()) {
      Network network{world.graph(cell)};
      network.initialise(Init::torch_default, 1, "bench");
      const std::vector<Samples> batches{{at::randn({kBatch, 3, 32, 32}), at::arange(kBatch) % 10}};
      Observation seen{network, batches};
      pass_sum += seconds([&] { seen.loss_gradients(); });
      convolution_sum += seconds_of_convolutions(network.graph(), rate);
      work += gflop(network.graph());
    }
    passes = std::min(passes, pass_sum);
    convolutions = std::min(convolutions, convolution_sum);
  }
  fmt::print(
      "forward and backward run: {:.0f} GFLOP/s; their convolutions alone {:.0f} ({:.0f} %); "
      "the best single convolution {:.0f} ({:.0f} %)\n",
      work / passes, work / convolutions, 100 * convolutions / passes, rate,
      100 * work / passes / rate);
}

}  // namespace

int main(int argc, char** argv) {
  use_single_threaded_math();
  at::manual_seed(1);
  const int turns = argc > 1 ? std::atoi(argv[1]) : 3;
  World world;
  print_roofline(world, turns);
  compare(world, "the four of PrototypeNAS", {"meco", "zico", "naswot", "snip"}, turns);
  compare(world, "what one backward run serves",
          {"snip", "grad_norm", "plain", "fisher", "jacov", "epe_nas", "synflow"}, turns);
  compare_throughput(world,
                     {"naswot", "meco", "snip", "grad_norm", "plain", "fisher", "jacov", "epe_nas",
                      "zico", "l2_norm", "synflow"},
                     turns);
}
