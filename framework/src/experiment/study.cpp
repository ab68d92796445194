#include <thimble/experiment/study.hpp>

#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/input_source.hpp>
#include <thimble/report/report.hpp>

#include "plugin_use.hpp"
#include "settings.hpp"

namespace thimble {
namespace {

/// Makes a Study from a map, problem by problem.
class Maker {
 public:
  Maker(const SweepPoint& point, PluginLoader& loader, Diagnostics& problems)
      : point_{point}, plugins_{loader, problems}, problems_{problems} {}

  Study make() {
    settings_ = read_params<Settings>(point_.root, "the experiment", problems_);
    study_.row = point_.row;
    study_.name = settings_.name;
    study_.seed = static_cast<std::uint64_t>(settings_.seed);
    if (settings_.budget.evaluations) study_.budget.evaluations = *settings_.budget.evaluations;
    study_.benchmark = settings_.benchmark;
    if (study_.benchmark) study_.benchmark_where = point_.root.find("benchmark")->where();
    study_.analysis = settings_.analysis;
    study_.report = settings_.report;
    const Value* const name = point_.root.find("name");
    if (name != nullptr && name->is_scalar() && !is_file_name(settings_.name))
      problems_.error(name->where(), in_quotes(settings_.name) + " is no name for a folder",
                      "use letters, digits, '-', '_' and '.', 100 at most");
    study_.space = make_plugin<SearchSpace>(settings_.search_space, "search_space", space_use_);
    PluginUse dataset_use, hardware_use, searcher_use;
    study_.dataset = make_plugin<Dataset>(settings_.dataset, "dataset", dataset_use);
    dataset_key_ = dataset_use.text;
    study_.most_bytes = settings_.memory_mib << 20;
    check_pass();
    make_proxies();
    note_what_nobody_takes();
    study_.hardware = make_plugin<Hardware>(settings_.hardware, "hardware", hardware_use);
    make_aggregates();
    make_objectives();
    make_comparison();
    make_limits();
    make_selection();
    make_selection_by();
    study_.searcher = make_plugin<Searcher>(settings_.searcher, "searcher", searcher_use);
    require_supernet();
    require_search();
    finish_resolved();
    return std::move(study_);
  }

 private:
  static bool is_file_name(const std::string& text) {
    return !text.empty() && text != "." && text != ".." && text.size() <= 100 &&
           std::ranges::all_of(text, [](char c) {
             return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '-' || c == '_' || c == '.';
           });
  }

  /// Said once for all proxies; its places are checked here, whoever takes them.
  void check_pass() {
    if (settings_.pass.is_null()) return;
    if (!settings_.pass.is_map())
      return problems_.error(settings_.pass.where(),
                             "'pass' must be a map, found " + settings_.pass.found(),
                             "write pass: {batch: 64, ...}");
    const auto before = problems_.size();
    read_params<Pass>(settings_.pass, "'pass'", problems_);
    if (problems_.size() != before) settings_.pass = Value{};
  }

  /// For what the experiment leaves open; a proxy lacks the keys that its formula fixes.
  void add_common_pass(PluginUse& use) {
    if (!settings_.pass.is_map()) return;
    for (const auto& entry : settings_.pass.entries()) {
      const bool is_open = std::ranges::any_of(
          use.type->schema, [&](const Field& field) { return field.name == entry.key; });
      if (!is_open || use.given.find(entry.key) != nullptr) continue;
      use.given.set(entry.key, entry.value);
      taken_of_pass_.insert(entry.key);
    }
  }

  /// An ablation over a key that changes nothing should not look like a finding.
  void note_what_nobody_takes() {
    if (!settings_.pass.is_map()) return;
    for (const auto& entry : settings_.pass.entries())
      if (!taken_of_pass_.contains(entry.key))
        study_.remarks.push_back(
            fmt::format("'pass' sets '{}', which no proxy here leaves open", entry.key));
  }

