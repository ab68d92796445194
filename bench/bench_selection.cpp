// Choosing 5 of a front of 500 networks in five objectives, by each method that can, and how much
// of the volume that the evolutionary one reaches the greedy one has.

#include <cmath>

#include <benchmark/benchmark.h>

#include <thimble/core/random.hpp>
#include <thimble/search/selection.hpp>

namespace {

using thimble::Point;

std::vector<Point> front(std::size_t count, std::size_t objectives) {
  thimble::Random random{1};
  std::vector<Point> points(count, Point(objectives));
  for (Point& point : points) {
    double square = 0;
    for (double& value : point) value = std::abs(random.normal()), square += value * value;
    for (double& value : point) value = 1 - value / std::sqrt(square);
  }
  return points;
}

void select(benchmark::State& state, thimble::SelectionMethod method) {
  const auto points = front(static_cast<std::size_t>(state.range(0)), 5);
  std::vector<Point> chosen;
  for (auto _ : state) {
    chosen.clear();
    for (const std::size_t place : thimble::select_subset(points, 5, method, 1))
      chosen.push_back(points[place]);
  }
  state.counters["hypervolume"] = thimble::Frame{points}.hypervolume(chosen);
}

}  // namespace

BENCHMARK_CAPTURE(select, exact, thimble::SelectionMethod::exact)
    ->Arg(25)
    ->Arg(100)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, greedy, thimble::SelectionMethod::greedy)
    ->Arg(25)
    ->Arg(500)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(select, evolutionary, thimble::SelectionMethod::evolutionary)
    ->Arg(25)
    ->Arg(500)
    ->Unit(benchmark::kMillisecond);
BENCHMARK_MAIN();
