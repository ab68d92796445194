#include <thimble/search/scoring.hpp>

#include <algorithm>
#include <stdexcept>

#include <thimble/core/error.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/threads.hpp>

#include "judge.hpp"
#include "pass_runner.hpp"
#include "relaxed_supernet.hpp"

namespace thimble {
namespace {

/// A canonical form is scored in place of a network only when it is as large: a benchmark may hold
/// two networks for the same that share a convolution or have one each.
bool does_same_work(const SearchSpace& space, const Genotype& a, const Genotype& b) {
  if (a == b) return true;
  const Graph first = space.build(a), second = space.build(b);
  if (!is_connected(first) || !is_connected(second)) return false;
  const Graph one = live(first), other = live(second);
  return params(one) == params(other) && macs(one) == macs(other);
}

}  // namespace

ProxyStore::~ProxyStore() = default;

std::string state_text(const Graph& supernet, const AliveOptions& alive) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < alive.size(); ++i) {
    const auto& [name, options] = supernet.decisions()[i];
    std::vector<std::string> names;
    for (std::size_t k = 0; k < options.size(); ++k)
      if (((alive[i] >> k) & 1U) != 0) names.push_back(options[k]);
    parts.push_back(name + "={" + join(names, ",") + "}");
  }
  return join(parts, ",");
}

AliveOptions parse_state(const Graph& supernet, const std::string& text) {
  AliveOptions alive;
  std::size_t at = 0;
  for (const auto& [name, options] : supernet.decisions()) {
    const auto begin = text.find("={", at), end = text.find('}', at);
    if (begin == std::string::npos || end == std::string::npos || end < begin) break;
    const auto names = split(text.substr(begin + 2, end - begin - 2), ',');
    alive.emplace_back();
    for (std::size_t k = 0; k < options.size(); ++k)
      if (std::ranges::find(names, options[k]) != names.end())
        alive.back() |= std::uint64_t{1} << k;
    at = end + 1;
  }
  if (alive.size() != supernet.decisions().size() || state_text(supernet, alive) != text)
    throw InputError{in_quotes(text) + " is no state of this supernet"};
  return alive;
}

Scoring::Scoring(ScoringSetup setup)
    : setup_{std::move(setup)},
      judge_{std::make_unique<Judge>(setup_)},
      passes_{std::make_unique<PassRunner>(setup_)},
      uncosted_{setup_.space->decisions()} {}
Scoring::~Scoring() = default;

void Scoring::log(const std::string& line) { setup_.log(line); }
void Scoring::expect(std::int64_t evaluations) { expected_ = done_ + evaluations; }
std::int64_t Scoring::scored() const { return static_cast<std::int64_t>(known_.size()); }

double Scoring::proxy_seconds() const {
  double seconds = 0;
  for (const auto& [candidate, values] : known_)
    for (const ProxyValue& value : values) seconds += value.seconds;
  return seconds;
}

std::vector<std::string> Scoring::remarks() const {
  std::vector<std::string> remarks;
  if (const std::string line = uncosted_.remark("the hardware", "networks"); !line.empty())
    remarks.push_back(line);
  return remarks;
}

Evaluation Scoring::cost(const Genotype& genotype) const {
  stop_if_requested();
  Evaluation evaluation;
  evaluation.genotype = genotype;
  evaluation.text = setup_.space->encode(genotype);
  const Graph graph = setup_.space->build(genotype);
  evaluation.macs = macs(graph);
  evaluation.params = params(graph);
  if (!is_connected(graph)) {
    evaluation.invalid = kDisconnected;
  } else if (setup_.hardware != nullptr) {
    evaluation.cost = setup_.hardware->cost(graph);
    evaluation.has_cost = evaluation.cost.unsupported.empty();
    if (!evaluation.cost.unsupported.empty())
      evaluation.invalid = "the hardware cannot run it: " + evaluation.cost.unsupported;
    uncosted_.note(evaluation);
  }
  judge_->judge(evaluation);
  return evaluation;
}

std::unique_ptr<Relaxation> Scoring::relaxation(const RelaxationOrder& order) {
  return relaxed_supernet(setup_, order, [this] { setup_.progress(++done_, expected_); });
}

const ProxyValue* Scoring::proxy(const Evaluation& evaluation, std::string_view metric) const {
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (setup_.proxies[i].name == metric) return &evaluation.proxies[i];
  return nullptr;
}

