// The analysis of a large comparison: 1,000 cells, 20 metrics, 3 accuracies, 1,000 resamples of
// every correlation over all cells, within classes of equal MACs and in the top decile.

#include <ctime>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/report/analysis.hpp>

namespace {

using namespace thimble;

constexpr int kCells = 1000;

std::vector<Sample::Column> columns(const std::string& name, int count, Random& random) {
  std::vector<Sample::Column> made;
  for (int i = 0; i < count; ++i) {
    auto& column = made.emplace_back(Sample::Column{name + std::to_string(i), {}, {}});
    for (int cell = 0; cell < kCells; ++cell) column.values.push_back(random.normal());
  }
  return made;
}

}  // namespace

int main() {
  Random random{1};
  Sample sample;
  sample.metrics = columns("metric", 20, random);
  sample.accuracies = columns("accuracy", 3, random);
  for (int cell = 0; cell < kCells; ++cell)
    sample.macs.push_back(static_cast<std::int64_t>(random.below(28)));
  const std::clock_t start = std::clock();
  const Analysis found = analyse(sample, {}, 1);
  fmt::print("analysis of {} cells: {} correlations with intervals, {} without, {:.1f} s\n", kCells,
             found.accuracies.size(), found.pairs.size(),
             static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC);
}
