#include <thimble/search/prospector.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/text.hpp>

namespace thimble {

Prospector::Prospector(const Problem& problem, Evaluator& evaluator, std::int64_t most)
    : problem_{problem}, evaluator_{evaluator}, left_{most} {
  evaluator_.expect(most);
}

std::vector<Evaluation> Prospector::look_at(std::int64_t wanted, const Draw& draw) {
  const double least = least_violation_;
  std::vector<Evaluation> networks = find(static_cast<std::size_t>(std::min(wanted, left_)), draw);
  std::vector<Genotype> genotypes;
  for (const Evaluation& network : networks)
    if (network.is_feasible()) genotypes.push_back(network.genotype);
  constexpr double kNotably = 0.99;
  idle_ = !genotypes.empty() || least_violation_ < kNotably * least ? 0 : idle_ + 1;
  if (genotypes.empty()) {
    if (scored_.empty()) evaluator_.log(why_none());
    return networks;
  }
  left_ -= static_cast<std::int64_t>(genotypes.size());
  std::erase_if(networks, [](const Evaluation& network) { return network.is_feasible(); });
  for (Evaluation& network : evaluator_.evaluate(genotypes)) {
    scored_.push_back(network);
    networks.push_back(std::move(network));
  }
  return networks;
}

std::vector<Evaluation> Prospector::find(std::size_t wanted, const Draw& draw) {
  const std::size_t most_misses = 1000 + 20 * wanted;
  std::vector<Evaluation> found, beyond;
  int in_a_row = 0;
  for (std::size_t misses = 0; found.size() < wanted && misses < most_misses;) {
    const auto genotype = draw(in_a_row);
    if (!genotype) break;
    Evaluation network = evaluator_.cost(*genotype);
    const bool is_new = seen_.insert(identity_of(network)).second;
    if (is_new && network.is_feasible()) {
      found.push_back(std::move(network));
      in_a_row = 0;
      continue;
    }
    ++misses;
    ++in_a_row;
    if (why_invalid_.empty()) why_invalid_ = network.invalid;
    if (!is_new || !network.is_valid()) continue;
    note_beyond(network);
    beyond.push_back(std::move(network));
  }
  std::ranges::stable_sort(beyond, {}, &Evaluation::violation);
  beyond.resize(std::min(beyond.size(), wanted - found.size()));
  std::ranges::move(beyond, std::back_inserter(found));
  return found;
}

/// Isomorphic networks share their proxies. They differ to a search only where dead ends are
/// counted.
std::string Prospector::identity_of(const Evaluation& network) const {
  std::string identity = problem_.space.encode(problem_.space.canonical(network.genotype));
  for (const double value : network.objectives) identity += " " + number_text(value);
  return identity + " " + number_text(network.violation);
}

void Prospector::note_beyond(const Evaluation& network) {
  if (network.violation > least_violation_) return;
  if (network.violation < least_violation_) nearest_.clear();
  least_violation_ = network.violation;
  nearest_.push_back(network);
}

SearchResult Prospector::result() {
  if (!scored_.empty()) {
    evaluator_.judge_together(scored_);
    return summarize(scored_, problem_);
  }
  SearchResult result = summarize(nearest_, problem_);
  result.remarks = {why_none()};
  return result;
}

std::string Prospector::why_none() const {
  const std::string none = fmt::format("none of the {} looked at keeps all limits",
                                       count_text(std::ssize(seen_), "network"));
  if (nearest_.empty()) return none + ", and none is valid: " + why_invalid_;
  return fmt::format("{}; the nearest exceed them by {} % in sum", none,
                     decimals(100 * least_violation_, 1));
}

std::int64_t affordable_evaluations(const Problem& problem, std::int64_t wanted) {
  const auto most = std::min(wanted, problem.budget.evaluations);
  const auto size = space_size(problem.decisions);
  return size ? std::min(most, static_cast<std::int64_t>(*size)) : most;
}

}  // namespace thimble
