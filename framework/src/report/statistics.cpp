#include <thimble/report/statistics.hpp>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <utility>

#include <thimble/core/random.hpp>

namespace thimble {
namespace {

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
/// Of fewer, resamples say nothing of how well a rank correlation is known: of two, most of them
/// agree with the two.
constexpr std::size_t kFewestForIntervals = 5;

std::int64_t pairs(std::int64_t count) { return count * (count - 1) / 2; }

/// Every value's place among the different values: 0, 1, ...
std::vector<std::size_t> levels_of(std::span<const double> values, std::size_t& count) {
  std::vector<double> different(values.begin(), values.end());
  std::ranges::sort(different);
  different.erase(std::unique(different.begin(), different.end()), different.end());
  count = different.size();
  std::vector<std::size_t> levels;
  for (const double value : values)
    levels.push_back(
        static_cast<std::size_t>(std::ranges::lower_bound(different, value) - different.begin()));
  return levels;
}

/// How much weight lies at or below a level (a Fenwick tree).
class Cumulated {
 public:
  explicit Cumulated(std::size_t levels) : sums_(levels + 1) {}
  void add(std::size_t level, std::int64_t weight) {
    for (std::size_t i = level + 1; i < sums_.size(); i += i & (~i + 1)) sums_[i] += weight;
  }
  std::int64_t up_to(std::size_t level) const {
    std::int64_t sum = 0;
    for (std::size_t i = level + 1; i > 0; i &= i - 1) sum += sums_[i];
    return sum;
  }

 private:
  std::vector<std::int64_t> sums_;
};

/// Mid-ranks of the levels, from how often each is there.
std::vector<double> ranks_of(const std::vector<std::int64_t>& totals) {
  std::vector<double> ranks;
  double below = 0;
  for (const std::int64_t total : totals) {
    ranks.push_back(below + (static_cast<double>(total) + 1) / 2);
    below += static_cast<double>(total);
  }
  return ranks;
}

std::int64_t tied_pairs(const std::vector<std::int64_t>& totals) {
  std::int64_t ties = 0;
  for (const std::int64_t total : totals) ties += pairs(total);
  return ties;
}

/// A statistic of all groups: the mean, weighted by size.
template <class Statistic>
double mean_over(const std::vector<RankPairs>& groups, const std::vector<std::vector<int>>& counts,
                 Statistic statistic) {
  double sum = 0, weight = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const double value = (groups[g].*statistic)(counts[g]);
    if (std::isnan(value)) continue;
    sum += static_cast<double>(groups[g].size()) * value;
    weight += static_cast<double>(groups[g].size());
  }
  return weight > 0 ? sum / weight : kNone;
}

void resample(std::vector<std::vector<int>>& counts, Random random) {
  for (auto& group : counts) {
    std::ranges::fill(group, 0);
    for (std::size_t i = 0; i < group.size(); ++i) ++group[random.below(group.size())];
  }
}

Interval interval_of(std::vector<double> values, double confidence) {
  std::erase_if(values, [](double value) { return std::isnan(value); });
  if (values.empty()) return {kNone, kNone};
  std::ranges::sort(values);
  const double tail = (1 - confidence) / 2;
  return {quantile(values, tail), quantile(values, 1 - tail)};
}

}  // namespace

RankPairs::RankPairs(std::span<const double> x, std::span<const double> y) : places_(x.size()) {
  assert(x.size() == y.size());
  const auto x_levels = levels_of(x, levels_of_x_), y_levels = levels_of(y, levels_of_y_);
  std::iota(places_.begin(), places_.end(), std::size_t{0});
  std::ranges::sort(places_, [&](std::size_t a, std::size_t b) {
    return std::pair{x_levels[a], y_levels[a]} < std::pair{x_levels[b], y_levels[b]};
  });
  for (const std::size_t place : places_) {
    x_.push_back(x_levels[place]);
    y_.push_back(y_levels[place]);
  }
}

