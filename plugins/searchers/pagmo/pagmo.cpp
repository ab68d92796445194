// Multi-objective algorithms of pagmo (2.18) as they are, to compare NSGA-II with:
//
//     nspso  non-dominated sorting particle swarm: Li, GECCO 2003
//     maco   hypervolume-based ant colonies: Acciarini, Izzo and Mooij, CEC 2020
//
// Both want real numbers in a box, and know no limits. So decisions with options are intervals of
// one unit an option, and a network beyond a limit is worse than all that keep them, by
//
//     f_k = (worst f_k so far) + (extent of f_k so far) (1 + violation).
//
// pagmo's moead is not here: it asks for one network at a time, and would leave cores idle.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/maco.hpp>
#include <pagmo/algorithms/nspso.hpp>
#include <pagmo/batch_evaluators/member_bfe.hpp>
#include <pagmo/bfe.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>

#include <thimble/search/hypervolume.hpp>
#include <thimble/search/prospector.hpp>
#include <thimble/searcher.hpp>

namespace {

using thimble::Decision;
using thimble::Evaluation;
using thimble::Evaluator;
using thimble::Genotype;
using thimble::Point;
using thimble::Problem;
using thimble::Prospector;

enum class Method : std::uint8_t { nspso, maco };
const std::vector<std::pair<std::string, Method>>& names_of(Method) {
  static const std::vector<std::pair<std::string, Method>> kNames{{"nspso", Method::nspso},
                                                                  {"maco", Method::maco}};
  return kNames;
}

struct Params {
  Method algorithm = Method::nspso;
  std::int64_t evaluations = 500;
  std::int64_t population = 40;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Params::algorithm, "algorithm", "nspso: particle swarm, maco: ant colonies");
    param(&Params::evaluations, "evaluations", "networks to score").range(1, 10'000'000);
    param(&Params::population, "population", "particles, or solutions that are remembered")
        .range(8, 10'000);
  }
};

/// Thrown when all networks are scored that may be: pagmo knows no other end than generations.
struct Spent {};

/// Networks as points of a box, and what they are worth.
class Landscape {
 public:
  Landscape(const Problem& problem, Prospector& prospector, const Evaluator& evaluator)
      : problem_{problem}, prospector_{prospector}, evaluator_{evaluator} {}

  std::size_t objectives() const { return problem_.objectives.size(); }

  std::pair<Point, Point> bounds() const {
    std::pair<Point, Point> bounds;
    for (const Decision& decision : problem_.decisions) {
      const double unit = decision.type == Decision::Type::continuous ? 0 : 1;
      bounds.first.push_back(decision.first());
      // pagmo wants room
      bounds.second.push_back(std::max(decision.last() + unit, decision.first() + 1e-9));
    }
    return bounds;
  }

  /// One point behind the other, in and out.
  Point worth_of(const Point& genes) {
    const std::vector<Genotype> networks = genotypes(genes);
    auto next = networks.begin();
    const auto looked_at = prospector_.look_at(std::ssize(networks), [&](int) {
      return next != networks.end() ? std::optional{*next++} : std::nullopt;
    });
    for (const Evaluation& network : looked_at) note(network);
    Point worth;
    for (const Genotype& network : networks) {
      const Point point = worth_of_one(network);
      worth.insert(worth.end(), point.begin(), point.end());
    }
    if (!prospector_.may_go_on()) throw Spent{};
    return worth;
  }

 private:
  std::vector<Genotype> genotypes(const Point& genes) const {
    const std::size_t size = problem_.decisions.size();
    std::vector<Genotype> networks(genes.size() / size);
    for (std::size_t i = 0; i < genes.size(); ++i)
      networks[i / size].push_back(value_of(problem_.decisions[i % size], genes[i]));
    return networks;
  }

  static double value_of(const Decision& decision, double gene) {
    return decision.nearest(decision.type == Decision::Type::continuous ? gene : std::floor(gene));
  }

  std::string identity_of(const Genotype& network) const {
    return problem_.space.encode(problem_.space.canonical(network));
  }

