#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

/// What no network of the space can do without: its input and what the firmware needs. A limit
/// below that is said to be one, before anything is searched.
void require_keepable(Reading& reading, const SearchSpace* space, const Limit& limit,
                      const Location& where) {
  const auto& [metric, most] = limit;
  if (space == nullptr || (metric != "ram_bytes" && metric != "rom_bytes")) return;
  const Target& target = reading.study.hardware->target();
  const bool is_ram = metric == "ram_bytes";
  const auto input = some_network(*space).node(0).shape.elements();
  const auto least = is_ram ? input + target.fixed_ram_bytes : target.fixed_rom_bytes;
  if (most >= static_cast<double>(least)) return;
  reading.problems.error(
      where, fmt::format("no network keeps {} <= {}", metric, number_text(most)),
      fmt::format("{} {} bytes of {}",
                  is_ram ? "the input and the firmware take" : "the firmware alone takes", least,
                  target.name));
}

/// What is wrong with a limit that stands somewhere.
void check_limit(Reading& reading, const SearchSpace* space, const Limit& limit,
                 const Location& where) {
  const bool needs_hardware = find_cost_metric(limit.metric)->needs_hardware();
  if (needs_hardware && reading.study.hardware == nullptr) {
    if (reading.settings.hardware.is_null())  // else its own problem is reported
      reading.problems.error(where, fmt::format("a limit on '{}' needs 'hardware'", limit.metric),
                             "add hardware: {use: analytic, board: NAME}");
    return;
  }
  require_known_energy(reading, limit.metric, where);
  if (needs_hardware) require_keepable(reading, space, limit, where);
}

/// Objectives are called by their metrics, also those that are wrong otherwise.
std::vector<std::string> names_of_objectives(const Reading& reading) {
  std::vector<std::string> names;
  if (reading.settings.objectives.empty())
    for (const Objective& objective : reading.study.objectives) names.push_back(objective.metric);
  for (const Value& value : reading.settings.objectives)
    for (const char* const key : {"minimize", "maximize"})
      if (const Value* const metric = value.find(key)) names.push_back(metric->text());
  return names;
}

void read_selection(Reading& reading) {
  reading.study.select = reading.settings.select;
  const Value* const select = reading.point.root.find("select");
  if (!reading.study.select || !select->is_map()) return;
  const SelectSettings& settings = *reading.study.select;
  const auto all = names_of_objectives(reading);
  auto open = all;
  for (std::size_t i = 0; i < settings.objectives.size(); ++i)
    if (std::erase(open, settings.objectives[i]) == 0)
      reading.problems.error(select->find("objectives")->items()[i].where(),
                             fmt::format("{} is no objective, or is selected by twice",
                                         in_quotes(settings.objectives[i])),
                             "objectives are " + join(all));
  const auto& counted = settings.objectives.empty() ? all : settings.objectives;
  if (settings.along.empty()) {
    if (settings.method == SelectionMethod::bands)
      reading.problems.error(select->find("method")->where(), "bands of nothing",
                             "name the objective they are of: along: " + join(counted, " or "));
    return;
  }
  if (counted.size() < 2 || std::ranges::count(counted, settings.along) == 0)
    reading.problems.error(
        select->find("along")->where(),
        fmt::format("cannot spread along {}", in_quotes(settings.along)),
        "name one of the objectives that count, of two at least: " + join(counted));
}

void read_selection_by(Reading& reading) {
  Study& study = reading.study;
  if (!study.select || study.select->by.empty() || study.space == nullptr) return;
  std::vector<std::string> known;
  const auto decisions = study.space->decisions();
  for (std::size_t i = 0; i < decisions.size(); ++i) {
    if (decisions[i].type != Decision::Type::categorical) continue;
    known.push_back(decisions[i].name);
    if (decisions[i].name == study.select->by) study.select_by = i;
  }
  if (!study.select_by)
    reading.problems.error(
        reading.point.root.find("select")->find("by")->where(),
        fmt::format("no decision between options {}{}", in_quotes(study.select->by),
                    did_you_mean(study.select->by, known)),
        "decisions between options are " + join(known));
}

void require_supernet(Reading& reading) {
  const Study& study = reading.study;
  if (study.searcher == nullptr || study.space == nullptr) return;
  if (!study.searcher->needs_supernet() || study.space->supernet() != nullptr) return;
  const Value& searcher = *reading.settings.searcher.find("use");
  reading.problems.error(
      searcher.where(),
      fmt::format("searcher '{}' needs a search space with a supernet; '{}' has none",
                  searcher.text(), reading.settings.search_space.find("use")->text()),
      "use another searcher, such as random");
}

void require_objectives(Reading& reading) {
  if (reading.study.searcher == nullptr || reading.study.space == nullptr) return;
  if (reading.study.objectives.empty() && reading.settings.objectives.empty() &&
      reading.settings.proxies.empty() && !reading.study.searcher->needs_relaxation())
    reading.problems.error(reading.point.root.where(), "the experiment has no objectives",
                           "add proxies, or objectives such as - {minimize: macs}");
}

/// Such a searcher compares networks on samples that are set aside.
void remark_on_comparison(Reading& reading) {
  const Study& study = reading.study;
  if (study.searcher != nullptr && study.searcher->needs_relaxation() && study.dataset != nullptr &&
      reading.problems.empty())
    remark_on_one_group(reading, *study.dataset);
}

/// What a searcher finds wrong with its problem is said now, not when it runs. It can only be asked
/// about a problem that is whole.
void ask_searcher(Reading& reading) {
  if (!reading.problems.empty() || reading.study.searcher == nullptr) return;
  try {
    reading.study.searcher->expected_evaluations(reading.study.problem());
  } catch (const Error& error) {
    const Diagnostic& problem = error.diagnostics().front();
    const Value& searcher = *reading.settings.searcher.find("use");
    reading.problems.error(searcher.where(),
                           fmt::format("searcher '{}': {}", searcher.text(), problem.message),
                           problem.note);
  }
}

}  // namespace

std::vector<Limit> limits_of(Reading& reading, const LimitSettings& given, const Value* written,
                             const SearchSpace* space) {
  const Hardware* const hardware = reading.study.hardware.get();
  std::vector<Limit> limits;
  for (const CostMetric& metric : cost_metrics()) {
    const auto& most = given.on(metric.name);
    if (!most) continue;
    const Limit limit{std::string{metric.name}, *most};
    if (const Value* const at = written == nullptr ? nullptr : written->find(metric.name))
      check_limit(reading, space, limit, at->where());
    if (hardware != nullptr || !metric.needs_hardware()) limits.push_back(limit);
  }
  if (!given.board || hardware == nullptr) return limits;
  const Target& target = hardware->target();
  limits.push_back({"ram_bytes", static_cast<double>(target.ram_bytes)});
  limits.push_back({"rom_bytes", static_cast<double>(target.rom_bytes)});
  return limits;
}

void read_search(Reading& reading) {
  reading.study.limits = limits_of(reading, reading.settings.limits,
                                   reading.point.root.find("limits"), reading.study.space.get());
  read_selection(reading);
  read_selection_by(reading);
  PluginUse searcher;
  reading.study.searcher = reading.make<Searcher>(reading.settings.searcher, "searcher", searcher);
  require_supernet(reading);
  require_objectives(reading);
  ask_searcher(reading);
  remark_on_comparison(reading);
}

}  // namespace thimble
