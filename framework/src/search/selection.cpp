#include <thimble/search/selection.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <ranges>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>

namespace thimble {
namespace {

using Places = std::vector<std::size_t>;

std::vector<Point> at(const std::vector<Point>& points, const Places& places) {
  std::vector<Point> found;
  found.reserve(places.size());
  for (const std::size_t place : places) found.push_back(points[place]);
  return found;
}

/// Looks for `count` of more than `count` points, none of which dominates another.
class Choice {
 public:
  Choice(const std::vector<Point>& points, std::size_t count)
      : points_{Frame{points}.scaled(points)},
        reference_(points[0].size(), Frame::kReference),
        count_{count} {}

  Places greedy() const {
    Places chosen;
    Places open = all();
    while (chosen.size() < count_) {
      const Places ordered = by_gain(chosen, open).first;
      chosen.push_back(ordered.front());
      std::erase(open, ordered.front());
    }
    return chosen;
  }

  Places exact() const {
    Found best{greedy(), 0};
    best.volume = volume(best.places);
    extend({}, all(), best);
    return best.places;
  }

  Places evolved(Random random) const;

 private:
  /// One gene a point; the chosen ones have theirs set.
  using Genes = std::vector<bool>;

  struct Found {
    Places places;
    double volume = 0;
  };
  struct Individual {
    Genes genes;
    double volume = 0;
  };

  Places all() const {
    Places places(points_.size());
    std::iota(places.begin(), places.end(), std::size_t{0});
    return places;
  }

  double volume(const Places& places) const { return hypervolume(at(points_, places), reference_); }

  /// The open points by the volume they give together with the chosen ones, the greatest first,
  /// and these volumes.
  std::pair<Places, std::vector<double>> by_gain(const Places& chosen, const Places& open) const {
    std::vector<double> with(points_.size());
    for (const std::size_t place : open) {
      Places more = chosen;
      more.push_back(place);
      with[place] = volume(more);
    }
    Places ordered = open;
    std::ranges::stable_sort(ordered, std::ranges::greater{},
                             [&](std::size_t place) { return with[place]; });
    std::vector<double> volumes;
    for (const std::size_t place : ordered) volumes.push_back(with[place]);
    return {ordered, volumes};
  }

  /// Tries every set that has the chosen points and others of the open ones, if it may beat the
  /// best: points together add at most the sum of what each adds by itself.
  void extend(const Places& chosen, const Places& open, Found& best) const {
    const double own = chosen.empty() ? 0 : volume(chosen);
    if (chosen.size() == count_) {
      if (own > best.volume) best = {chosen, own};
      return;
    }
    const std::size_t missing = count_ - chosen.size();
    const auto [ordered, volumes] = by_gain(chosen, open);
    for (std::size_t i = 0; i + missing <= ordered.size(); ++i) {
      double bound = own;
      for (std::size_t k = i; k < i + missing; ++k) bound += volumes[k] - own;
      if (bound <= best.volume) return;
      Places more = chosen;
      more.push_back(ordered[i]);
      extend(more, Places(ordered.begin() + static_cast<std::ptrdiff_t>(i) + 1, ordered.end()),
             best);
    }
  }

  Genes genes_of(const Places& places) const {
    Genes genes(points_.size());
    for (const std::size_t place : places) genes[place] = true;
    return genes;
  }

  static Places places_of(const Genes& genes) {
    Places places;
    for (std::size_t i = 0; i < genes.size(); ++i)
      if (genes[i]) places.push_back(i);
    return places;
  }

  /// Sets genes at random until there are enough; of too many, keeps those without which the
  /// volume would be least.
  Individual repaired(const Genes& genes, Random& random) const {
    Places places = places_of(genes);
    while (places.size() < count_) {
      const auto place = static_cast<std::size_t>(random.below(points_.size()));
      if (std::ranges::find(places, place) == places.end()) places.push_back(place);
    }
    if (places.size() > count_) {
      std::vector<double> without(points_.size());
      for (const std::size_t place : places) {
        Places others = places;
        std::erase(others, place);
        without[place] = volume(others);
      }
      std::ranges::stable_sort(places, {}, [&](std::size_t place) { return without[place]; });
      places.resize(count_);
    }
    return {genes_of(places), volume(places)};
  }

