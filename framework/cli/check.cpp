#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/propagation/device.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/page/run_page.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/run/train_stage.hpp>
#include <thimble/search/shared_pass.hpp>
#include <thimble/search/uncosted.hpp>

#include "chosen_engine.hpp"
#include "cli.hpp"

namespace thimble::cli {
namespace {

using Clock = std::chrono::steady_clock;

std::string point_line(std::size_t index, const Study& study) {
  const auto count = study.searcher == nullptr
                         ? std::nullopt
                         : study.searcher->expected_evaluations(study.problem());
  return fmt::format("  point {}: seed {}{}{}, {}", index + 1, study.seed,
                     study.row.empty() ? "" : ", ", study.row,
                     study.searcher == nullptr ? "no searcher"
                     : count                   ? "about " + count_text(*count, "candidate")
                                               : "an unknown number of candidates");
}

/// In the work of one forward run of a batch: a backward one is twice that, once when it stops
/// short of the weights. What a proxy does of its own is not in it.
int forward_runs(const SharedPass& shared) {
  const Reads& reads = shared.reads;
  int runs = 0;
  if (reads.outputs || reads.any_gradients()) runs += 1;
  if (reads.loss_gradients || reads.output_gradients) runs += 2 + 3 * (shared.pass.batches - 1);
  if (reads.input_gradients) runs += 1;
  return runs * shared.pass.repeats;
}

/// MACs of a forward run and bytes of a pass, the most among random networks.
struct PassSize {
  std::int64_t macs = 0;
  std::int64_t bytes = 0;
};

PassSize largest_of_some(const SharedPass& shared) {
  constexpr int kNetworks = 100;
  Random random = Random::stream(0, {"some networks"});
  const auto decisions = shared.space->decisions();
  PassSize most;
  for (int i = 0; i < kNetworks; ++i) {
    const Graph graph = shared.space->build(random_genotype(decisions, random));
    if (!is_connected(graph)) continue;
    const Graph lived = live(graph);
    most.macs = std::max(most.macs, macs(lived) * shared.pass.batch);
    try {
      most.bytes = std::max(most.bytes, pass_bytes(lived, shared.pass, shared.reads));
    } catch (const Error&) {  // a network that the proxy has no value of
      continue;
    }
  }
  return most;
}

/// What is found out by looking at random networks, once for all points of a sweep that share what
/// it depends on.
class RandomNetworks {
 public:
  PassSize largest(const SharedPass& shared, const Study& study) {
    std::vector<const void*> key{shared.space};
    for (const std::size_t i : shared.proxies) key.push_back(study.proxies[i].proxy.get());
    const auto [found, is_new] = sizes_.try_emplace(std::move(key));
    if (is_new) found->second = largest_of_some(shared);
    return found->second;
  }

  /// What the hardware has no cost for, or nothing. Takes about a second for all points.
  std::string uncosted(const Study& study) {
    const auto [found, is_new] = uncosted_.try_emplace({study.space.get(), study.hardware.get()});
    if (!is_new || time_left_.count() <= 0) return found->second;
    const auto start = Clock::now();
    found->second = uncosted_at_random(*study.space, *study.hardware, study.hardware->target().name,
                                       100, time_left_);
    time_left_ -= std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    return found->second;
  }

