// How soon NSGA-II has the front of NAS-Bench-201 in (NASWOT, latency), against random search: the
// share of the true front's hypervolume by networks looked at, over 30 seeds. All 15,625 cells are
// scored once; the searches then look values up.

#include <algorithm>
#include <map>
#include <unordered_map>

#include <fmt/format.h>

#include <support/world.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/search/hypervolume.hpp>
#include <thimble/search/scoring.hpp>

namespace {

using namespace thimble;

constexpr int kSeeds = 30;
constexpr std::int64_t kBudgets[] = {100, 200, 300, 500, 700, 1000};

/// Everything that an exhaustive search found.
class Table final : public Evaluator {
 public:
  Table(const SearchSpace& space, const std::vector<Evaluation>& known) : space_{space} {
    for (const Evaluation& evaluation : known) known_[evaluation.text] = &evaluation;
  }

  std::vector<Evaluation> evaluate(std::span<const Genotype> genotypes) override {
    std::vector<Evaluation> evaluations;
    for (const Genotype& genotype : genotypes) evaluations.push_back(cost(genotype));
    seen_.insert(seen_.end(), evaluations.begin(), evaluations.end());
    return evaluations;
  }
  std::vector<Evaluation> evaluate_supernets(std::span<const AliveOptions>) override { return {}; }
  Evaluation cost(const Genotype& genotype) const override {
    return *known_.at(space_.encode(genotype));
  }
  const ProxyValue* proxy(const Evaluation&, std::string_view) const override { return nullptr; }
  void log(const std::string&) override {}
  void expect(std::int64_t) override {}

  const std::vector<Evaluation>& seen() const { return seen_; }

 private:
  const SearchSpace& space_;
  std::unordered_map<std::string, const Evaluation*> known_;
  std::vector<Evaluation> seen_;
};

std::vector<Evaluation> score_all(const SearchSpace& space, const Problem& problem,
                                  PluginLoader& loader) {
  const auto hardware =
      thimble::testing::make<Hardware>(loader, "analytic", "{board: nucleo_f746zg}");
  const auto dataset = thimble::testing::make<Dataset>(loader, "synthetic");
  const auto proxy = thimble::testing::make<Proxy>(loader, "naswot", "{batch: 16}");
  const auto narrow = thimble::testing::make<SearchSpace>(loader, "nasbench201",
                                                          "{channels: 4, cells: 1, image: 16}");
  Scoring scoring{{.space = &space,
                   .hardware = hardware.get(),
                   .dataset = dataset.get(),
                   .proxies = {{"naswot", "naswot", proxy.get(), narrow.get()}},
                   .aggregates = {},
                   .objectives = problem.objectives,
                   .limits = {},
                   .seed = 1,
                   .jobs = 2}};
  std::vector<Genotype> all;
  for (std::uint64_t i = 0; i < *space_size(problem.decisions); ++i)
    all.push_back(genotype_at(problem.decisions, i));
  return scoring.evaluate(all);
}

/// Shares at each budget, by seed.
std::vector<std::vector<double>> shares(const Searcher& searcher, Problem problem,
                                        const std::vector<Evaluation>& known,
                                        const std::vector<Point>& front) {
  const Frame frame{front};
  std::vector<std::vector<double>> shares;
  for (int seed = 1; seed <= kSeeds; ++seed) {
    problem.seed = static_cast<std::uint64_t>(seed);
    Table table{problem.space, known};
    searcher.search(problem, table);
    std::vector<double>& own = shares.emplace_back();
    for (const std::int64_t budget : kBudgets) {
      auto points = points_of(table.seen(), problem.objectives);
      points.resize(std::min(points.size(), static_cast<std::size_t>(budget)));
      own.push_back(frame.hypervolume(points) / frame.hypervolume(front));
    }
  }
  return shares;
}

double median(const std::vector<std::vector<double>>& shares, std::size_t budget) {
  std::vector<double> values;
  for (const auto& own : shares) values.push_back(own[budget]);
  std::ranges::sort(values);
  return (values[(kSeeds - 1) / 2] + values[kSeeds / 2]) / 2;
}

}  // namespace

int main() {
  use_single_threaded_math();
  PluginLoader loader = thimble::testing::plugins();
  const auto space = thimble::testing::make<SearchSpace>(loader, "nasbench201");
  const Problem problem{
      *space,
      space->decisions(),
      {{"naswot", Direction::maximize, 1}, {"latency_ms", Direction::minimize, 1}},
      {},
      1,
      {}};
  const auto known = score_all(*space, problem, loader);
  const auto points = points_of(pareto_front(known, problem.objectives), problem.objectives);
  fmt::print("{} cells, {} different ones on the front\n", known.size(),
             non_dominated(points).size());
  const auto evolved =
      shares(*thimble::testing::make<Searcher>(loader, "nsga2", "{evaluations: 1000}"), problem,
             known, points);
  const auto random = shares(*thimble::testing::make<Searcher>(loader, "random", "{samples: 1000}"),
                             problem, known, points);
  fmt::print("networks looked at, median share of the hypervolume: nsga2, random; seeds won\n");
  for (std::size_t i = 0; i < std::size(kBudgets); ++i) {
    int won = 0;
    for (int seed = 0; seed < kSeeds; ++seed)
      won += evolved[static_cast<std::size_t>(seed)][i] > random[static_cast<std::size_t>(seed)][i];
    fmt::print("{:5}  {:.4f}  {:.4f}  {}/{}\n", kBudgets[i], median(evolved, i), median(random, i),
               won, kSeeds);
  }
}
