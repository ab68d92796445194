#include "finals.hpp"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include <thimble/core/text.hpp>

namespace dnas {

using thimble::decimals;
using thimble::Genotype;
using thimble::Random;

thimble::SearchResult Finals::play() {
  Random random = Random::stream(problem_.seed, {"dnas", "finalists"});
  const auto places = static_cast<std::size_t>(params_.finalists);
  const auto likeliest = feasible_.likeliest(shares_, places, random);
  if (places == 1) return taken(likeliest.front(), "the likeliest network that keeps the limits");
  bool is_better = look_at(likeliest);
  while (is_better)
    is_better = look_at(feasible_.likeliest_near(ranked_.front().network, shares_, places));
  const std::string compared =
      "of " + thimble::count_text(std::ssize(ranked_), "network") +
      " that keep the limits, the best has " + decimals(ranked_.front().metric, 2) +
      " (the first metric of the task) by shared weights, on samples that these did not learn "
      "from";
  if (params_.trials == 1) return taken(ranked_.front().network, compared);
  return best_alone(compared);
}

bool Finals::look_at(const std::vector<Genotype>& networks) {
  const double before =
      ranked_.empty() ? -std::numeric_limits<double>::infinity() : ranked_.front().metric;
  for (const Genotype& network : networks) {
    if (!known_.insert(network).second) continue;
    ranked_.push_back({network, weights_.validate(network)});
    evaluator_.log(decimals(ranked_.back().metric, 2) +
                   " by shared weights: " + evaluator_.cost(network).text);
  }
  std::ranges::stable_sort(ranked_, std::greater{}, &Ranked::metric);
  return ranked_.front().metric > before;
}

std::vector<Genotype> Finals::unlike() const {
  constexpr std::ptrdiff_t kAlike = 2;  // as many decisions as likeliest_near() changes
  std::vector<Genotype> made;
  for (const auto& [network, metric] : ranked_) {
    if (std::ssize(made) == params_.trials) break;
    const Genotype plain = feasible_.plain(network).genotype;
    const auto differs_little = [&](const Genotype& other) {
      return std::ssize(plain) - std::transform_reduce(plain.begin(), plain.end(), other.begin(),
                                                       std::ptrdiff_t{0}, std::plus{},
                                                       std::equal_to{}) <=
             kAlike;
    };
    if (std::ranges::none_of(made, differs_little)) made.push_back(plain);
  }
  return made;
}

thimble::SearchResult Finals::best_alone(const std::string& compared) {
  const auto networks = unlike();
  Ranked best;
  for (const Genotype& network : networks) {
    const double metric = weights_.validate_alone(network);
    evaluator_.log(decimals(metric, 2) + " trained alone: " + evaluator_.cost(network).text);
    if (best.network.empty() || metric > best.metric) best = {network, metric};
  }
  return taken(best.network, compared + "; trained alone, the best of " +
                                 std::to_string(networks.size()) + " has " +
                                 decimals(best.metric, 2));
}

thimble::SearchResult Finals::taken(const Genotype& network, const std::string& remark) {
  const std::vector<Genotype> found{feasible_.plain(network).genotype};
  weights_.hand_on(found.front());
  thimble::SearchResult result;
  result.front = evaluator_.evaluate(found);
  result.best = result.front.front();
  result.remarks.push_back(remark);
  return result;
}

}  // namespace dnas