 private:
  std::map<std::vector<const void*>, PassSize> sizes_;
  std::map<std::pair<const SearchSpace*, const Hardware*>, std::string> uncosted_;
  std::chrono::milliseconds time_left_{1000};
};

/// Conditions under which proxies look at networks, who shares them, and the work of it.
std::string pass_line(const SharedPass& shared, const Study& study, RandomNetworks& networks) {
  const Pass& pass = shared.pass;
  std::vector<std::string> names;
  for (const std::size_t i : shared.proxies) names.push_back(study.proxies[i].name);
  std::string line =
      fmt::format("pass for {}: {} of {} of {} from {}, network {}, init {}{}{}{}{}", join(names),
                  count_text(pass.repeats, "repeat"), count_text(pass.batches, "batch"), pass.batch,
                  detail::one_line(detail::Codec<InputKind>::write(pass.input)),
                  shared.space == study.space.get() ? "full" : detail::one_line(pass.net),
                  detail::one_line(detail::Codec<Init>::write(pass.init)),
                  pass.fresh_weights ? "" : " drawn once", pass.paired ? "" : ", draws of its own",
                  pass.batch_norm == BatchNorm::off ? ", no batch norm" : "",
                  pass.double_precision ? ", in double" : "");
  if (!shared.reads.anything()) return line;
  const auto [macs, bytes] = networks.largest(shared, study);
  if (const int runs = forward_runs(shared); runs > 0)
    line += fmt::format("; shared work of {} of at most {}MACs", count_text(runs, "forward run"),
                        with_prefix(static_cast<double>(macs)));
  constexpr std::int64_t kMebi = 1 << 20;
  line += fmt::format("; about {} MiB for a large network", (bytes + kMebi - 1) / kMebi);
  return bytes > study.most_bytes
             ? line + ", more than memory_mib: its proxies run one by one there"
             : line;
}

std::string aggregate_line(const Aggregate& aggregate) {
  std::vector<std::string> members;
  for (const auto& [metric, direction] : aggregate.of)
    members.push_back(
        fmt::format("{} {}", direction == Direction::minimize ? "least" : "most", metric));
  return fmt::format("aggregate {}: {} of {}", aggregate.name,
                     detail::one_line(detail::Codec<AggregateKind>::write(aggregate.kind)),
                     join(members));
}

std::string prune_phrase(const Prune& prune) {
  std::vector<std::string> beside;
  if (prune.whole) beside.emplace_back("the whole network");
  if (prune.narrow) beside.emplace_back("the narrow one");
  return fmt::format(
      "; {} of the channels pruned by {}{}{}{}",
      prune.from == PruneFrom::decisions ? "the decided share" : number_text(prune.sparsity),
      detail::one_line(detail::Codec<PruneCriterion>::write(prune.criterion)),
      prune.start == PruneStart::whole ? " of what has learned whole" : "",
      beside.empty() ? "" : ", beside ", join(beside, " and "));
}

std::string limit_line(const Limit& limit) {
  constexpr double kNoPartsFrom = 1e5;
  std::string line =
      fmt::format("limit: {} <= {}", limit.metric,
                  limit.most < kNoPartsFrom ? number_text(limit.most) : decimals(limit.most, 0));
  if (limit.metric.ends_with("_bytes")) line += " (" + decimals(limit.most / 1024, 0) + " KiB)";
  return line;
}

std::string recipe_phrase(const Study& study, const Study::TrainedOn& on) {
  const Recipe& recipe = on.recipe;
  std::string stages = recipe.prune ? prune_phrase(*recipe.prune) : "";
  if (recipe.quantise) {
    const bool learns = recipe.quantise->method == QuantiseMethod::qat;
    stages += "; int8 by " +
              detail::one_line(detail::Codec<QuantiseMethod>::write(recipe.quantise->method));
    if (learns) stages += fmt::format(" of {}", count_text(recipe.quantise->epochs, "epoch"));
  }
  if (!on.changes.is_null()) stages += "; recipe: " + detail::one_line(on.changes);
  if (on.limits != study.limits)
    for (const Limit& limit : lowest_limits(on.limits)) stages += "; " + limit_line(limit);
  return fmt::format("{}, {} with {}, batch {}{}", count_text(recipe.epochs, "epoch"),
                     detail::one_line(detail::Codec<OptimiserKind>::write(recipe.optimiser)),
                     detail::one_line(detail::Codec<Schedule>::write(recipe.schedule)),
                     recipe.batch, stages);
}

std::string start_phrase(const std::string& start) {
  if (start == kNewWeights) return "";
  return start == kSearchedWeights ? ", from the search's weights" : ", from " + start;
}

/// A line for the data that networks are trained on in one way.
std::vector<std::string> train_lines(const Study& study) {
  const TrainSettings& train = *study.train;
  const Value& networks = train.networks;
  std::map<std::string, std::vector<std::string>> datasets;  // by how they are trained on
  for (const Study::TrainedOn& on : study.trained_on)
    datasets[recipe_phrase(study, on)].push_back(on.name);
  std::vector<std::string> lines;
  for (const Study::TrainedOn& on : study.trained_on) {
    const std::string phrase = recipe_phrase(study, on);
    if (datasets[phrase].front() != on.name) continue;
    lines.push_back(fmt::format("train {}{}: {} each as {}{}, {}",
                                networks.is_sequence()
                                    ? count_text(std::ssize(networks.items()), "network")
                                    : networks.text(),
                                on.name.empty() ? "" : " on " + join(datasets[phrase], " and on "),
                                count_text(std::ssize(train.seeds), "training"),
                                train.task.find("use")->text(), start_phrase(train.start), phrase));
  }
  return lines;
}

bool is_limited(const Study& study, const std::string& metric) {
  return std::ranges::find(study.limits, metric, &Limit::metric) != study.limits.end();
}

std::vector<std::string> check_lines(const Study& study, RandomNetworks& networks) {
  std::vector<std::string> lines;
  if (const auto size = space_size(study.space->decisions()))
    lines.push_back(fmt::format("search space: {} networks{}", *size,
                                study.space->supernet() != nullptr ? ", with a supernet" : ""));
  if (study.dataset != nullptr) {
    const DatasetInfo info = study.dataset->describe();
    lines.push_back(fmt::format("dataset {}: {} samples of {}, {} classes", info.name,
                                info.train_samples, to_string(info.shape), info.classes));
  }
  for (const SharedPass& shared : merge_passes(study.scoring().proxies))
    lines.push_back(pass_line(shared, study, networks));
  if (study.hardware != nullptr) {
    const Target& target = study.hardware->target();
    lines.push_back(fmt::format("hardware {}: {} KiB RAM, {} KiB ROM", runtime_text(target),
                                target.ram_bytes / 1024, target.rom_bytes / 1024));
  }
  for (const Aggregate& aggregate : study.aggregates) lines.push_back(aggregate_line(aggregate));
  for (const Objective& objective : study.objectives)
    lines.push_back(
        fmt::format("objective: {} {}, weight {}",
                    objective.direction == Direction::minimize ? "minimize" : "maximize",
                    objective.metric, number_text(objective.weight)));
  for (const Limit& limit : lowest_limits(study.limits)) lines.push_back(limit_line(limit));
  if (study.train)
    for (const std::string& line : train_lines(study)) lines.push_back(line);
  auto remarks = study.remarks;
  if (study.hardware != nullptr)
    if (const std::string uncosted = networks.uncosted(study); !uncosted.empty())
      remarks.push_back(uncosted);
  for (const std::string& remark : remarks) lines.push_back("remark: " + remark);
  return lines;
}

}  // namespace

int check(const CheckArguments& arguments, const World& world) {
  use_single_threaded_math();
  const Device device = trainings_device(arguments);
  const auto experiment =
      load_experiment(arguments.experiment, parse_overrides(arguments.overrides), world.loader);
  const std::string preview = engine_preview(arguments, experiment, world);
  // Before anything is printed: it may be wrong, too.
  std::set<std::string> benchmark_remarks;
  require_starts(experiment);
  load_benchmark(experiment.studies.front(), world.data_folder,
                 [&](const std::string& line) { benchmark_remarks.insert("remark: " + line); });
  fmt::print("{}: {}, identity {}\n", experiment.studies.front().name,
             count_text(std::ssize(experiment.studies), "point"), experiment.identity);
  RandomNetworks networks;
  // Of a point what differs from the one before it: those of a sweep share the most.
  std::vector<std::string> before;
  std::vector<Limit> limits_before;
  for (std::size_t i = 0; i < experiment.studies.size(); ++i) {
    const Study& study = experiment.studies[i];
    fmt::print("{}\n", point_line(i, study));
    const auto lines = check_lines(study, networks);
    for (const std::string& line : lines)
      if (std::ranges::find(before, line) == before.end()) fmt::print("    {}\n", line);
    for (const Limit& limit : limits_before)
      if (!is_limited(study, limit.metric)) fmt::print("    no limit on {}\n", limit.metric);
    before = lines;
    limits_before = lowest_limits(study.limits);
  }
  for (const std::string& line : benchmark_remarks) fmt::print("{}\n", line);
  fmt::print("{}\narithmetic {}\ndevices {}; trainings on {}\n", blas_name(),
             own_arithmetic().text(), known_devices(), device.name);
  if (!preview.empty()) fmt::print("\n{}", preview);
  if (const std::string lacks = what_pages_lack(); !lacks.empty())
    fmt::print("remark: {}\n", lacks);
  return 0;
}

}  // namespace thimble::cli
