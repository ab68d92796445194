// NSGA-II: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic
// algorithm: NSGA-II", IEEE Transactions on Evolutionary Computation 6(2), 2002.
//
// Parents are drawn by binary tournament, children made by simulated binary crossover and
// polynomial mutation (of continuous decisions; two-point crossover and a new draw of the others),
// and of parents and children together the best survive: by constrained domination, and within
// the last front that has room by crowding distance, or by what each adds to the hypervolume: those
// that add least go, one after the other, as in SMS-EMOA (Beume, Naujoks and Emmerich, European
// Journal of Operational Research 181(3), 2007).
//
//     a is before b  when  a keeps all limits and b does not,
//                    or    neither does, and a exceeds them by less,
//                    or    both do, and a is on an earlier front.
//
// The operators, the sorting and the distance are pagmo's (2.18). Its algorithm is not used: it
// refuses limits, lets duplicates through, and compares parents by what they were worth when they
// were children, though aggregates are relative to those that are compared.

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <utility>

#include <pagmo/utils/genetic_operators.hpp>
#include <pagmo/utils/hypervolume.hpp>
#include <pagmo/utils/multi_objective.hpp>

#include <thimble/core/text.hpp>
#include <thimble/search/hypervolume.hpp>
#include <thimble/search/prospector.hpp>
#include <thimble/searcher.hpp>

namespace {

using thimble::Decision;
using thimble::Evaluation;
using thimble::Evaluator;
using thimble::Frame;
using thimble::Genotype;
using thimble::Point;
using thimble::Problem;
using thimble::Prospector;
using thimble::Random;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What counts among networks of one front.
enum class Within {
  crowding,     ///< how far the neighbours are in each objective
  hypervolume,  ///< what the front would lose without it
};

const std::vector<std::pair<std::string, Within>>& names_of(Within) {
  static const std::vector<std::pair<std::string, Within>> kNames{
      {"crowding", Within::crowding}, {"hypervolume", Within::hypervolume}};
  return kNames;
}

struct Params {
  std::int64_t evaluations = 500;
  std::int64_t population = 40;
  std::optional<std::int64_t> children;
  double crossover = 0.95;
  double eta_crossover = 10;
  std::optional<double> mutation;
  double eta_mutation = 50;
  Within within = Within::crowding;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Params::evaluations, "evaluations", "networks to score").range(1, 10'000'000);
    param(&Params::population, "population", "networks that survive a generation").range(2, 10'000);
    param(
        &Params::children, "children",
        "networks that are made, and scored side by side, in a generation; as many as survive when "
        "left out")
        .range(1, 10'000);
    param(&Params::crossover, "crossover", "probability that two parents cross").range(0, 0.999);
    param(&Params::eta_crossover, "eta_crossover",
          "how near to their parents children are in continuous decisions")
        .range(1, 100);
    param(&Params::mutation, "mutation",
          "probability that a decision mutates; one in their number when left out")
        .range(0, 1);
    param(&Params::eta_mutation, "eta_mutation",
          "how near a continuous decision stays when it mutates")
        .range(1, 100);
    param(&Params::within, "within", "what counts among networks of one front");
  }
};

/// Genotypes as pagmo's operators want them: continuous decisions first, behind them the others
/// as whole numbers, and none that has one value only.
class Chromosomes {
 public:
  explicit Chromosomes(const std::vector<Decision>& decisions)
      : decisions_{decisions}, only_(decisions.size()) {
    for (std::size_t i = 0; i < decisions.size(); ++i)
      if (decisions[i].type == Decision::Type::continuous) add(i, decisions[i]);
    const std::size_t continuous = places_.size();
    for (std::size_t i = 0; i < decisions.size(); ++i)
      if (decisions[i].type != Decision::Type::continuous) add(i, decisions[i]);
    discrete_ = places_.size() - continuous;
  }

  std::size_t size() const { return places_.size(); }
  std::size_t discrete() const { return discrete_; }
  const std::pair<Point, Point>& bounds() const { return bounds_; }

  Point of(const Genotype& genotype) const {
    Point genes;
    for (const std::size_t place : places_) genes.push_back(genotype[place]);
    return genes;
  }
  Genotype genotype(const Point& genes) const {
    Genotype genotype = only_;
    for (std::size_t i = 0; i < places_.size(); ++i)
      genotype[places_[i]] = decisions_[places_[i]].nearest(genes[i]);
    return genotype;
  }

 private:
  void add(std::size_t place, const Decision& decision) {
    only_[place] = decision.first();
    if (decision.first() >= decision.last()) return;
    places_.push_back(place);
    bounds_.first.push_back(decision.first());
    bounds_.second.push_back(decision.last());
  }

