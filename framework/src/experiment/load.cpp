#include <thimble/experiment/load.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/columns.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

void check_columns(const Value& report, const std::vector<std::string>& known,
                   Diagnostics& problems) {
  require_distinct(report, "columns", problems);
  if (const Value* const columns = report.find("columns"))
    for (const Value& column : columns->items())
      if (std::ranges::find(known, column.text()) == known.end())
        problems.error(column.where(),
                       fmt::format("no column {}{}", in_quotes(column.text()),
                                   did_you_mean(column.text(), known)),
                       "columns are " + join(known));
}

/// A number as a paper gives it, with words behind it where they help: "0.43 GPU h". A proxy may
/// be negative, and a correlation; what the report counts and measures cannot.
void check_published_cell(const Value::Entry& cell, const std::vector<std::string>& known,
                          Diagnostics& problems) {
  const std::string& column = cell.key;
  if (std::ranges::find(known, column) == known.end()) {
    problems.error(cell.value.where(),
                   fmt::format("a published row has no column {}{}", in_quotes(column),
                               did_you_mean(column, known)),
                   "columns are row, " + join(known));
    return;
  }
  const std::string& text = cell.value.text();
  const auto number = parse_number(text.substr(0, text.find(' ')));
  const bool may_be_negative = !is_fixed_column(column);
  if (!number || (*number < 0 && !may_be_negative))
    problems.error(cell.value.where(),
                   fmt::format("a published '{}' must be a number{}, found {}", column,
                               may_be_negative ? "" : " of at least 0", cell.value.found()),
                   "words may stand behind the number (0.43 GPU h); leave out what is not known");
}

void check_published(const Value& report, const std::vector<std::string>& known,
                     Diagnostics& problems) {
  const Value* const published = report.find("published");
  if (published == nullptr) return;
  std::set<std::string> labels;
  for (const Value& row : published->items()) {
    const Value* const label = row.find("row");
    const char* const note = "row: what the report calls it";
    if (label == nullptr) {
      problems.error(row.where(), "missing key 'row' for a published row", note);
    } else if (!label->is_scalar()) {
      problems.error(label->where(), "'row' must be text, found " + label->found(), note);
    } else if (!is_cell_text(label->text())) {
      problems.error(label->where(), "the label has control characters",
                     "tables and pages show it in one line");
    } else if (!labels.insert(label->text()).second) {
      problems.error(label->where(),
                     fmt::format("two published rows are called {}", in_quotes(label->text())),
                     "give one another label");
    }
    for (const auto& cell : row.entries())
      if (cell.key != "row") check_published_cell(cell, known, problems);
  }
}

void check_baseline(const Value& report, const std::string& baseline,
                    const std::vector<SweepPoint>& points, Diagnostics& problems) {
  std::vector<std::string> rows;
  for (const SweepPoint& point : points)
    if (!point.row.empty() && std::ranges::find(rows, point.row) == rows.end())
      rows.push_back(point.row);
  if (baseline.empty() || std::ranges::find(rows, baseline) != rows.end()) return;
  const Location& where = report.find("baseline")->where();
  if (rows.empty()) {
    problems.error(
        where, fmt::format("no row {}: there is no sweep to take one from", in_quotes(baseline)),
        "add a sweep over more than seeds, or leave 'baseline' out");
    return;
  }
  problems.error(where,
                 fmt::format("no row {}{}", in_quotes(baseline), did_you_mean(baseline, rows)),
                 "rows are " + join(rows, "; ") +
                     "; take it in with --rows, or do without with report.baseline=");
}

/// The one section that all points share.
void check_report(const Study& study, const std::vector<SweepPoint>& points,
                  Diagnostics& problems) {
  const Value* const report = points[0].root.find("report");
  if (report == nullptr) return;
  const auto known = known_columns(study);
  check_columns(*report, known, problems);
  check_published(*report, known, problems);
  check_baseline(*report, study.report.baseline, points, problems);
}