  void note(const Evaluation& network) {
    const Point point = thimble::points_of({network}, problem_.objectives)[0];
    if (!network.is_feasible() ||
        std::ranges::any_of(point, [](double x) { return !std::isfinite(x); }))
      return;
    known_[identity_of(network.genotype)] = point;
    if (worst_.empty()) least_ = worst_ = point;
    for (std::size_t k = 0; k < point.size(); ++k) {
      least_[k] = std::min(least_[k], point[k]);
      worst_[k] = std::max(worst_[k], point[k]);
    }
  }

  Point worth_of_one(const Genotype& network) const {
    if (const auto found = known_.find(identity_of(network)); found != known_.end())
      return found->second;
    const double behind = 1 + evaluator_.cost(network).violation;
    Point point(objectives(), behind);
    for (std::size_t k = 0; k < worst_.size(); ++k)
      point[k] = worst_[k] + std::max(worst_[k] - least_[k], 1e-9) * behind;
    return point;
  }

  const Problem& problem_;
  Prospector& prospector_;
  const Evaluator& evaluator_;
  std::map<std::string, Point> known_;
  Point least_, worst_;
};

/// A landscape as pagmo wants its problems: to be copied at will.
struct PagmoProblem {
  Landscape* landscape = nullptr;

  pagmo::vector_double fitness(const pagmo::vector_double& genes) const {
    return landscape->worth_of(genes);
  }
  pagmo::vector_double batch_fitness(const pagmo::vector_double& genes) const {
    return landscape->worth_of(genes);
  }
  std::size_t get_nobj() const { return landscape == nullptr ? 2 : landscape->objectives(); }
  std::pair<Point, Point> get_bounds() const {
    return landscape == nullptr ? std::pair{Point{0}, Point{1}} : landscape->bounds();
  }
};

pagmo::algorithm algorithm_for(const Params& params, std::uint64_t seed) {
  constexpr unsigned kGenerations = 1'000'000;  // it ends when all is spent
  const auto short_seed = static_cast<unsigned>(seed);
  const pagmo::bfe batches{pagmo::member_bfe{}};
  if (params.algorithm == Method::nspso) {
    pagmo::nspso swarm{kGenerations};
    swarm.set_seed(short_seed);
    swarm.set_bfe(batches);
    return pagmo::algorithm{swarm};
  }
  pagmo::maco colony{kGenerations, static_cast<unsigned>(params.population)};
  colony.set_seed(short_seed);
  colony.set_bfe(batches);
  return pagmo::algorithm{colony};
}

class PagmoSearcher final : public thimble::ProspectingSearcher<Params> {
 public:
  using ProspectingSearcher::ProspectingSearcher;

 private:
  void check(const Problem& problem) const override {
    const auto is_aggregate = [&](const thimble::Objective& objective) {
      return std::ranges::find(problem.aggregates, objective.metric, &thimble::Aggregate::name) !=
             problem.aggregates.end();
    };
    if (problem.objectives.size() < 2)
      throw thimble::InputError{"pagmo's algorithms are for two objectives or more",
                                "add an objective, or take regularized_evolution"};
    if (std::ranges::any_of(problem.objectives, is_aggregate))
      throw thimble::InputError{
          "aggregates are relative to a population, and pagmo compares across generations",
          "name their members as objectives, or take nsga2"};
  }

  void prospect(const Problem& problem, Evaluator& evaluator,
                Prospector& prospector) const override {
    const std::uint64_t seed = thimble::Random::stream(problem.seed, {"pagmo"})();
    Landscape landscape{problem, prospector, evaluator};
    try {
      pagmo::population population{
          pagmo::problem{PagmoProblem{&landscape}}, pagmo::bfe{pagmo::member_bfe{}},
          static_cast<std::size_t>(params().population), static_cast<unsigned>(seed)};
      algorithm_for(params(), seed).evolve(population);
    } catch (const Spent&) {
      return;
    }
  }
};

}  // namespace

THIMBLE_PLUGIN("pagmo", "1.0.0") {
  plugin.provides<PagmoSearcher>("particle swarms and ant colonies of pagmo, to compare with");
}