  Individual child(const std::vector<Individual>& parents, Random& random) const {
    const auto tournament = [&]() -> const Individual& {
      const Individual& a = parents[random.below(parents.size())];
      const Individual& b = parents[random.below(parents.size())];
      return a.volume >= b.volume ? a : b;
    };
    Genes genes = tournament().genes;
    const Genes& other = tournament().genes;
    const bool crosses = random.uniform() < kCrossover;
    const double mutation = 1.0 / static_cast<double>(genes.size());
    for (std::size_t i = 0; i < genes.size(); ++i) {
      if (crosses && genes[i] != other[i]) genes[i] = random.uniform() < 0.5;
      if (random.uniform() < mutation) genes[i] = !genes[i];
    }
    return repaired(genes, random);
  }

  // The paper's numbers are not known; these find the best of small sets and take a second for
  // large ones.
  static constexpr std::size_t kPopulation = 50;
  static constexpr int kGenerations = 100;
  static constexpr double kCrossover = 0.9;

  std::vector<Point> points_;
  Point reference_;
  std::size_t count_;
};

Places Choice::evolved(Random random) const {
  std::vector<Individual> population{repaired(genes_of(greedy()), random)};
  while (population.size() < kPopulation)
    population.push_back(repaired(Genes(points_.size()), random));
  const auto best = [&] { return *std::ranges::max_element(population, {}, &Individual::volume); };
  for (int generation = 0; generation < kGenerations; ++generation) {
    std::vector<Individual> next{best()};
    while (next.size() < kPopulation) next.push_back(child(population, random));
    population = std::move(next);
  }
  return places_of(best().genes);
}

double subsets(std::size_t of, std::size_t count) {
  double number = 1;
  for (std::size_t i = 0; i < count; ++i)
    number *= static_cast<double>(of - i) / static_cast<double>(i + 1);
  return number;
}

Places choose(const std::vector<Point>& points, std::size_t count, SelectionMethod method,
              std::uint64_t seed) {
  const Choice choice{points, count};
  const double number = subsets(points.size(), count);
  switch (method) {
    case SelectionMethod::greedy: return choice.greedy();
    case SelectionMethod::automatic:
      if (number <= kMostSubsets) return choice.exact();
      break;
    case SelectionMethod::exact:
      if (number <= kMostExactSubsets) return choice.exact();
      throw Error{fmt::format("an exact selection of {} of {} networks has {:.2g} subsets to "
                              "choose from, more than {:.2g}",
                              count, points.size(), number, kMostExactSubsets),
                  "select by another method, such as evolutionary"};
    case SelectionMethod::evolutionary:
    case SelectionMethod::bands: break;
  }
  return choice.evolved(Random::stream(seed, {"select"}));
}

/// The places of the objectives that count.
std::vector<std::size_t> places_of(const std::vector<std::string>& named,
                                   const std::vector<Objective>& objectives) {
  std::vector<std::size_t> places;
  for (std::size_t k = 0; k < objectives.size(); ++k)
    if (named.empty() || std::ranges::find(named, objectives[k].metric) != named.end())
      places.push_back(k);
  return places;
}

/// The points in these coordinates alone.
std::vector<Point> projected(const std::vector<Point>& points,
                             const std::vector<std::size_t>& coordinates) {
  std::vector<Point> all;
  for (const Point& point : points) {
    Point& own = all.emplace_back();
    for (const std::size_t k : coordinates) own.push_back(point[k]);
  }
  return all;
}

}  // namespace

const std::vector<std::pair<std::string, SelectionMethod>>& names_of(SelectionMethod) {
  static const std::vector<std::pair<std::string, SelectionMethod>> kNames{
      {"automatic", SelectionMethod::automatic},
      {"exact", SelectionMethod::exact},
      {"greedy", SelectionMethod::greedy},
      {"evolutionary", SelectionMethod::evolutionary},
      {"bands", SelectionMethod::bands}};
  return kNames;
}

const std::vector<std::pair<std::string, SelectionScale>>& names_of(SelectionScale) {
  static const std::vector<std::pair<std::string, SelectionScale>> kNames{
      {"values", SelectionScale::values},
      {"ranks", SelectionScale::ranks},
      {"logarithms", SelectionScale::logarithms}};
  return kNames;
}

std::vector<Point> rescaled(const std::vector<Point>& points, SelectionScale scale) {
  std::vector<Point> made = points;
  if (scale == SelectionScale::values) return made;
  for (std::size_t k = 0; !points.empty() && k < points[0].size(); ++k) {
    std::vector<double> known;
    for (const Point& point : points)
      if (is_known(point)) known.push_back(point[k]);
    std::ranges::sort(known);
    const bool has_sign = !known.empty() && known.front() * known.back() > 0;
    for (Point& point : made) {
      if (!is_known(point)) continue;
      double& x = point[k];
      if (scale == SelectionScale::ranks)
        x = static_cast<double>(std::ranges::lower_bound(known, x) - known.begin());
      else if (has_sign)
        x = x > 0 ? std::log(x) : -std::log(-x);
    }
  }
  return made;
}

std::vector<Point> pooled(const std::vector<Point>& points, std::size_t along) {
  std::vector<Point> made = rescaled(points, SelectionScale::ranks);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Point& ranks = made[i];
    const double others = std::accumulate(ranks.begin(), ranks.end(), -ranks[along]);
    made[i] = {points[i][along], others / static_cast<double>(ranks.size() - 1)};
  }
  return made;
}