  static bool has_profile(const PluginType& type, const std::string& name) {
    return std::ranges::any_of(type.profiles, [&](const auto& p) { return p.first == name; });
  }

  template <class Interface>
  std::unique_ptr<Interface> make_plugin(const Value& value, const std::string& key,
                                         PluginUse& use) {
    if (value.is_null()) return nullptr;
    use = plugins_.read(Interface::kKind, value, "'" + key + "'");
    if (use.type == nullptr) return nullptr;
    plugins_.resolve(use, value.find("use")->where());
    if (use.type != nullptr) resolved_.set(key, with_use(*use.type, use.resolved));
    return plugins_.make<Interface>(use, value.find("use"));
  }

  Value with_use(const PluginType& type, const Value& resolved) {
    study_.plugins.push_back(fmt::format("{} {} {}", name_of(type.kind), type.name, type.version));
    Value map = Value::map();
    map.set("use", Value::scalar(type.name));
    for (const auto& entry : resolved.entries()) map.set(entry.key, entry.value);
    return map;
  }

  /// A metric is called by its `as`, or else by what it uses; nullptr when it has neither.
  static const Value* name_of_metric(const Value& entry) {
    const Value* const as = entry.find("as");
    return as != nullptr ? as : entry.find("use");
  }

  PluginUse read_proxy(const Value& value) {
    PluginUse use = plugins_.read(Kind::proxy, value, "an entry of 'proxies'");
    if (use.type == nullptr) return use;
    use.given.erase("as");
    add_common_pass(use);
    plugins_.resolve(use, value.find("use")->where());
    return use;
  }

  void make_proxies() {
    Value shown = Value::sequence();
    for (const Value& value : settings_.proxies) {
      PluginUse use = read_proxy(value);
      const Value* const named = name_of_metric(value);
      const std::string name = named != nullptr ? named->text() : "";
      if (use.type == nullptr) {
        broken_metrics_.push_back(name);
        continue;
      }
      if (!require_metric_name(*named)) continue;
      auto proxy = plugins_.make<Proxy>(use, value.find("use"));
      if (proxy == nullptr) {
        broken_metrics_.push_back(name);
        continue;
      }
      require_dataset(value);
      try {
        add_proxy(name, std::move(proxy), use, value);
      } catch (...) {
        problems_.error(value.find("use")->where(),
                        fmt::format("proxy '{}' failed while it was asked what it needs: {}",
                                    use.type->name, what_was_thrown()),
                        "this is a fault of the plugin, not of the experiment");
      }
      Value entry = with_use(*use.type, use.resolved);
      entry.set("as", Value::scalar(name));
      shown.items().push_back(std::move(entry));
    }
    if (!shown.items().empty()) resolved_.set("proxies", std::move(shown));
  }

  /// A new metric's name is one, and not taken; false when nothing can be called that.
  bool require_metric_name(const Value& name) {
    if (!name.is_scalar() || !is_identifier(name.text())) {
      problems_.error(name.where(),
                      name.is_scalar() ? in_quotes(name.text()) + " is no name for a metric"
                                       : "'as' must be text, found " + name.found(),
                      "names are lower case letters, digits and _, and begin with a letter");
      return false;
    }
    if (is_fixed_column(name.text()) && !is_cost_metric(name.text()))
      problems_.error(name.where(), fmt::format("'{}' is a column of the results", name.text()),
                      "give the metric another name with as: NAME");
    if (is_accuracy(name.text()))
      problems_.error(name.where(),
                      fmt::format("'{}' is an accuracy of the benchmark", name.text()),
                      "give the metric another name with as: NAME");
    const auto is_called = [&](const auto& other) { return other.name == name.text(); };
    if (is_cost_metric(name.text()) || std::ranges::any_of(study_.proxies, is_called) ||
        std::ranges::any_of(study_.aggregates, is_called))
      problems_.error(name.where(), fmt::format("two metrics are called '{}'", name.text()),
                      "give one another name with as: NAME");
    return true;
  }