  const std::vector<Decision>& decisions_;
  Genotype only_;  ///< the values of decisions that have no other
  std::vector<std::size_t> places_;
  std::pair<Point, Point> bounds_;
  std::size_t discrete_ = 0;
};

/// Where a network stands in a population: fronts first, then what counts within them.
struct Standing {
  std::size_t front = 0;
  double worth = 0;

  bool operator<(const Standing& other) const {
    return front != other.front ? front < other.front : worth > other.worth;
  }
};

/// Crowding distances of a front. Objectives in which all are equal tell nobody apart, and would
/// be divided by their extent.
Point crowding_of(const std::vector<Point>& front) {
  if (front.size() < 3) return Point(front.size(), kInfinity);
  std::vector<Point> points(front.size());
  for (std::size_t k = 0; k < front[0].size(); ++k) {
    const auto is_first = [&](const Point& point) { return point[k] == front[0][k]; };
    if (std::ranges::all_of(front, is_first)) continue;
    for (std::size_t i = 0; i < front.size(); ++i) points[i].push_back(front[i][k]);
  }
  if (points[0].empty()) return Point(front.size(), 0.0);
  return pagmo::crowding_distance(points);
}

/// What each point of a front is worth, so that the `places` worthiest are those that are left when
/// one after the other goes whose loss costs the least hypervolume, in units of the front's extent.
Point contributions_of(const std::vector<Point>& front, std::size_t places) {
  const auto points = Frame{front}.scaled(front);
  const Point reference(front[0].size(), Frame::kReference);
  std::vector<std::size_t> left(front.size());
  std::iota(left.begin(), left.end(), std::size_t{0});
  const auto loss_of = [&](std::size_t place) {
    std::vector<Point> now;
    for (const std::size_t i : left) now.push_back(points[i]);
    return pagmo::hypervolume{now, true}.exclusive(
        static_cast<unsigned>(std::ranges::find(left, place) - left.begin()), reference);
  };
  Point worth(front.size());
  for (const std::size_t place : left) worth[place] = loss_of(place);
  // With every point that goes, what others add grows or stays: of old numbers, the least that is
  // still the least when taken anew is the least of all.
  for (double gone = -static_cast<double>(front.size()); left.size() > places; ++gone) {
    for (;;) {
      const auto least = std::ranges::min_element(left, {}, [&](auto i) { return worth[i]; });
      const double before = std::exchange(worth[*least], loss_of(*least));
      if (worth[*least] > before) continue;
      worth[*least] = gone;
      left.erase(least);
      break;
    }
  }
  for (const std::size_t place : left) worth[place] = loss_of(place);
  return worth;
}

double rounded(double value) { return std::round(1e6 * value) / 1e6; }

class Search {
 public:
  Search(const Params& params, const Problem& problem, Evaluator& evaluator, Prospector& prospector)
      : params_{params},
        problem_{problem},
        evaluator_{evaluator},
        prospector_{prospector},
        chromosomes_{problem.decisions},
        random_{Random::stream(problem.seed, {"nsga2"})},
        engine_{static_cast<std::mt19937::result_type>(random_())} {}

  void run() {
    while (prospector_.may_go_on()) {
      const bool is_first = population_.empty();
      const auto wanted =
          is_first ? params_.population : params_.children.value_or(params_.population);
      adopt(prospector_.look_at(wanted, [&](int misses) {
        const bool breeds = !is_first && misses < kTries && chromosomes_.size() > 0;
        return breeds ? child() : thimble::random_genotype(problem_.decisions, random_);
      }));
    }
  }

 private:
  static constexpr int kTries = 20;  ///< to make a child that is new and keeps the limits

  /// In turns: everybody enters as many tournaments as everybody else.
  std::size_t contender() {
    if (contenders_.empty())
      contenders_ = random_.sample(std::ssize(population_), std::ssize(population_));
    const auto next = static_cast<std::size_t>(contenders_.back());
    contenders_.pop_back();
    return next;
  }

  const Evaluation& parent() {
    const std::size_t a = contender(), b = contender();
    return population_[standings_[b] < standings_[a] ? b : a];
  }

  /// Of two siblings the second is kept for the next call: only together are they unbiased.
  Genotype child() {
    if (sibling_) return *std::exchange(sibling_, std::nullopt);
    const Genotype& first = parent().genotype;
    const Genotype& second = parent().genotype;
    auto [one, other] = pagmo::sbx_crossover(chromosomes_.of(first), chromosomes_.of(second),
                                             chromosomes_.bounds(), chromosomes_.discrete(),
                                             params_.crossover, params_.eta_crossover, engine_);
    sibling_ = mutated(other);
    return mutated(one);
  }

  Genotype mutated(Point genes) {
    pagmo::polynomial_mutation(
        genes, chromosomes_.bounds(), chromosomes_.discrete(),
        params_.mutation.value_or(1 / static_cast<double>(chromosomes_.size())),
        params_.eta_mutation, engine_);
    return chromosomes_.genotype(genes);
  }

