#include <thimble/experiment/study.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/proxy.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

bool is_file_name(const std::string& text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.';
  };
  return !text.empty() && text != "." && text != ".." && text.size() <= 100 &&
         std::ranges::all_of(text, is_plain);
}

/// The accuracies that the run trains itself.
void read_trained_benchmark(Reading& reading) {
  const Value& given = reading.settings.benchmark;
  BenchmarkSettings trained;
  trained.accuracy = "accuracy";
  trained.is_trained = true;
  reading.study.benchmark = std::move(trained);
  reading.resolved.set("benchmark", given);
  if (reading.settings.train.is_null())
    reading.problems.error(given.where(), "nothing is trained that could be a benchmark",
                           "add train: {networks: all}");
}

/// An accuracy named twice would be one more beside itself in the analysis.
void read_benchmark(Reading& reading) {
  const Value& given = reading.settings.benchmark;
  if (given.is_null()) return;
  if (given.is_scalar() && given.text() == "trained") return read_trained_benchmark(reading);
  if (!given.is_map())
    return reading.problems.error(given.where(),
                                  "'benchmark' must be a map or 'trained', found " + given.found(),
                                  "write {file: NAME.csv, accuracy: COLUMN}");
  BenchmarkSettings settings =
      read_params<BenchmarkSettings>(given, "'benchmark'", reading.problems);
  require_distinct(given, "also", reading.problems);
  if (const Value* const also = given.find("also"); also != nullptr && also->is_sequence())
    for (const Value& column : also->items())
      if (column.is_scalar() && column.text() == settings.accuracy)
        reading.problems.error(column.where(),
                               in_quotes(column.text()) + " is the 'accuracy' already",
                               "leave it out of 'also'");
  reading.resolved.set("benchmark", write_params(settings));
  reading.study.benchmark_where = given.where();
  reading.study.benchmark = std::move(settings);
}

void read_analysis(Reading& reading) {
  reading.study.analysis = reading.settings.analysis;
  if (const Value* const given = reading.point.root.find("analysis"))
    require_distinct(*given, "top", reading.problems);
}

/// What needs no more than to be taken over.
void read_plain_keys(Reading& reading) {
  Study& study = reading.study;
  const Value& root = reading.point.root;
  const Settings& settings = reading.settings;
  study.row = reading.point.row;
  study.name = settings.name;
  study.seed = static_cast<std::uint64_t>(settings.seed);
  study.most_bytes = settings.memory_mib << 20;
  if (settings.budget.evaluations) study.budget.evaluations = *settings.budget.evaluations;
  study.report = settings.report;
  const Value* const name = root.find("name");
  if (name != nullptr && name->is_scalar() && !is_file_name(settings.name))
    reading.problems.error(name->where(), in_quotes(settings.name) + " is no name for a folder",
                           "use letters, digits, '-', '_' and '.', 100 at most");
}

/// Keeps the format's order, whatever order things were made in.
Value resolved_of(const Reading& reading) {
  Value all = write_params(reading.settings);
  for (const char* const key : {"sweep", "rows"}) all.erase(key);
  for (const char* const key : {"search_space", "dataset", "proxies", "aggregates", "hardware",
                                "objectives", "searcher", "benchmark", "train"}) {
    const Value* const made = reading.resolved.find(key);
    if (made != nullptr) {
      all.set(key, *made);
    } else {
      all.erase(key);
    }
  }
  // The baseline is a row of the whole sweep; a single point runs without.
  if (!reading.point.row.empty() || reading.settings.report.baseline.empty())
    all.find("report")->erase("baseline");
  return all;
}

}  // namespace

bool Reading::override_space(const Value& net, PluginUse& use) {
  Value overrides = net;
  if (net.is_scalar()) {
    const auto profile = plugins.find_profile(*use.type, net, {"full"});
    if (!profile) return false;
    overrides = *profile;
  }
  if (!overrides.is_map()) {
    problems.error(net.where(), "'net' must be a profile's name or a map, found " + net.found(),
                   "net: narrow, or net: {parameter: value, ...} of the search space");
    return false;
  }
  for (const auto& entry : overrides.entries())
    use.given.set(entry.key, entry.value, entry.key_where);
  return true;
}

Value Reading::with_use(const PluginUse& use) {
  const PluginType& type = *use.type;
  study.plugins.push_back(fmt::format("{} {} {}", name_of(type.kind), type.name, type.version));
  Value map = Value::map();
  map.set("use", Value::scalar(type.name));
  for (const auto& entry : use.resolved.entries()) map.set(entry.key, entry.value);
  return map;
}

void require_distinct(const Value& section, std::string_view key, Diagnostics& problems) {
  const Value* const list = section.find(key);
  if (list == nullptr) return;
  std::set<std::string> texts;
  for (const Value& item : list->items())
    if (item.is_scalar() && !texts.insert(item.text()).second)
      problems.error(item.where(),
                     fmt::format("{} stands in '{}' twice", in_quotes(item.text()), key),
                     "keep one of them");
}

Study make_study(const SweepPoint& point, PluginLoader& loader, MadePlugins& made,
                 Diagnostics& problems) {
  Reading reading{point, PluginReader{loader, made, problems}, problems};
  reading.settings = read_params<Settings>(point.root, "the experiment", problems);
  const Settings& settings = reading.settings;
  Study& study = reading.study;
  read_plain_keys(reading);
  read_benchmark(reading);
  read_analysis(reading);
  study.space = reading.make<SearchSpace>(settings.search_space, "search_space", reading.space);
  read_dataset(reading);
  read_proxies(reading);
  PluginUse hardware;
  study.hardware = reading.make<Hardware>(settings.hardware, "hardware", hardware);
  if (study.hardware != nullptr) study.costs = hex(study.hardware->fingerprint());
  read_metrics(reading);
  read_search(reading);
  study.search_plugins = study.plugins.size();
  read_train(reading);
  study.resolved = resolved_of(reading);
  return std::move(study);
}

Schema experiment_schema() {
  Settings settings;
  Schema schema = schema_of(settings);
  for (Field& field : schema) field.read = nullptr, field.write = nullptr;
  return schema;
}

Problem Study::problem() const {
  return {*space, space->decisions(), objectives, limits, seed, budget, aggregates};
}

ScoringSetup Study::scoring() const {
  ScoringSetup setup;
  setup.space = space.get();
  setup.hardware = hardware.get();
  setup.dataset = dataset.get();
  for (const NamedProxy& named : proxies)
    setup.proxies.push_back({named.name, named.key, named.proxy.get(), named.space.get()});
  setup.aggregates = aggregates;
  setup.objectives = objectives;
  setup.limits = limits;
  setup.most_bytes = most_bytes;
  setup.seed = seed;
  setup.task = task.get();
  if (train) {
    setup.recipe = &train->recipe;
    setup.starts_with_search = train->start == kSearchedWeights;
  }
  return setup;
}

MetricNames Study::metric_names() const {
  MetricNames names;
  for (const NamedProxy& named : proxies) names.proxies.push_back(named.name);
  for (const Aggregate& aggregate : aggregates) names.aggregates.push_back(aggregate.name);
  return names;
}

std::vector<DirectedMetric> Study::predictors() const {
  std::vector<DirectedMetric> all;
  for (const NamedProxy& named : proxies) all.push_back({named.name, named.proxy->direction()});
  for (const Aggregate& made : aggregates) all.push_back({made.name, Direction::maximize});
  for (const char* const count : {"macs", "params"}) all.push_back({count, Direction::maximize});
  return all;
}

}  // namespace thimble