  bool is_accuracy(const std::string& name) const {
    const auto& benchmark = study_.benchmark;
    return benchmark && (benchmark->accuracy == name ||
                         std::ranges::find(benchmark->also, name) != benchmark->also.end());
  }

  void require_dataset(const Value& proxy) {
    if (!settings_.dataset.is_null() || is_dataset_missing_) return;
    is_dataset_missing_ = true;
    problems_.error(proxy.where(), "proxies need a 'dataset'",
                    "add dataset: {use: cifar10}, or {use: synthetic} for generated images");
  }

  void add_proxy(const std::string& name, std::unique_ptr<Proxy> proxy, const PluginUse& use,
                 const Value& value) {
    const Pass pass = proxy->pass();
    std::string net_key;
    const bool is_net_named = value.find("net") != nullptr ||
                              (settings_.pass.is_map() && settings_.pass.find("net") != nullptr);
    const SearchSpace* const space = net_for(pass.net, is_net_named, name, net_key);
    if (space != nullptr && study_.dataset != nullptr) check_input(*space, *proxy, name, value);
    const std::string key = use.text + net_key + dataset_key_ + std::to_string(study_.seed);
    study_.proxies.push_back(
        {name, std::move(proxy), space, use.type->name + "-" + hex(fingerprint(key))});
  }

  /// The search space as a pass wants it: other parameters, the same decisions.
  const SearchSpace* net_for(const Value& net, bool is_explicit, const std::string& proxy,
                             std::string& key) {
    if (space_use_.type == nullptr || study_.space == nullptr) return nullptr;
    PluginUse use = space_use_;
    if (!add_overrides(net, is_explicit, proxy, use)) return nullptr;
    plugins_.resolve(use, net.where());
    key = use.text;
    if (use.type == nullptr || use.text == space_use_.text) return study_.space.get();
    auto& made = study_.nets[use.text];
    if (made == nullptr) made = plugins_.make<SearchSpace>(use, &net);
    return made.get();
  }

  bool add_overrides(const Value& net, bool is_explicit, const std::string& proxy, PluginUse& use) {
    Value overrides = net;
    if (net.is_scalar()) {
      if (net.text() == "full") return true;
      if (!has_profile(*use.type, net.text()) && !is_explicit) {
        study_.remarks.push_back(
            fmt::format("search space '{}' has no profile '{}'; proxy '{}' looks at the full "
                        "network",
                        use.type->name, net.text(), proxy));
        return true;
      }
      const auto profile = plugins_.find_profile(*use.type, net, {"full"});
      if (!profile) return false;
      overrides = *profile;
    }
    if (!overrides.is_map()) {
      problems_.error(net.where(), "'net' must be a profile's name or a map, found " + net.found(),
                      "net: narrow, or net: {parameter: value, ...} of the search space");
      return false;
    }
    for (const auto& entry : overrides.entries())
      use.given.set(entry.key, entry.value, entry.key_where);
    return true;
  }

  /// The data must be able to feed the network; said now, not with the first candidate.
  void check_input(const SearchSpace& space, const Proxy& proxy, const std::string& name,
                   const Value& value) {
    const Pass pass = proxy.pass();
    const Reads reads = proxy.reads();
    try {
      const Graph* const supernet = space.supernet();
      const Graph graph = supernet != nullptr ? *supernet : space.build(genotype_at_start(space));
      const DatasetInfo info = study_.dataset->describe();
      const int classes = graph.node(graph.output()).shape.channels;
      if ((pass.input == InputKind::data || reads.loss_gradients || reads.output_gradients) &&
          classes < info.classes)
        problems_.error(value.where(),
                        fmt::format("proxy '{}' looks at a network of {} classes, dataset '{}' "
                                    "has {}",
                                    name, classes, info.name, info.classes),
                        "give the search space or the proxy's 'net' as many classes");
      require_fit(info, pass, graph.node(0).shape);
      note_stretching(info, pass, graph.node(0).shape);
    } catch (const Error& error) {
      const Diagnostic& problem = error.diagnostics().front();
      const std::string note =
          problem.note.empty() ? "change batch, fit or net, or the dataset" : problem.note;
      if (leaves_to_all(value))
        problems_.error(settings_.pass.where(), problem.message, note);
      else
        problems_.error(value.where(), fmt::format("proxy '{}': {}", name, problem.message), note);
    }
  }