double RankPairs::tau(std::span<const int> counts) const {
  Cumulated seen{levels_of_y_};
  std::vector<std::int64_t> of_x(levels_of_x_), of_y(levels_of_y_);
  std::int64_t total = 0, discordant = 0, ties_both = 0, run = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const std::int64_t count = counts[places_[i]];
    // Who came before has no larger x, and where x is equal no larger y.
    if (count > 0) {
      discordant += count * (total - seen.up_to(y_[i]));
      seen.add(y_[i], count);
    }
    total += count;
    of_x[x_[i]] += count;
    of_y[y_[i]] += count;
    const bool goes_on = i > 0 && x_[i] == x_[i - 1] && y_[i] == y_[i - 1];
    if (!goes_on) ties_both += pairs(std::exchange(run, 0));
    run += count;
  }
  ties_both += pairs(run);
  const std::int64_t all = pairs(total), ties_x = tied_pairs(of_x), ties_y = tied_pairs(of_y);
  const std::int64_t difference = all - ties_x - ties_y + ties_both - 2 * discordant;
  const double norm =
      std::sqrt(static_cast<double>(all - ties_x)) * std::sqrt(static_cast<double>(all - ties_y));
  return norm > 0 ? static_cast<double>(difference) / norm : kNone;
}

double RankPairs::rho(std::span<const int> counts) const {
  std::vector<std::int64_t> of_x(levels_of_x_), of_y(levels_of_y_);
  std::int64_t total = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    of_x[x_[i]] += counts[places_[i]];
    of_y[y_[i]] += counts[places_[i]];
    total += counts[places_[i]];
  }
  const auto x_ranks = ranks_of(of_x), y_ranks = ranks_of(of_y);
  const double mean = (static_cast<double>(total) + 1) / 2;
  double xy = 0, xx = 0, yy = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const double count = counts[places_[i]];
    const double x = x_ranks[x_[i]] - mean, y = y_ranks[y_[i]] - mean;
    xy += count * x * y;
    xx += count * x * x;
    yy += count * y * y;
  }
  return xx > 0 && yy > 0 ? xy / std::sqrt(xx * yy) : kNone;
}

double kendall_tau(std::span<const double> x, std::span<const double> y) {
  return RankPairs{x, y}.tau(std::vector<int>(x.size(), 1));
}

double spearman_rho(std::span<const double> x, std::span<const double> y) {
  return RankPairs{x, y}.rho(std::vector<int>(x.size(), 1));
}

Correlation correlate(const std::vector<RankPairs>& groups, const Bootstrap& bootstrap) {
  std::vector<std::vector<int>> counts;
  for (const RankPairs& group : groups) counts.emplace_back(group.size(), 1);
  const double tau = mean_over(groups, counts, &RankPairs::tau);
  const double rho = mean_over(groups, counts, &RankPairs::rho);
  std::size_t size = 0;
  for (const RankPairs& group : groups) size += group.size();
  const int resamples = size < kFewestForIntervals ? 0 : bootstrap.resamples;
  std::vector<double> taus, rhos;
  for (int i = 0; i < resamples; ++i) {
    resample(counts, Random::stream(bootstrap.seed, {"bootstrap", std::to_string(i)}));
    taus.push_back(mean_over(groups, counts, &RankPairs::tau));
    rhos.push_back(mean_over(groups, counts, &RankPairs::rho));
  }
  return {{tau, interval_of(taus, bootstrap.confidence)},
          {rho, interval_of(std::move(rhos), bootstrap.confidence)},
          std::move(taus)};
}

Estimate tau_difference(const Correlation& first, double sign, const Correlation& second,
                        double confidence) {
  assert(first.taus.size() == second.taus.size());
  std::vector<double> differences;
  for (std::size_t i = 0; i < first.taus.size(); ++i)
    differences.push_back(sign * first.taus[i] - second.taus[i]);
  return {sign * first.tau.value - second.tau.value,
          interval_of(std::move(differences), confidence)};
}

TopK top_k(std::span<const double> goodness, std::span<const double> values, std::size_t k) {
  assert(goodness.size() == values.size() && k >= 1 && k <= values.size());
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::pair{-goodness[a], values[a]} < std::pair{-goodness[b], values[b]};
  });
  std::vector<double> chosen;
  for (std::size_t i = 0; i < k; ++i) chosen.push_back(values[order[i]]);
  return {std::ranges::max(values) - std::ranges::max(chosen), mean_and_deviation(chosen).mean};
}

double quantile(std::span<const double> values, double part) {
  const double place = part * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, values.size() - 1);
  return std::lerp(values[below], values[above], place - static_cast<double>(below));
}

MeanAndDeviation mean_and_deviation(std::span<const double> values) {
  if (values.empty()) return {kNone, 0};
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  if (values.size() < 2) return {mean, 0};
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, std::sqrt(squares / (count - 1))};
}

}  // namespace thimble