  /// Lets the best of parents and children survive.
  void adopt(std::vector<Evaluation> children) {
    std::ranges::move(children, std::back_inserter(population_));
    evaluator_.judge_together(population_);
    rank();
    std::vector<std::size_t> order(population_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(
        order, [&](std::size_t a, std::size_t b) { return standings_[a] < standings_[b]; });
    order.resize(std::min(order.size(), static_cast<std::size_t>(params_.population)));
    std::vector<Evaluation> survivors;
    for (const std::size_t place : order) survivors.push_back(std::move(population_[place]));
    population_ = std::move(survivors);
    contenders_.clear();
    rank();
    log();
  }

  /// Of networks that break a limit or lack an objective, nothing is known here.
  std::vector<Point> comparable_points() const {
    std::vector<Point> points = points_of(population_, problem_.objectives);
    for (std::size_t i = 0; i < points.size(); ++i)
      if (!population_[i].is_feasible()) points[i].assign(points[i].size(), thimble::kNotANumber);
    return points;
  }

  /// Those that keep the limits but cannot be compared are behind all others.
  void rank() {
    standings_.assign(population_.size(), {});
    const std::vector<Point> points = comparable_points();
    std::vector<std::size_t> comparable;
    std::map<double, std::vector<std::size_t>> beyond;  // by violation
    for (std::size_t i = 0; i < population_.size(); ++i) {
      const Evaluation& network = population_[i];
      if (std::ranges::none_of(points[i], [](double value) { return std::isnan(value); }))
        comparable.push_back(i);
      else
        beyond[network.violation > 0 ? network.violation : kInfinity].push_back(i);
    }
    std::size_t front = rank_by_objectives(points, comparable);
    for (const auto& [violation, places] : beyond) {
      for (const std::size_t place : places) standings_[place].front = front;
      ++front;
    }
  }

  /// Returns how many fronts there are.
  std::size_t rank_by_objectives(const std::vector<Point>& points,
                                 const std::vector<std::size_t>& places) {
    if (places.size() < 2) return places.size();
    std::vector<Point> compared;
    for (const std::size_t place : places) compared.push_back(points[place]);
    const auto fronts = std::get<0>(pagmo::fast_non_dominated_sorting(compared));
    auto left = static_cast<std::size_t>(params_.population);
    for (std::size_t front = 0; front < fronts.size(); ++front) {
      std::vector<Point> on_front;
      for (const std::size_t i : fronts[front]) on_front.push_back(compared[i]);
      const Point worth = worth_within(on_front, left);
      for (std::size_t i = 0; i < on_front.size(); ++i)
        standings_[places[fronts[front][i]]] = {front, worth[i]};
      left -= std::min(left, on_front.size());
    }
    return fronts.size();
  }

  /// `places`: how many of the front can survive; where none can, nothing counts. Of one objective,
  /// all that are on a front are equal.
  Point worth_within(const std::vector<Point>& front, std::size_t places) const {
    if (params_.within == Within::crowding || front[0].size() == 1) return crowding_of(front);
    return places == 0 ? Point(front.size()) : contributions_of(front, places);
  }

  /// The frame is that of the first generation with a network to measure, so that the
  /// hypervolumes of all generations compare.
  void log() {
    const std::vector<Point> points = comparable_points();
    const std::size_t on_front = thimble::non_dominated(points).size();
    if (!frame_ && on_front > 0) frame_.emplace(points);
    evaluator_.log("nsga2: generation " + std::to_string(generation_++) + ", " +
                   std::to_string(prospector_.scored()) + " networks scored, " +
                   std::to_string(on_front) + " of the population on its front, hypervolume " +
                   thimble::number_text(rounded(frame_ ? frame_->hypervolume(points) : 0)));
  }

  const Params& params_;
  const Problem& problem_;
  Evaluator& evaluator_;
  Prospector& prospector_;
  Chromosomes chromosomes_;
  Random random_;
  std::mt19937 engine_;
  std::vector<Evaluation> population_;
  std::vector<Standing> standings_;  ///< of the population
  std::vector<std::int64_t> contenders_;
  std::optional<Genotype> sibling_;
  std::optional<Frame> frame_;
  std::int64_t generation_ = 0;
};

class Nsga2 final : public thimble::ProspectingSearcher<Params> {
 public:
  using ProspectingSearcher::ProspectingSearcher;

 private:
  void prospect(const Problem& problem, Evaluator& evaluator,
                Prospector& prospector) const override {
    Search{params(), problem, evaluator, prospector}.run();
  }
};

}  // namespace

THIMBLE_PLUGIN("nsga2", "1.0.0") {
  plugin.provides<Nsga2>("fronts by the genetic algorithm NSGA-II, within the limits")
      .profile("hypervolume", "{ within: hypervolume, population: 20, children: 2 }");
}
