#include <thimble/search/witnesses.hpp>

#include <bit>

#include <thimble/graph/transforms.hpp>

namespace thimble {
namespace {

bool is_better(const Evaluation& a, const Evaluation& b) {
  if (a.is_valid() != b.is_valid()) return a.is_valid();
  return a.violation < b.violation;
}

}  // namespace

double networks_in(const AliveOptions& alive) {
  double size = 1;
  for (const std::uint64_t mask : alive) size *= std::popcount(mask);
  return size;
}

const Evaluation& Witnesses::best_in(const AliveOptions& alive) {
  Genotype genotype;
  for (const std::uint64_t mask : alive) genotype.push_back(std::countr_zero(mask));
  const Evaluation* best = descend(alive, &cost(genotype));
  if (!best->is_feasible() && networks_in(alive) <= static_cast<double>(most_))
    best = enumerate(alive, best);
  return *best;
}

const Evaluation& Witnesses::cost(const Genotype& genotype) {
  auto [place, is_new] = known_.try_emplace(genotype);
  if (is_new) place->second = evaluator_.cost(genotype);
  return place->second;
}

const Evaluation* Witnesses::descend(const AliveOptions& alive, const Evaluation* best) {
  for (bool is_moving = true; is_moving && !best->is_feasible();) {
    is_moving = false;
    for (std::size_t i = 0; i < alive.size(); ++i) {
      for (const int option : options_in(alive[i])) {
        Genotype neighbour = best->genotype;
        neighbour[i] = option;
        const Evaluation& other = cost(neighbour);
        if (!is_better(other, *best)) continue;
        best = &other;
        is_moving = true;
      }
    }
  }
  return best;
}

const Evaluation* Witnesses::enumerate(const AliveOptions& alive, const Evaluation* best) {
  Genotype genotype = best->genotype;
  const auto visit = [&](const auto& self, std::size_t decision) -> void {
    if (best->is_feasible()) return;
    if (decision == alive.size()) {
      if (const Evaluation& other = cost(genotype); is_better(other, *best)) best = &other;
      return;
    }
    for (const int option : options_in(alive[decision])) {
      genotype[decision] = option;
      self(self, decision + 1);
    }
  };
  visit(visit, 0);
  return best;
}

}  // namespace thimble