void Scoring::run(std::vector<ScoringTask>& tasks) {
  std::erase_if(tasks, [&](const ScoringTask& task) { return known_.contains(task.key); });
  std::ranges::stable_sort(tasks, {}, &ScoringTask::key);
  tasks.erase(
      std::unique(tasks.begin(), tasks.end(),
                  [](const ScoringTask& a, const ScoringTask& b) { return a.key == b.key; }),
      tasks.end());
  // The cheapest last, so that no worker waits long for another's; those only, or the time left
  // would look too long for the whole of a run.
  const auto cheapest = std::min(std::ssize(tasks), std::ptrdiff_t{4} * setup_.jobs);
  std::ranges::partial_sort(tasks.rbegin(), tasks.rbegin() + cheapest, tasks.rend(), {},
                            &ScoringTask::macs);
  if (!setup_.prefetch) return score(tasks);
  // The first ones tell how long the others will take.
  const auto first = std::min(tasks.size(), std::size_t{4} * static_cast<std::size_t>(setup_.jobs));
  score(std::span{tasks}.first(first));
  prefetch_behind(first, tasks);
  score(std::span{tasks}.subspan(first));
}

void Scoring::prefetch_behind(std::size_t first, const std::vector<ScoringTask>& tasks) const {
  if (first == tasks.size()) return;
  double seconds = 0;
  for (std::size_t i = 0; i < first; ++i)
    for (const ProxyValue& value : known_.at(tasks[i].key)) seconds += value.seconds;
  std::vector<std::string> keys;
  for (std::size_t i = first; i < tasks.size(); ++i) keys.push_back(tasks[i].key);
  setup_.prefetch(keys, seconds / static_cast<double>(first), tasks[first].is_supernet);
}

void Scoring::score(std::span<const ScoringTask> tasks) {
  std::vector<std::vector<ProxyValue>> values(tasks.size());
  in_parallel(setup_.jobs, tasks.size(), [&](std::size_t i) {
    stop_if_requested();
    begin_worker();
    values[i] = passes_->score(tasks[i]);
    setup_.progress(++done_, expected_);
  });
  for (std::size_t i = 0; i < tasks.size(); ++i) known_[tasks[i].key] = std::move(values[i]);
}

void Scoring::judge_together(std::span<Evaluation> population) const {
  judge_->judge_together(population);
}

std::vector<Evaluation> Scoring::evaluate(std::span<const Genotype> genotypes) {
  std::vector<Evaluation> evaluations(genotypes.size());
  std::vector<Genotype> stand_ins(genotypes.size());
  std::vector<std::string> keys(genotypes.size());
  in_parallel(setup_.jobs, genotypes.size(), [&](std::size_t i) {
    evaluations[i] = cost(genotypes[i]);
    const Genotype canonical = setup_.space->canonical(genotypes[i]);
    evaluations[i].canonical = setup_.space->encode(canonical);
    if (setup_.proxies.empty() || !judge_->is_to_be_scored(evaluations[i])) return;
    const bool is_same = does_same_work(*setup_.space, genotypes[i], canonical);
    stand_ins[i] = is_same ? canonical : genotypes[i];
    keys[i] = is_same ? evaluations[i].canonical : evaluations[i].text;
  });
  std::vector<ScoringTask> tasks;
  if (!setup_.proxies.empty()) {
    for (std::size_t i = 0; i < genotypes.size(); ++i) {
      if (!judge_->is_to_be_scored(evaluations[i])) continue;
      tasks.push_back(
          {keys[i],
           [genotype = stand_ins[i]](const SearchSpace& space) { return space.build(genotype); },
           evaluations[i].macs});
    }
  }
  run(tasks);
  for (std::size_t i = 0; i < evaluations.size(); ++i) {
    Evaluation& evaluation = evaluations[i];
    const auto known = known_.find(keys[i]);
    if (judge_->is_to_be_scored(evaluation) && known != known_.end()) {
      evaluation.proxies = known->second;
      judge_->note_invalid(evaluation);
    }
  }
  judge_->judge_together(evaluations);
  for (const Evaluation& evaluation : evaluations)
    if (evaluated_places_.try_emplace(evaluation.text, evaluated_.size()).second)
      evaluated_.push_back(evaluation);
  return evaluations;
}

std::vector<Evaluation> Scoring::evaluate_supernets(std::span<const AliveOptions> states) {
  if (setup_.space->supernet() == nullptr)
    throw std::logic_error{
        "a searcher asks for supernets of a search space without: its needs_supernet() must say "
        "so"};
  const Graph& supernet = *setup_.space->supernet();
  std::vector<ScoringTask> tasks;
  std::vector<Evaluation> evaluations(states.size());
  for (std::size_t i = 0; i < states.size(); ++i) {
    Evaluation& evaluation = evaluations[i];
    evaluation.text = evaluation.canonical = state_text(supernet, states[i]);
    tasks.push_back({evaluation.text,
                     [state = states[i]](const SearchSpace& space) {
                       return restricted(*space.supernet(), state);
                     },
                     macs(restricted(supernet, states[i])), true});
  }
  run(tasks);
  for (Evaluation& evaluation : evaluations) {
    evaluation.macs = evaluation.params = -1;
    if (const auto known = known_.find(evaluation.text); known != known_.end())
      evaluation.proxies = known->second;
    judge_->note_invalid(evaluation);
    judge_->judge(evaluation);
  }
  return evaluations;
}

}  // namespace thimble