  /// Whether the common pass says what a proxy feeds to which network.
  bool leaves_to_all(const Value& proxy) const {
    return settings_.pass.is_map() &&
           std::ranges::none_of(std::array{"batch", "batches", "fit", "net", "profile"},
                                [&](const char* key) { return proxy.find(key) != nullptr; });
  }

  /// Images stand it; columns that are sensors are mixed by it.
  void note_stretching(const DatasetInfo& info, const Pass& pass, const Shape& input) {
    const bool keeps_ratio = info.shape.height * input.width == info.shape.width * input.height;
    if (pass.input != InputKind::data || pass.fit != Fit::resize || keeps_ratio) return;
    const std::string remark = fmt::format(
        "dataset '{}' of {} is stretched to the networks' {}: rows and columns are interpolated",
        info.name, to_string(info.shape), to_string(input));
    if (std::ranges::find(study_.remarks, remark) == study_.remarks.end())
      study_.remarks.push_back(remark);
  }

  static Genotype genotype_at_start(const SearchSpace& space) {
    Genotype genotype;
    for (const Decision& decision : space.decisions())
      genotype.push_back(decision.type == Decision::Type::categorical ? 0 : decision.least);
    return genotype;
  }

  /// What is known of a candidate by itself; aggregates are made of these.
  std::vector<std::string> own_metrics() const {
    std::vector<std::string> names;
    for (const auto& proxy : study_.proxies) names.push_back(proxy.name);
    for (const std::string& metric : cost_metrics())
      if (study_.hardware != nullptr || metric == "macs" || metric == "params")
        names.push_back(metric);
    return names;
  }

  /// Reads {minimize: METRIC} or {maximize: METRIC}, and what else Given has.
  template <class Given>
  std::optional<Given> read_directed(const Value& value, const std::string& subject) {
    const char* const form = "write {minimize: METRIC} or {maximize: METRIC}";
    if (!value.is_map()) {
      problems_.error(value.where(),
                      fmt::format("{} must be a map, found {}", subject, value.found()), form);
      return std::nullopt;
    }
    const auto before = problems_.size();
    const auto given = read_params<Given>(value, subject, problems_);
    if (problems_.size() != before) return std::nullopt;
    if (given.is_one()) return given;
    problems_.error(value.where(), subject + " needs either 'minimize' or 'maximize'", form);
    return std::nullopt;
  }

  /// False when there is no such metric; it is reported, here or where it should have been made.
  bool require_metric(const std::string& metric, const std::vector<std::string>& known,
                      const Location& where) {
    if (std::ranges::find(known, metric) != known.end()) {
      require_known_energy(metric, where);
      return true;
    }
    const bool needs_board = is_cost_metric(metric);
    const bool is_of_broken = nearest(metric, broken_metrics_).has_value();
    if (needs_board ? !settings_.hardware.is_null() : is_of_broken) return false;
    problems_.error(
        where,
        needs_board ? fmt::format("'{}' needs 'hardware'", metric)
                    : fmt::format("no metric {}{}", in_quotes(metric), did_you_mean(metric, known)),
        needs_board ? "add hardware: {use: analytic, board: NAME}" : "metrics are " + join(known));
    return false;
  }

