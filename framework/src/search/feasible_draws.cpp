#include <thimble/search/feasible_draws.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

std::string key_of(const Genotype& genotype) {
  std::string key;
  for (const double option : genotype) key += static_cast<char>(option);
  return key;
}

std::size_t option_at(const Genotype& genotype, std::size_t decision) {
  return static_cast<std::size_t>(genotype[decision]);
}

/// An option by its share of their sum.
std::size_t pick(const std::vector<double>& shares, Random& random) {
  double left = random.uniform() * std::accumulate(shares.begin(), shares.end(), 0.0);
  std::size_t last = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (shares[i] <= 0) continue;
    last = i;
    if ((left -= shares[i]) < 0) break;
  }
  return last;
}

double logarithm(const OptionNumbers& shares, const Genotype& genotype) {
  constexpr double kLeast = 1e-300;
  double sum = 0;
  for (std::size_t i = 0; i < genotype.size(); ++i)
    sum += std::log(std::max(shares[i][option_at(genotype, i)], kLeast));
  return sum;
}

/// The networks with the largest products of shares of all that it is shown; of those that compute
/// the same, one.
class Likeliest {
 public:
  Likeliest(const SearchSpace& space, const OptionNumbers& shares, std::size_t count)
      : space_{space}, shares_{shares}, count_{count} {}

  double score(const Genotype& genotype) const { return logarithm(shares_, genotype); }
  bool wants(double score) const {
    return found_.size() < count_ || -score < found_.rbegin()->first;
  }

  /// Returns its score.
  double note(const Genotype& genotype) {
    const double own = score(genotype);
    const auto [equal, is_new] = of_equals_.try_emplace(space_.canonical(genotype), own, genotype);
    if (!is_new) {
      if (equal->second.first >= own) return own;
      found_.erase({-equal->second.first, equal->second.second});
      equal->second = {own, genotype};
    }
    found_.emplace(-own, genotype);
    if (found_.size() > count_) found_.erase(std::prev(found_.end()));
    return own;
  }

  std::vector<Genotype> best_first() const {
    std::vector<Genotype> all;
    for (const auto& [score, genotype] : found_) all.push_back(genotype);
    return all;
  }

 private:
  const SearchSpace& space_;
  const OptionNumbers& shares_;
  std::size_t count_;
  std::map<Genotype, std::pair<double, Genotype>> of_equals_;  // by the one that stands for them
  std::set<std::pair<double, Genotype>> found_;                // by minus the score
};

/// Calls visit(network) for all that differ in at most `changes` decisions, one or two; the network
/// itself is among them.
template <class Visit>
void for_each_near(const Genotype& from, const std::vector<std::size_t>& options, int changes,
                   const Visit& visit) {
  for (std::size_t i = 0; i < options.size(); ++i)
    for (std::size_t option = 0; option < options[i]; ++option) {
      Genotype other = from;
      other[i] = static_cast<double>(option);
      visit(other);
      for (std::size_t j = i + 1; changes > 1 && j < options.size(); ++j)
        for (std::size_t second = 0; second < options[j]; ++second) {
          Genotype both = other;
          both[j] = static_cast<double>(second);
          visit(both);
        }
    }
}

}  // namespace

OptionNumbers shares_of(const OptionNumbers& logits, double temperature) {
  OptionNumbers shares = logits;
  for (auto& own : shares) {
    const double highest = *std::ranges::max_element(own);
    double sum = 0;
    for (double& value : own) sum += value = std::exp((value - highest) / temperature);
    for (double& value : own) value /= sum;
  }
  return shares;
}

OptionNumbers through_softmax(const OptionNumbers& by_share, const OptionNumbers& shares,
                              double temperature) {
  OptionNumbers by_logit = shares;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const double mean =
        std::inner_product(shares[i].begin(), shares[i].end(), by_share[i].begin(), 0.0);
    for (std::size_t k = 0; k < shares[i].size(); ++k)
      by_logit[i][k] *= (by_share[i][k] - mean) / temperature;
  }
  return by_logit;
}

