#include <thimble/search/searcher.hpp>

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include <thimble/core/text.hpp>

namespace thimble {

Relaxation::~Relaxation() = default;
Evaluator::~Evaluator() = default;
void Evaluator::judge_together(std::span<Evaluation>) const {}
Searcher::~Searcher() = default;

bool Searcher::needs_supernet() const { return false; }
bool Searcher::needs_relaxation() const { return false; }
bool Searcher::hands_on_weights() const { return false; }

std::unique_ptr<Relaxation> Evaluator::relaxation(const RelaxationOrder&) {
  throw std::logic_error{"this evaluator has no weights that networks share"};
}

std::optional<std::int64_t> Searcher::expected_evaluations(const Problem&) const {
  return std::nullopt;
}

SearchResult summarize(const std::vector<Evaluation>& evaluations, const Problem& problem) {
  SearchResult result;
  if (evaluations.empty()) return result;
  const Evaluation& best = evaluations[best_by_ranks(evaluations, problem.objectives)];
  if (!best.is_valid()) {
    result.remarks.push_back(fmt::format("none of the {} looked at is valid: {}",
                                         count_text(std::ssize(evaluations), "network"),
                                         best.invalid));
    return result;
  }
  result.best = best;
  result.front = pareto_front(evaluations, problem.objectives);
  if (!result.best->is_feasible())
    result.remarks.push_back(fmt::format(
        "no network that was looked at keeps all limits; the best of the {} looked at exceeds "
        "them by {} % in sum",
        evaluations.size(), decimals(100 * result.best->violation, 1)));
  return result;
}

}  // namespace thimble