  /// Which way is better where the experiment does not say.
  Direction own_direction(const std::string& metric) const {
    for (const auto& proxy : study_.proxies)
      if (proxy.name == metric) return proxy.proxy->direction();
    return is_cost_metric(metric) ? Direction::minimize : Direction::maximize;
  }

  static Value directed(const std::string& metric, Direction direction) {
    Value map = Value::map();
    map.set(direction == Direction::minimize ? "minimize" : "maximize", Value::scalar(metric));
    return map;
  }

  void make_aggregates() {
    Value shown = Value::sequence();
    for (const Value& value : settings_.aggregates) {
      if (!value.is_map()) {
        problems_.error(value.where(), "an aggregate must be a map, found " + value.found(),
                        "write {use: KIND, of: [METRIC, ...], as: NAME}");
        continue;
      }
      const auto before = problems_.size();
      const auto given = read_params<AggregateSettings>(value, "an aggregate", problems_);
      const Value* const name = name_of_metric(value);
      if (problems_.size() == before && require_metric_name(*name) && problems_.size() == before) {
        study_.aggregates.push_back({name->text(), given.use, members_of(value, given.of)});
        shown.items().push_back(shown_aggregate(study_.aggregates.back()));
      }
      if (problems_.size() != before && name != nullptr) broken_metrics_.push_back(name->text());
    }
    if (!shown.items().empty()) resolved_.set("aggregates", std::move(shown));
  }

  /// `list` is what stands behind `key`: metrics with their own direction or a given one.
  std::vector<DirectedMetric> metrics_of(const std::string& key, const std::vector<Value>& list) {
    std::vector<DirectedMetric> metrics;
    for (const Value& value : list) {
      DirectedMetric metric{value.text(), own_direction(value.text())};
      Location where = value.where();
      if (!value.is_scalar()) {
        const auto given = read_directed<DirectedSettings>(value, "an entry of '" + key + "'");
        if (!given) continue;
        metric = {given->metric(), given->direction()};
        where = value.find(given->key())->where();
      }
      if (!require_member(key, metric.metric, metrics, where)) continue;
      metrics.push_back(std::move(metric));
    }
    return metrics;
  }

  std::vector<DirectedMetric> members_of(const Value& aggregate, const std::vector<Value>& of) {
    if (of.empty())
      problems_.error(aggregate.find("of")->where(), "'of' names no metric",
                      "metrics are " + join(own_metrics()));
    return metrics_of("of", of);
  }

  bool require_member(const std::string& key, const std::string& metric,
                      const std::vector<DirectedMetric>& others, const Location& where) {
    const bool is_aggregate = std::ranges::any_of(settings_.aggregates, [&](const Value& other) {
      const Value* const name = name_of_metric(other);
      return name != nullptr && name->text() == metric;
    });
    if (is_aggregate) {
      problems_.error(where, fmt::format("'{}' is an aggregate itself", metric),
                      "write its members in its place");
      return false;
    }
    if (std::ranges::find(others, metric, &DirectedMetric::metric) != others.end()) {
      problems_.error(where, fmt::format("'{}' stands in '{}' twice", metric, key),
                      "keep one of them");
      return false;
    }
    return require_metric(metric, own_metrics(), where);
  }

  static Value shown_aggregate(const Aggregate& aggregate) {
    AggregateSettings settings{aggregate.kind, {}, aggregate.name};
    for (const auto& [metric, direction] : aggregate.of)
      settings.of.push_back(directed(metric, direction));
    return write_params(settings);
  }

  void make_objectives() {
    for (const Value& value : settings_.objectives)
      if (const auto given = read_directed<ObjectiveSettings>(value, "an objective"))
        add_objective(*given, value.find(given->key())->where());
    if (settings_.objectives.empty()) add_default_objectives();
    Value shown = Value::sequence();
    for (const auto& [metric, direction, weight] : study_.objectives) {
      Value entry = directed(metric, direction);
      entry.set("weight", Value::scalar(number_text(weight)));
      shown.items().push_back(std::move(entry));
    }
    resolved_.set("objectives", std::move(shown));
  }