FeasibleDraws::FeasibleDraws(const Problem& problem, Evaluator& evaluator, bool keeps_limits)
    : problem_{problem}, evaluator_{evaluator}, keeps_limits_{keeps_limits} {
  for (const Decision& decision : problem.decisions) options_.push_back(decision.options.size());
  root_ = plain(cheapened(some_network(), std::vector<bool>(options_.size()), true));
}

Evaluation FeasibleDraws::plain(const Genotype& genotype) const {
  Evaluation own = evaluator_.cost(genotype);
  Evaluation canonical = evaluator_.cost(problem_.space.canonical(genotype));
  const auto costs = [&](const Evaluation& network) {
    return std::tuple{network.is_valid(), network.macs, network.params, use_of(network)};
  };
  return costs(own) == costs(canonical) ? canonical : own;
}

/// The largest share of a limit that a network uses, and a little of the others, so that they count
/// where this one stays.
double FeasibleDraws::use_of(const Evaluation& network) const {
  constexpr double kLittle = 0.01;
  double most = 0, sum = 0;
  for (const Limit& limit : problem_.limits) {
    const double value = cost_metric(network, limit.metric);
    const double use = limit.most > 0 ? value / limit.most : 1 + value;
    most = std::max(most, use);
    sum += use;
  }
  return most + kLittle * sum;
}

FeasibleDraws::Verdict FeasibleDraws::verdict(const Genotype& genotype) {
  constexpr std::size_t kMostKnown = 1'000'000;
  if (known_.size() >= kMostKnown) known_.clear();
  const auto [place, is_new] = known_.try_emplace(key_of(genotype));
  if (is_new) {
    const Evaluation network = evaluator_.cost(genotype);
    place->second = {network.is_valid(), network.violation, use_of(network)};
  }
  return place->second;
}

bool FeasibleDraws::is_open(const Verdict& verdict) const {
  return verdict.is_valid && (!keeps_limits_ || verdict.violation <= 0);
}

bool FeasibleDraws::is_open(const Genotype& genotype) { return is_open(verdict(genotype)); }

bool FeasibleDraws::is_better(const Verdict& a, const Verdict& b) const {
  if (a.is_valid != b.is_valid) return a.is_valid;
  return keeps_limits_ && a.use < b.use;
}

/// Any that can run: of first options, of last ones, or drawn.
Genotype FeasibleDraws::some_network() {
  constexpr int kMostDraws = 10'000;
  Genotype first(options_.size());
  Genotype last;
  for (const std::size_t count : options_) last.push_back(static_cast<double>(count) - 1);
  for (const Genotype& genotype : {first, last})
    if (verdict(genotype).is_valid) return genotype;
  Random random = Random::stream(problem_.seed, {"feasible draws"});
  for (int i = 0; i < kMostDraws; ++i)
    if (Genotype genotype = random_genotype(problem_.decisions, random); verdict(genotype).is_valid)
      return genotype;
  return first;
}

/// By changes of one decision that is not fixed, as long as each uses less of the limits, or only
/// until they are kept.
Genotype FeasibleDraws::cheapened(Genotype from, const std::vector<bool>& is_fixed,
                                  bool to_the_end) {
  Verdict best = verdict(from);
  for (bool is_moving = true; is_moving;) {
    is_moving = false;
    for (std::size_t i = 0; i < options_.size(); ++i) {
      if (is_fixed[i]) continue;
      for (std::size_t option = 0; option < options_[i]; ++option) {
        if (!to_the_end && is_open(best)) return from;
        Genotype other = from;
        other[i] = static_cast<double>(option);
        const Verdict found = verdict(other);
        if (!is_better(found, best)) continue;
        best = found;
        from = std::move(other);
        is_moving = true;
      }
    }
  }
  return from;
}

const Genotype& FeasibleDraws::cheapest_with(std::size_t decision, std::size_t option) {
  if (option_at(root_.genotype, decision) == option) return root_.genotype;
  const auto [place, is_new] = cheapest_.try_emplace({decision, option});
  if (is_new) {
    Genotype from = root_.genotype;
    from[decision] = static_cast<double>(option);
    std::vector<bool> is_fixed(options_.size());
    is_fixed[decision] = true;
    place->second = cheapened(std::move(from), is_fixed, true);
  }
  return place->second;
}

