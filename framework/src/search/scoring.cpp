#include <thimble/search/scoring.hpp>

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/input_source.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/search/shared_pass.hpp>

namespace thimble {
namespace {

constexpr const char* kDisconnected = "no path from the input to the output";

/// "rom_bytes 666000 of 524288"
std::string excess_text(const Limit& limit, double value) {
  const auto text = [](double number) {
    return number < 1e5 ? fmt::format("{:.6g}", number) : fmt::format("{:.0f}", number);
  };
  return fmt::format("{} {} of {}", limit.metric, text(value), text(limit.most));
}

/// A canonical form is scored in place of a network only when it is as large: a benchmark may hold
/// two networks for the same that share a convolution or have one each.
bool does_same_work(const SearchSpace& space, const Genotype& a, const Genotype& b) {
  if (a == b) return true;
  const Graph first = space.build(a), second = space.build(b);
  if (!is_connected(first) || !is_connected(second)) return false;
  const Graph one = live(first), other = live(second);
  return params(one) == params(other) && macs(one) == macs(other);
}

/// LibTorch has no type of its own for this.
bool is_out_of_memory(const std::exception& failure) {
  return dynamic_cast<const std::bad_alloc*>(&failure) != nullptr ||
         std::string_view{failure.what()}.find("DefaultCPUAllocator") != std::string_view::npos;
}

/// Batches are the same for all passes that differ only in what is not in it. Who looks at fewer
/// batches sees the first of them.
std::string name_of_batches(const Pass& pass, const Shape& input, int repeat) {
  return fmt::format("{} {} {} {} {} {} {}", static_cast<int>(pass.input), pass.batch,
                     static_cast<int>(pass.fit), pass.augment, pass.double_precision,
                     to_string(input), repeat);
}

std::int64_t bytes_of(const std::vector<Samples>& batches) {
  std::int64_t bytes = 0;
  for (const Samples& samples : batches)
    bytes += static_cast<std::int64_t>(samples.images.nbytes());
  return bytes;
}

void require_finite(const ScoredProxy& scored, double value) {
  if (!std::isfinite(value)) throw Error{fmt::format("proxy '{}' gave {}", scored.name, value)};
}

/// To be called in a catch block.
[[noreturn]] void throw_fault(const std::string& proxy, const std::string& candidate) {
  throw Error{fmt::format("proxy '{}' failed on {}: {}", proxy, candidate, what_was_thrown()),
              "this is a fault of the plugin, not of the experiment"};
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

/// One candidate to score: its name in the store, and its graph in a given form of the space.
struct Scoring::Task {
  std::string key;
  std::function<Graph(const SearchSpace&)> build;
  std::int64_t macs = 0;
  bool is_supernet = false;
};

/// A value that is being computed.
struct Scoring::Asked {
  std::size_t proxy = 0;
  ProxyValue value;
};

Scoring::Scoring(ScoringSetup setup)
    : setup_{std::move(setup)},
      passes_{merge_passes(setup_.proxies)},
      uncosted_{setup_.space->decisions()} {
  for (std::size_t i = 0; i < setup_.proxies.size(); ++i) {
    names_.proxies.push_back(setup_.proxies[i].name);
    own_passes_.push_back(merge_passes({setup_.proxies[i]}).front());
    own_passes_.back().proxies = {i};
  }
  for (const Aggregate& aggregate : setup_.aggregates) names_.aggregates.push_back(aggregate.name);
}
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
  judge(evaluation);
  return evaluation;
}

const ProxyValue* Scoring::proxy(const Evaluation& evaluation, std::string_view metric) const {
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (setup_.proxies[i].name == metric) return &evaluation.proxies[i];
  return nullptr;
}

bool Scoring::is_to_be_scored(const Evaluation& evaluation) const {
  return evaluation.is_feasible() || (setup_.scores_infeasible && evaluation.is_valid());
}

/// Objectives and violation, from what is known of the candidate.
void Scoring::judge(Evaluation& evaluation) const {
  evaluation.violation = 0;
  std::vector<std::string> excesses;
  for (const Limit& limit : setup_.limits) {
    const double value = cost_metric(evaluation, limit.metric);
    if (!(value > limit.most)) continue;
    evaluation.violation += limit.most > 0 ? value / limit.most - 1 : value;
    excesses.push_back(excess_text(limit, value));
  }
  evaluation.excess = join(excesses);
  evaluation.objectives.clear();
  for (const Objective& objective : setup_.objectives)
    evaluation.objectives.push_back(metric_of(evaluation, objective.metric, names_));
}

void Scoring::judge_together(std::span<Evaluation> population) const {
  aggregate(population, setup_.aggregates, names_);
  for (Evaluation& evaluation : population) judge(evaluation);
}

/// The same for all candidates, unless each has its own; kept for the next one as long as a quarter
/// of the memory of a job holds them. Nobody waits while another draws.
Scoring::Batches Scoring::batches_of(const SharedPass& shared, const Task& task, const Shape& input,
                                     int repeat) {
  const auto draw = [&](std::uint64_t seed) {
    return std::make_shared<const std::vector<Samples>>(
        draw_batches(*setup_.dataset, shared.pass, input, repeat, seed));
  };
  if (!shared.pass.paired) return draw(seed_for(shared, task));
  const std::string name = name_of_batches(shared.pass, input, repeat);
  const auto known = [&]() -> Batches {
    const auto found = batches_.find(name);
    const bool is_enough =
        found != batches_.end() && std::ssize(*found->second) >= shared.pass.batches;
    return is_enough ? found->second : nullptr;
  };
  {
    const std::scoped_lock lock{batches_mutex_};
    if (Batches batches = known()) return batches;
  }
  Batches drawn = draw(setup_.seed);
  const std::scoped_lock lock{batches_mutex_};
  if (Batches batches = known()) return batches;
  const auto fewer = batches_.find(name);
  const std::int64_t more =
      bytes_of(*drawn) - (fewer == batches_.end() ? 0 : bytes_of(*fewer->second));
  if (batches_bytes_ + more <= setup_.most_bytes / 4) {
    batches_bytes_ += more;
    batches_.insert_or_assign(name, drawn);
  }
  return drawn;
}

std::uint64_t Scoring::seed_for(const SharedPass& shared, const Task& task) const {
  return shared.pass.paired ? setup_.seed : Random::stream(setup_.seed, {"candidate", task.key})();
}

/// The reason why a value is invalid, or nothing. What says nothing of the candidate ends the run:
/// a wish to stop, damaged data, want of memory, and faults of plugins.
template <class Work>
std::string Scoring::reason_against(const std::string& proxy, const Task& task, const Work& work) {
  try {
    work();
    return "";
  } catch (const Interrupted&) {
    throw;
  } catch (const InputError&) {
    throw;  // the data is damaged, not the candidate
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  } catch (const c10::LinAlgError&) {
    return "a decomposition did not converge: its matrix is not finite";
  } catch (const std::exception& failure) {
    if (is_out_of_memory(failure))
      throw Error{fmt::format("out of memory at proxy '{}' on {}", proxy, task.key),
                  "use fewer --jobs, a smaller batch, or a lower memory_mib, which leaves out what "
                  "would hold more"};
    throw_fault(proxy, task.key);
  } catch (...) {
    throw_fault(proxy, task.key);
  }
}

Graph Scoring::graph_for(const SharedPass& shared, const Task& task) const {
  const Graph built = task.build(*shared.space);
  if (!is_connected(built)) throw Error{kDisconnected};
  Graph graph = shared.pass.dead_ends ? built : live(built);
  if (shared.pass.batch_norm == BatchNorm::off) graph = without_batch_norm(graph);
  return graph;
}

void Scoring::ask(Asked& asked, Observation& seen, const Task& task) {
  const ScoredProxy& scored = setup_.proxies[asked.proxy];
  ProxyValue& value = asked.value;
  const double start = thread_seconds() - seen.shared_seconds();
  value.invalid = reason_against(scored.name, task, [&] {
    value.repeats.push_back(scored.proxy->score(seen));
    require_finite(scored, value.repeats.back());
  });
  value.seconds += thread_seconds() - seen.shared_seconds() - start;
}

void Scoring::leave_out(const SharedPass& shared, std::int64_t bytes, Asked& asked) const {
  constexpr double kMebi = 1 << 20;
  asked.value.invalid = fmt::format(
      "a pass over a batch of {} would hold {:.1f} MiB, memory_mib is {}", shared.pass.batch,
      static_cast<double>(bytes) / kMebi, static_cast<double>(setup_.most_bytes) / kMebi);
  asked.value.is_left_out = true;
}

/// What is too much for all together may do for each.
void Scoring::look_one_by_one(const Task& task, std::span<Asked> asked) {
  for (Asked& one : asked) look(own_passes_[one.proxy], task, {&one, 1});
}

void Scoring::look(const SharedPass& shared, const Task& task, std::span<Asked> asked) {
  const double start = thread_seconds();
  std::optional<Network> network;
  const std::string& first = setup_.proxies[asked.front().proxy].name;
  const std::string no_network = reason_against(first, task, [&] {
    network.emplace(graph_for(shared, task),
                    shared.pass.double_precision ? at::kDouble : at::kFloat);
  });
  for (Asked& one : asked) one.value.invalid = no_network;
  if (!network) return;
  std::int64_t bytes = 0;
  const std::string no_pass = reason_against(
      first, task, [&] { bytes = pass_bytes(network->graph(), shared.pass, shared.reads); });
  for (Asked& one : asked) one.value.invalid = no_pass;
  if (!no_pass.empty()) return;
  if (bytes > setup_.most_bytes)
    return shared.proxies.size() > 1 ? look_one_by_one(task, asked)
                                     : leave_out(shared, bytes, asked[0]);
  const std::uint64_t seed = seed_for(shared, task);
  for (int repeat = 0; repeat < shared.pass.repeats; ++repeat) {
    const int draw = shared.pass.fresh_weights ? repeat : 0;
    if (repeat == 0 || shared.pass.fresh_weights)
      network->initialise(shared.pass.init, seed, "weights" + std::to_string(draw));
    const Shape& input = network->graph().node(0).shape;
    const Batches batches = batches_of(shared, task, input, repeat);
    Observation seen{*network, *batches, shared.reads, seed, repeat};
    for (Asked& one : asked)
      if (one.value.invalid.empty() && repeat < setup_.proxies[one.proxy].proxy->pass().repeats)
        ask(one, seen, task);
  }
  for (Asked& one : asked) {
    ProxyValue& value = one.value;
    if (!value.invalid.empty()) continue;
    const ScoredProxy& scored = setup_.proxies[one.proxy];
    value.invalid = reason_against(scored.name, task, [&] {
      const double combined = scored.proxy->combine(value.repeats);
      require_finite(scored, combined);
      value.value = combined;
    });
  }
  // What served all of them is shared out evenly.
  double common = thread_seconds() - start;
  for (const Asked& one : asked) common -= one.value.seconds;
  for (Asked& one : asked) one.value.seconds += common / static_cast<double>(asked.size());
}

std::vector<ProxyValue> Scoring::score(const Task& task) {
  std::vector<ProxyValue> values(setup_.proxies.size());
  for (const SharedPass& shared : passes_) {
    std::vector<Asked> asked;
    for (const std::size_t i : shared.proxies) {
      const ScoredProxy& scored = setup_.proxies[i];
      std::optional<ProxyValue> known;
      if (setup_.store != nullptr) known = setup_.store->find(task.key, scored.key);
      if (known) {
        values[i] = std::move(*known);
      } else if (task.is_supernet && !scored.proxy->accepts_supernets()) {
        values[i].invalid = fmt::format("proxy '{}' cannot score a supernet", scored.name);
      } else {
        asked.push_back({i, {}});
      }
    }
    if (!asked.empty()) look(shared, task, asked);
    for (Asked& one : asked) {
      if (setup_.store != nullptr && !one.value.is_left_out)
        setup_.store->put(task.key, setup_.proxies[one.proxy].key, one.value);
      values[one.proxy] = std::move(one.value);
    }
  }
  return values;
}

/// A candidate cannot be compared when an objective lacks its value; what is only looked at may.
void Scoring::note_invalid(Evaluation& evaluation) const {
  for (std::size_t i = 0; i < evaluation.proxies.size(); ++i)
    if (evaluation.invalid.empty() && is_objective(setup_.proxies[i].name))
      evaluation.invalid = evaluation.proxies[i].invalid;
}

bool Scoring::is_objective(const std::string& proxy) const {
  const auto is_of = [&](const Objective& objective) {
    if (objective.metric == proxy) return true;
    const auto found = std::ranges::find(setup_.aggregates, objective.metric, &Aggregate::name);
    return found != setup_.aggregates.end() &&
           std::ranges::find(found->of, proxy, &DirectedMetric::metric) != found->of.end();
  };
  return setup_.objectives.empty() || std::ranges::any_of(setup_.objectives, is_of);
}

void Scoring::run(std::vector<Task>& tasks) {
  std::erase_if(tasks, [&](const Task& task) { return known_.contains(task.key); });
  std::ranges::stable_sort(tasks, {}, &Task::key);
  tasks.erase(std::unique(tasks.begin(), tasks.end(),
                          [](const Task& a, const Task& b) { return a.key == b.key; }),
              tasks.end());
  // The cheapest last, so that no worker waits long for another's; those only, or the time left
  // would look too long for the whole of a run.
  const auto cheapest = std::min(std::ssize(tasks), std::ptrdiff_t{4} * setup_.jobs);
  std::ranges::partial_sort(tasks.rbegin(), tasks.rbegin() + cheapest, tasks.rend(), {},
                            &Task::macs);
  std::vector<std::vector<ProxyValue>> values(tasks.size());
  in_parallel(setup_.jobs, tasks.size(), [&](std::size_t i) {
    stop_if_requested();
    begin_worker();
    values[i] = score(tasks[i]);
    setup_.progress(++done_, expected_);
  });
  for (std::size_t i = 0; i < tasks.size(); ++i) known_[tasks[i].key] = std::move(values[i]);
}

std::vector<Evaluation> Scoring::evaluate(std::span<const Genotype> genotypes) {
  std::vector<Evaluation> evaluations(genotypes.size());
  std::vector<Genotype> stand_ins(genotypes.size());
  std::vector<std::string> keys(genotypes.size());
  in_parallel(setup_.jobs, genotypes.size(), [&](std::size_t i) {
    evaluations[i] = cost(genotypes[i]);
    const Genotype canonical = setup_.space->canonical(genotypes[i]);
    evaluations[i].canonical = setup_.space->encode(canonical);
    if (setup_.proxies.empty() || !is_to_be_scored(evaluations[i])) return;
    const bool is_same = does_same_work(*setup_.space, genotypes[i], canonical);
    stand_ins[i] = is_same ? canonical : genotypes[i];
    keys[i] = is_same ? evaluations[i].canonical : evaluations[i].text;
  });
  std::vector<Task> tasks;
  if (!setup_.proxies.empty()) {
    for (std::size_t i = 0; i < genotypes.size(); ++i) {
      if (!is_to_be_scored(evaluations[i])) continue;
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
    if (is_to_be_scored(evaluation) && known != known_.end()) {
      evaluation.proxies = known->second;
      note_invalid(evaluation);
    }
  }
  judge_together(evaluations);
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
  std::vector<Task> tasks;
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
    note_invalid(evaluation);
    judge(evaluation);
  }
  return evaluations;
}

}  // namespace thimble