  void make_comparison() {
    study_.compared = metrics_of("compare", settings_.report.compare);
    if (!study_.compared.empty()) return;
    for (const auto& [metric, direction, weight] : study_.objectives)
      study_.compared.push_back({metric, direction});
  }

  /// Who says how proxies combine wants that; the proxies beside it would count twice.
  void add_default_objectives() {
    for (const Aggregate& aggregate : study_.aggregates)
      study_.objectives.push_back({aggregate.name, Direction::maximize, 1});
    if (!study_.aggregates.empty()) return;
    for (const auto& proxy : study_.proxies)
      study_.objectives.push_back({proxy.name, proxy.proxy->direction(), 1});
  }

  void add_objective(const ObjectiveSettings& given, const Location& where) {
    const std::string& metric = given.metric();
    auto known = own_metrics();
    for (const Aggregate& aggregate : study_.aggregates) known.push_back(aggregate.name);
    if (!require_metric(metric, known, where)) return;
    if (std::ranges::find(study_.objectives, metric, &Objective::metric) != study_.objectives.end())
      problems_.error(where, fmt::format("'{}' is an objective twice", metric), "keep one of them");
    if (!is_cost_metric(metric) && own_direction(metric) != given.direction())
      study_.remarks.push_back(
          fmt::format("'{}' is {}d here, against its own direction", metric, given.key()));
    study_.objectives.push_back({metric, given.direction(), given.weight});
  }

  void require_known_energy(const std::string& metric, const Location& where) {
    if (metric != "energy_mj" || study_.hardware == nullptr) return;
    const Target& target = study_.hardware->target();
    if (target.active_power_mw <= 0)
      problems_.error(where, fmt::format("the energy on {} is unknown", target.name),
                      "its active power is not in the board file; name another board");
  }

  void make_limits() {
    const LimitSettings& given = settings_.limits;
    const Value* const map = point_.root.find("limits");
    const auto add = [&](const char* metric, const std::optional<double>& most) {
      if (!most) return;
      const bool is_known = study_.hardware != nullptr || std::string_view{metric} == "macs" ||
                            std::string_view{metric} == "params";
      if (!is_known && !settings_.hardware.is_null()) return;  // its own problem is reported
      if (!is_known)
        problems_.error(map->find(metric)->where(),
                        fmt::format("a limit on '{}' needs 'hardware'", metric),
                        "add hardware: {use: analytic, board: NAME}");
      require_known_energy(metric, map->find(metric)->where());
      study_.limits.push_back({metric, *most});
    };
    add("macs", given.macs);
    add("params", given.params);
    add("latency_ms", given.latency_ms);
    add("energy_mj", given.energy_mj);
    add("ram_bytes", given.ram_bytes);
    add("rom_bytes", given.rom_bytes);
    if (given.board && study_.hardware != nullptr) {
      const Target& target = study_.hardware->target();
      study_.limits.push_back({"ram_bytes", static_cast<double>(target.ram_bytes)});
      study_.limits.push_back({"rom_bytes", static_cast<double>(target.rom_bytes)});
    }
  }

  void make_selection() {
    study_.select = settings_.select;
    if (!study_.select || !problems_.empty()) return;
    std::vector<std::string> open;
    for (const Objective& objective : study_.objectives) open.push_back(objective.metric);
    const std::string known = join(open);
    const Value* const names = point_.root.find("select")->find("objectives");
    for (std::size_t i = 0; i < study_.select->objectives.size(); ++i) {
      const std::string& name = study_.select->objectives[i];
      if (std::erase(open, name) == 0)
        problems_.error(names->items()[i].where(),
                        fmt::format("{} is no objective, or is selected by twice", in_quotes(name)),
                        "objectives are " + known);
    }
  }