std::vector<std::size_t> select_subset(const std::vector<Point>& points, std::size_t count,
                                       SelectionMethod method, std::uint64_t seed) {
  Places front = non_dominated(points);
  if (front.size() <= count) return front;
  Places chosen;
  for (const std::size_t place : choose(at(points, front), count, method, seed))
    chosen.push_back(front[place]);
  std::ranges::sort(chosen);
  return chosen;
}

std::vector<std::size_t> select_of_bands(const std::vector<Point>& points, std::size_t count) {
  Places known;
  for (std::size_t i = 0; i < points.size(); ++i)
    if (is_known(points[i])) known.push_back(i);
  if (known.empty()) return {};
  const auto along = [&](std::size_t place) { return points[place][0]; };
  const auto [least, most] = std::ranges::minmax(known | std::views::transform(along));
  const double width = (most - least) / static_cast<double>(count);
  const auto band_of = [&](std::size_t place) {
    const double bands_below = width > 0 ? std::floor((along(place) - least) / width) : 0;
    return std::min(static_cast<std::size_t>(bands_below), count - 1);
  };
  std::ranges::stable_sort(known, {}, [&](std::size_t place) { return points[place][1]; });
  // By turns: how many of its band are better, then the band.
  std::vector<std::size_t> taken(count);
  std::vector<std::pair<std::size_t, std::size_t>> turns;
  for (const std::size_t place : known)
    turns.emplace_back(taken[band_of(place)]++, count - band_of(place));
  Places order(known.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return turns[i]; });
  Places chosen;
  for (const std::size_t i : order | std::views::take(count)) chosen.push_back(known[i]);
  std::ranges::sort(chosen);
  return chosen;
}

Landmarks landmarks_of(const std::vector<Point>& points) {
  const Places front = non_dominated(points);
  const std::vector<Point> scaled = Frame{at(points, front)}.scaled(points);
  const auto sum = [&](std::size_t place) {
    return std::accumulate(scaled[place].begin(), scaled[place].end(), 0.0);
  };
  Landmarks landmarks;
  for (std::size_t k = 0; k < points[0].size(); ++k)
    landmarks.extremes.push_back(*std::ranges::min_element(front, {}, [&](std::size_t place) {
      return std::pair{scaled[place][k], sum(place)};
    }));
  landmarks.knee = *std::ranges::min_element(front, {}, sum);
  return landmarks;
}

std::optional<Selection> select(const std::vector<Evaluation>& front,
                                const std::vector<Objective>& objectives,
                                const SelectSettings& settings, std::uint64_t seed,
                                std::vector<std::string>& remarks) {
  if (front.empty() || !front[0].is_feasible()) return std::nullopt;
  Selection selection{.objectives = places_of(settings.objectives, objectives)};
  const auto points = projected(points_of(front, objectives), selection.objectives);
  const auto count = static_cast<std::size_t>(settings.k);
  if (non_dominated(points).empty()) {
    remarks.emplace_back("nothing was selected: no network has a value of every objective");
    return std::nullopt;
  }
  const auto along = std::ranges::find(selection.objectives, settings.along,
                                       [&](std::size_t k) { return objectives[k].metric; });
  const auto scaled =
      rescaled(settings.along.empty()
                   ? points
                   : pooled(points, static_cast<std::size_t>(along - selection.objectives.begin())),
               settings.scale);
  try {
    selection.chosen = settings.method == SelectionMethod::bands
                           ? select_of_bands(scaled, count)
                           : select_subset(scaled, count, settings.method, seed);
  } catch (const Error& error) {  // what was searched for must not be lost
    remarks.push_back(error.diagnostics().front().message + "; it was evolutionary instead");
    selection.chosen = select_subset(scaled, count, SelectionMethod::evolutionary, seed);
  }
  selection.landmarks = landmarks_of(points);
  return selection;
}

}  // namespace thimble