/// A network whose first decisions, in this order, are these. The others are what the cheapest
/// network has or, where it has them otherwise, the cheapest with one of those decisions: what
/// counts for nothing without them may be anything. Where that nearly keeps the limits, or cannot
/// run, one is looked for that descends from it.
std::optional<Genotype> FeasibleDraws::witness_for(const Genotype& genotype, const Order& order,
                                                   std::size_t decided) {
  constexpr double kNear = 0.05;
  Genotype witness = root_.genotype;
  std::vector<bool> is_fixed(options_.size());
  for (std::size_t k = 0; k < decided; ++k) {
    const Genotype& cheapest = cheapest_with(order[k], option_at(genotype, order[k]));
    for (std::size_t i = 0; i < witness.size(); ++i)
      if (cheapest[i] != root_.genotype[i]) witness[i] = cheapest[i];
  }
  for (std::size_t k = 0; k < decided; ++k) {
    witness[order[k]] = genotype[order[k]];
    is_fixed[order[k]] = true;
  }
  const Verdict found = verdict(witness);
  if (!is_open(found) && (!found.is_valid || found.violation <= kNear))
    witness = cheapened(std::move(witness), is_fixed, false);
  if (!is_open(witness)) return {};
  return witness;
}

FeasibleDraws::Draw FeasibleDraws::draw(const OptionNumbers& shares, Random& random) {
  Order order;
  for (const std::int64_t i : random.sample(std::ssize(options_), std::ssize(options_)))
    order.push_back(static_cast<std::size_t>(i));
  Draw made{Genotype(options_.size()), shares};
  std::size_t decided = 0;  // of these it is known that they are open, by this witness
  Genotype witness = root_.genotype;
  for (;;) {
    for (std::size_t k = decided; k < order.size(); ++k)
      made.genotype[order[k]] = static_cast<double>(pick(made.shares[order[k]], random));
    if (is_open(made.genotype)) break;
    // What can be said of the first so many can be said of fewer.
    std::size_t closed = order.size();
    while (decided + 1 < closed) {
      const std::size_t middle = (decided + closed) / 2;
      const auto found = witness_for(made.genotype, order, middle);
      if (found) witness = *found;
      (found ? decided : closed) = middle;
    }
    const std::size_t place = order[decided];
    std::vector<double>& own = made.shares[place];
    own[option_at(made.genotype, place)] = 0;
    if (std::ranges::any_of(own, [](double share) { return share > 0; })) continue;
    // No other witness was found for any option here than the one that is known.
    own[option_at(witness, place)] = 1;
    made.genotype = witness;
    break;
  }
  for (auto& own : made.shares) {
    const double sum = std::accumulate(own.begin(), own.end(), 0.0);
    for (double& share : own) share /= sum;
  }
  return made;
}

std::vector<Genotype> FeasibleDraws::likeliest(const OptionNumbers& shares, std::size_t count,
                                               Random& random) {
  constexpr int kDraws = 64;
  Likeliest found{problem_.space, shares, count};
  const auto climb = [&](Genotype from, int changes) {
    double best = found.note(from);
    for (bool is_moving = true; is_moving;) {
      is_moving = false;
      for_each_near(Genotype{from}, options_, changes, [&](const Genotype& other) {
        const double score = found.score(other);
        if ((score <= best && !found.wants(score)) || !is_open(other)) return;
        found.note(other);
        if (score <= best) return;
        best = score;
        from = other;
        is_moving = true;
      });
    }
  };
  for (int i = 0; i < kDraws; ++i) climb(draw(shares, random).genotype, 1);
  climb(found.best_first().front(), 2);
  return found.best_first();
}

std::vector<Genotype> FeasibleDraws::likeliest_near(const Genotype& network,
                                                    const OptionNumbers& shares,
                                                    std::size_t count) {
  Likeliest found{problem_.space, shares, count};
  const Genotype own = problem_.space.canonical(network);
  for_each_near(network, options_, 2, [&](const Genotype& other) {
    if (found.wants(found.score(other)) && problem_.space.canonical(other) != own && is_open(other))
      found.note(other);
  });
  return found.best_first();
}

}  // namespace thimble