  void make_selection_by() {
    if (!study_.select || study_.select->by.empty() || study_.space == nullptr) return;
    std::vector<std::string> known;
    const auto decisions = study_.space->decisions();
    for (std::size_t i = 0; i < decisions.size(); ++i) {
      if (decisions[i].type != Decision::Type::categorical) continue;
      known.push_back(decisions[i].name);
      if (decisions[i].name == study_.select->by) study_.select_by = i;
    }
    if (!study_.select_by)
      problems_.error(point_.root.find("select")->find("by")->where(),
                      fmt::format("no decision between options {}{}", in_quotes(study_.select->by),
                                  did_you_mean(study_.select->by, known)),
                      "decisions between options are " + join(known));
  }

  void require_supernet() {
    if (study_.searcher == nullptr || study_.space == nullptr) return;
    if (study_.searcher->needs_supernet() && study_.space->supernet() == nullptr)
      problems_.error(
          settings_.searcher.find("use")->where(),
          fmt::format("searcher '{}' needs a search space with a supernet; '{}' has none",
                      settings_.searcher.find("use")->text(),
                      settings_.search_space.find("use")->text()),
          "use another searcher, such as random");
    if (study_.objectives.empty() && settings_.objectives.empty() && settings_.proxies.empty())
      problems_.error(point_.root.where(), "the experiment has no objectives",
                      "add proxies, or objectives such as - {minimize: macs}");
  }

  /// What a searcher finds wrong with its problem is said now, not when it runs.
  void require_search() {
    if (!problems_.empty() || study_.searcher == nullptr) return;
    try {
      study_.searcher->expected_evaluations(study_.problem());
    } catch (const Error& error) {
      const Diagnostic& problem = error.diagnostics().front();
      problems_.error(
          settings_.searcher.find("use")->where(),
          fmt::format("searcher '{}': {}", settings_.searcher.find("use")->text(), problem.message),
          problem.note);
    }
  }

  /// Keeps the format's order, whatever order things were made in.
  void finish_resolved() {
    Value all = write_params(settings_);
    all.erase("sweep");
    for (const char* const key : {"search_space", "dataset", "proxies", "aggregates", "hardware",
                                  "objectives", "searcher"}) {
      const Value* const made = resolved_.find(key);
      if (made != nullptr) {
        all.set(key, *made);
      } else {
        all.erase(key);
      }
    }
    // The baseline is a row of the whole sweep; a single point runs without.
    if (!point_.row.empty() || settings_.report.baseline.empty())
      all.find("report")->erase("baseline");
    study_.resolved = std::move(all);
  }

  const SweepPoint& point_;
  PluginReader plugins_;
  Diagnostics& problems_;
  Settings settings_;
  Study study_;
  PluginUse space_use_;
  std::string dataset_key_;
  bool is_dataset_missing_ = false;
  std::set<std::string> taken_of_pass_;
  std::vector<std::string> broken_metrics_;  ///< names of those that could not be made
  Value resolved_ = Value::map();
};

}  // namespace

Problem Study::problem() const {
  return {*space, space->decisions(), objectives, limits, seed, budget, aggregates};
}

ScoringSetup Study::scoring() const {
  ScoringSetup setup;
  setup.space = space.get();
  setup.hardware = hardware.get();
  setup.dataset = dataset.get();
  for (const NamedProxy& named : proxies)
    setup.proxies.push_back({named.name, named.key, named.proxy.get(), named.space});
  setup.aggregates = aggregates;
  setup.objectives = objectives;
  setup.limits = limits;
  setup.most_bytes = most_bytes;
  setup.seed = seed;
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

Study make_study(const SweepPoint& point, PluginLoader& loader, Diagnostics& problems) {
  return Maker{point, loader, problems}.make();
}

Schema experiment_schema() {
  Settings settings;
  Schema schema = schema_of(settings);
  for (Field& field : schema) field.read = nullptr, field.write = nullptr;
  return schema;
}

}  // namespace thimble