/// Counted twice, a point would make deviations smaller than they are.
void refuse_repeated(const SweepPoint& point) {
  const auto& set = point.assignments;
  const auto seed = std::ranges::find(set, "seed", &Assignment::path);
  const Location where = seed != set.end() ? seed->value.where()
                         : set.empty()     ? point.root.where()
                                           : set.back().value.where();
  std::vector<std::string> parts;
  for (const Assignment& assignment : set) parts.push_back(to_string(assignment));
  throw InputError{
      Diagnostic{where, fmt::format("two points of the sweep are equal ({})", join(parts, " ")),
                 "keep one of them; what is to be told apart needs another value, seed or row"}};
}

/// "64 KiB" as bytes; nothing where there is no unit of memory.
std::optional<double> bytes_of(const std::string& text) {
  for (const auto& [unit, bytes] : {std::pair{"KiB", 0x1p10}, {"MiB", 0x1p20}})
    if (text.ends_with(unit))
      if (const auto number =
              parse_number(std::string{trimmed(std::string_view{text}.substr(0, text.size() - 3))}))
        return *number * bytes;
  return std::nullopt;
}

/// Reports speak of KiB, so limits on memory may, too.
void take_units_in_limits(Value& map) {
  Value* const limits = map.find("limits");
  if (limits == nullptr || !limits->is_map()) return;
  for (auto& entry : limits->entries())
    if (entry.key.ends_with("_bytes") && entry.value.is_scalar())
      if (const auto bytes = bytes_of(entry.value.text())) {
        const Location where = entry.value.where();
        entry.value = Value::scalar(number_text(*bytes));
        entry.value.set_where(where);
      }
}

void take_units_of_memory(Value& root) {
  take_units_in_limits(root);
  Value* const train = root.find("train");
  if (Value* const datasets = train == nullptr ? nullptr : train->find("datasets"))
    for (Value& dataset : datasets->items()) take_units_in_limits(dataset);
}

/// What a search hangs on: trainings and the report come behind it, and a finished search goes on
/// with others. Where networks are trained in the search, how that is done counts.
std::string searched(const Study& study) {
  Value search = study.resolved;
  for (const char* const later : {"train", "report"}) search.erase(later);
  if (study.train && study.searcher != nullptr && study.searcher->needs_relaxation()) {
    search.set("recipe", write_params(study.train->recipe));
    if (study.train->start == kSearchedWeights)
      search.set("start", Value::scalar(study.train->start));
  }
  std::vector<std::string> plugins = study.plugins;
  plugins.resize(study.search_plugins);
  return to_yaml(search) + join(plugins) + "\n" + study.data + "\n" + study.costs;
}

}  // namespace

LoadedExperiment load_experiment(const std::filesystem::path& file,
                                 const std::vector<Assignment>& overrides, PluginLoader& loader) {
  LoadedExperiment experiment;
  experiment.text = read_file(file, std::size_t{4} << 20);
  experiment.points = expand_sweep(parse_yaml(experiment.text, file.string()), overrides);
  for (SweepPoint& point : experiment.points) take_units_of_memory(point.root);
  MadePlugins made;
  std::string identity;
  std::set<std::string> known;
  for (const SweepPoint& point : experiment.points) {
    Diagnostics problems;
    Study study = make_study(point, loader, made, problems);
    if (experiment.studies.empty() && problems.empty())
      check_report(study, experiment.points, problems);
    problems.throw_if_any();
    const std::string own = to_yaml(study.resolved) + join(study.plugins) + "\n" + point.row + "\n";
    identity += searched(study) + point.row + "\n";
    if (!known.insert(hex(fingerprint(own))).second) refuse_repeated(point);
    experiment.studies.push_back(std::move(study));
  }
  experiment.identity = hex(fingerprint(identity));
  return experiment;
}

}  // namespace thimble
