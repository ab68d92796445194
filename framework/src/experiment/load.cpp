#include <thimble/experiment/load.hpp>

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/experiment/columns.hpp>

namespace thimble {
namespace {

void check_columns(const Value& report, const ReportSettings& settings,
                   const std::vector<std::string>& known, Diagnostics& problems) {
  const auto is_known = [&](const std::string& column) {
    return std::ranges::find(known, column) != known.end();
  };
  if (const Value* const columns = report.find("columns"))
    for (const Value& column : columns->items())
      if (!is_known(column.text()))
        problems.error(column.where(),
                       fmt::format("no column {}{}", in_quotes(column.text()),
                                   did_you_mean(column.text(), known)),
                       "columns are " + join(known));
  for (const auto& row : settings.published)
    for (const auto& [column, value] : row)
      if (column != "row" && !is_known(column))
        problems.error(value.where(),
                       fmt::format("a published row has no column {}{}", in_quotes(column),
                                   did_you_mean(column, known)),
                       "columns are row, " + join(known));
}

void check_baseline(const Value& report, const std::string& baseline,
                    const std::vector<SweepPoint>& points, Diagnostics& problems) {
  std::vector<std::string> rows;
  for (const SweepPoint& point : points)
    if (std::ranges::find(rows, point.row) == rows.end()) rows.push_back(point.row);
  if (baseline.empty() || std::ranges::find(rows, baseline) != rows.end()) return;
  problems.error(report.find("baseline")->where(),
                 fmt::format("no row {}{}", in_quotes(baseline), did_you_mean(baseline, rows)),
                 "rows are " + join(rows, "; "));
}

/// The one section that all points share.
void check_report(const Study& study, const std::vector<SweepPoint>& points,
                  Diagnostics& problems) {
  const Value* const report = points[0].root.find("report");
  if (report == nullptr) return;
  check_columns(*report, study.report, known_columns(study), problems);
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
  for (const auto& [path, value] : set) parts.push_back(path + "=" + detail::one_line(value));
  throw InputError{
      Diagnostic{where, fmt::format("two points of the sweep are equal ({})", join(parts, " ")),
                 "keep one of them; what is to be told apart needs another value, seed or row"}};
}

}  // namespace

LoadedExperiment load_experiment(const std::filesystem::path& file,
                                 const std::vector<Assignment>& overrides, PluginLoader& loader) {
  LoadedExperiment experiment;
  experiment.text = read_file(file, std::size_t{4} << 20);
  experiment.points = expand_sweep(parse_yaml(experiment.text, file.string()), overrides);
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
    identity += own;
    if (!known.insert(hex(fingerprint(own))).second) refuse_repeated(point);
    experiment.studies.push_back(std::move(study));
  }
  experiment.identity = hex(fingerprint(identity));
  return experiment;
}

}  // namespace thimble
