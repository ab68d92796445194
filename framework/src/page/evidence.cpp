#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "html.hpp"
#include "trained_figures.hpp"
#include "views.hpp"

namespace thimble {
namespace {

using Row = std::vector<CsvCell>;

/// What there is of a metric's ranking over all networks, by the first accuracy.
struct Ranking {
  std::string metric;
  double tau, low, high;
  double networks;
};

double number_at(const CsvTable& table, const Row& row, const char* column) {
  const auto place = table.find(column);
  return place ? parse_number(row[*place].text).value_or(kNotANumber) : kNotANumber;
}

const std::string& text_at(const CsvTable& table, const Row& row, const char* column) {
  static const std::string kNothing;
  const auto place = table.find(column);
  return place ? row[*place].text : kNothing;
}

/// How well it ranks: of the controls, more is better.
double strength_of(const Ranking& ranking, const PageData& data) {
  const PageData::Metric* const metric = data.metric(ranking.metric);
  const bool is_control = ranking.metric == "macs" || ranking.metric == "params";
  const bool is_less_better = metric != nullptr && metric->direction == Direction::minimize;
  return is_less_better && !is_control ? -ranking.tau : ranking.tau;
}

/// Of the first point, the best first.
std::vector<Ranking> rankings_of(const CsvTable& analysis, const PageData& data) {
  std::vector<Ranking> rankings;
  std::string against;
  for (const Row& row : analysis.rows) {
    if (text_at(analysis, row, "subset") != "all" || text_at(analysis, row, "point") != "1")
      continue;
    if (against.empty()) against = text_at(analysis, row, "against");
    const double tau = number_at(analysis, row, "tau");
    if (text_at(analysis, row, "against") == against && std::isfinite(tau))
      rankings.push_back({text_at(analysis, row, "metric"), tau,
                          number_at(analysis, row, "tau_low"), number_at(analysis, row, "tau_high"),
                          number_at(analysis, row, "n")});
  }
  std::ranges::stable_sort(rankings, std::greater{},
                           [&](const Ranking& ranking) { return strength_of(ranking, data); });
  return rankings;
}

std::string interval_text(const Ranking& ranking) {
  if (!std::isfinite(ranking.low)) return fmt::format("{:.2f}", ranking.tau);
  return fmt::format("{:.2f} [{:.2f}, {:.2f}]", ranking.tau, ranking.low, ranking.high);
}

/// What the metric's ten best lose against the best there is.
std::string regret_text(const PageData& data, const std::string& metric) {
  const CsvTable* const regret = data.record.table("regret");
  if (regret == nullptr) return "";
  for (const Row& row : regret->rows)
    if (text_at(*regret, row, "metric") == metric && text_at(*regret, row, "k") == "10")
      return fmt::format(
          " The best of the ten that it ranks highest is {} percentage points below "
          "the best there is.",
          few_digits(number_at(*regret, row, "regret")));
  return "";
}

std::string ranking_text(const std::vector<Ranking>& rankings, const PageData& data) {
  constexpr double kFewest = 5;
  if (rankings.empty()) return "Accuracies are known, and no metric ranks by them.";
  const Ranking& first = rankings.front();
  if (first.networks < kFewest)
    return fmt::format(
        "Of {} networks the accuracies are known, too few to say which metric ranks.",
        first.networks);
  if (!(strength_of(first, data) > 0)) return "Accuracies are known, and no metric ranks by them.";
  const auto ties = std::ranges::count_if(rankings, [&](const Ranking& other) {
    return strength_of(other, data) == strength_of(first, data);
  });
  return fmt::format(
      "{} ranks best by accuracy{}, of {} networks: Kendall's tau {} (1 or -1: the same order, 0: "
      "none).{}{}",
      escaped(first.metric),
      ties > 1 ? fmt::format(" (with {} as good)", count_text(ties - 1, "other")) : "",
      first.networks, interval_text(first),
      first.low < 0 && first.high > 0 ? " The interval holds 0: this may be chance." : "",
      regret_text(data, first.metric));
}

/// Costs in their units, as everywhere on the page.
std::string short_cell(const std::string& column, const std::string& text, bool is_number) {
  const auto number = is_number ? parse_number(text) : std::nullopt;
  if (!number) return escaped(text);
  const double factor = is_cost_metric(column) ? unit_of(column).factor : 1;
  return fmt::format("<data value=\"{}\">{}</data>", escaped(text), few_digits(*number / factor));
}

std::string short_heading(const std::string& column) {
  if (!is_cost_metric(column)) return escaped(column);
  const Unit unit = unit_of(column);
  return escaped(unit.label + " (" + unit.symbol + ")");
}

/// A table of a CSV file, its numbers short, without columns that say nothing or only what a
/// network's number says. What went wrong stands in front of the numbers.
std::string short_table(const CsvTable& csv, const std::string& caption, const char* first_number,
                        const std::function<bool(const Row&)>& is_shown) {
  std::vector<std::size_t> words, numbers;
  bool is_behind = false;
  for (std::size_t i = 0; i < csv.header.size(); ++i) {
    const std::string& name = csv.header[i].text;
    is_behind = is_behind || name == first_number;
    const auto says_something = [&](const Row& row) {
      return is_shown(row) && !row[i].text.empty();
    };
    if (name == "arch" || !std::ranges::any_of(csv.rows, says_something)) continue;
    (is_behind && name != "failure" ? numbers : words).push_back(i);
  }
  HtmlTable table{caption, {}, {}, words.size()};
  std::vector<std::size_t> columns = words;
  columns.insert(columns.end(), numbers.begin(), numbers.end());
  for (const std::size_t i : columns) table.header.push_back(short_heading(csv.header[i].text));
  for (const Row& row : csv.rows) {
    if (!is_shown(row)) continue;
    auto& cells = table.rows.emplace_back();
    for (const std::size_t i : columns)
      cells.push_back(
          short_cell(csv.header[i].text, row[i].text, cells.size() >= table.first_number));
  }
  return table.rows.empty() ? "" : to_html(table);
}

/// A point's networks, and when each objective was last bettered by one within the limits, counted
/// from 1.
struct PointCourse {
  std::size_t networks = 0;
  std::vector<std::pair<std::string, std::size_t>> steps;

  bool was_late() const {
    return std::ranges::any_of(steps,
                               [&](const auto& step) { return step.second * 5 > networks * 4; });
  }
};

PointCourse course_of(const PageData& data, int point) {
  PointCourse course;
  course.networks = static_cast<std::size_t>(std::ranges::count(data.point, point));
  for (const PageData::Metric& metric : data.metrics) {
    if (!metric.is_objective) continue;
    double best = kNotANumber;
    std::size_t place = 0, last = 0;
    for (std::size_t i = 0; i < metric.values.size(); ++i) {
      if (data.point[i] != point) continue;
      ++place;
      if (data.state[i] != PageData::State::feasible || !std::isfinite(metric.values[i])) continue;
      const double value = goodness(metric.values[i], *metric.direction);
      if (!std::isnan(best) && value <= best) continue;
      best = value;
      last = place;
    }
    if (last > 0) course.steps.emplace_back(unit_of(metric.name).label, last);
  }
  return course;
}

std::string course_text(const PointCourse& course) {
  std::vector<std::string> words;
  for (const auto& [label, step] : course.steps)
    words.push_back(fmt::format("{} at network {}", escaped(label), step));
  return fmt::format("Last bettered: {} of {}. {}", listed(words), course.networks,
                     course.was_late() ? "That was late: a longer search may find more."
                                       : "The last fifth brought nothing better in any of them "
                                         "alone.");
}

std::string search_reading(const PageData& data) {
  std::vector<PointCourse> courses;
  bool has_values = false;
  for (std::size_t i = 0; i < data.points.size(); ++i) {
    const PointCourse course = course_of(data, static_cast<int>(i));
    has_values = has_values || !course.steps.empty();
    if (course.networks > 1 && !course.steps.empty()) courses.push_back(course);
  }
  if (data.record.table("course") != nullptr && courses.empty())
    return "What the search told of itself, epoch by epoch.";
  if (!has_values) return "No network within the limits has a value of an objective.";
  if (courses.empty())
    return "No search scored more than the one network that it ended with, so there is no "
           "course to draw.";
  const std::string what =
      "The best value so far of every objective, over the networks in the order in which they were "
      "looked at. ";
  if (courses.size() == 1) return what + course_text(courses.front());
  const auto late = std::ranges::count_if(courses, &PointCourse::was_late);
  return what + (late == 0 ? fmt::format("In none of {} searches did the last fifth bring anything "
                                         "better.",
                                         courses.size())
                           : fmt::format("In {} of {} searches the last fifth still brought "
                                         "something better: longer ones may find more.",
                                         late, courses.size()));
}

std::string training_reading(const CsvTable& trained) {
  std::vector<std::string> words;
  std::size_t failed = 0;
  for (const Row& row : trained.rows) failed += text_at(trained, row, "failure").empty() ? 0 : 1;
  for (const TrainedFigure& figure : trained_figures(trained))
    words.push_back(fmt::format("{} {}", escaped(figure.name),
                                few_digits(mean_and_deviation(figure.values).mean)));
  return fmt::format(
      "{} ended{}; on the test part, on average over all: {}. Of the curves, one that goes on "
      "rising "
      "on validation would gain from more epochs; one that falls there while the training's rises "
      "overfits.",
      count_text(std::ssize(trained.rows), "training"),
      failed == 0 ? "" : fmt::format(", {} of them failed", failed),
      words.empty() ? "nothing" : listed(words));
}

/// Durations of each point, with few digits.
std::string timing_table(const Value& timing) {
  const Value* const points = timing.find("points");
  if (points == nullptr) return "";
  HtmlTable table{"What it took, in seconds", {"row", "seed"}, {}, 2};
  for (const Value& point : points->items())
    for (const auto& entry : point.entries())
      if (std::ranges::find(table.header, entry.key) == table.header.end())
        table.header.push_back(entry.key);
  for (const Value& point : points->items()) {
    auto& row = table.rows.emplace_back();
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      const Value* const found = point.find(table.header[i]);
      const std::string text = found == nullptr ? "" : found->text();
      const auto number = i < table.first_number ? std::nullopt : parse_number(text);
      row.push_back(number ? few_digits(*number) : escaped(text));
    }
  }
  for (std::string& name : table.header) name = escaped(name);
  return to_html(table);
}

/// What differs between equal runs stands between these marks, and nowhere else.
std::string this_run(const PageData& data) {
  return fmt::format(
      "<!-- this run -->\n<h3>This very run</h3>\n<p>Folder <code id=\"folder\">{}</code></p>\n{}"
      "<!-- end of this run -->\n",
      escaped(data.record.folder.lexically_normal().string()), timing_table(data.record.timing));
}

}  // namespace

std::string agreement_view(const PageData& data) {
  const CsvTable* const analysis = data.record.table("analysis");
  const CsvTable* const agreement = data.record.table("agreement");
  if (agreement == nullptr) return "";
  if (analysis == nullptr)
    return section(
        "agreement", "Do the proxies agree?",
        "Nobody knows these networks' accuracies here, so there is no saying which metric is "
        "right; "
        "Kendall's tau says how far they agree: 1 the same order, 0 none, -1 the reverse.",
        "<div class=\"view\"></div>\n<div class=\"unscripted\">" +
            short_table(
                *agreement, "Agreement of metrics, over all networks", "n",
                [&](const Row& row) { return text_at(*agreement, row, "subset") == "all"; }) +
            "</div>\n");
  const std::string reading = ranking_text(rankings_of(*analysis, data), data);
  return section(
      "agreement", "Do the proxies know?", reading,
      "<div class=\"view\"></div>\n" +
          short_table(*analysis, "How metrics rank by accuracy, over all networks", "n",
                      [&](const Row& row) { return text_at(*analysis, row, "subset") == "all"; }));
}

std::string search_view(const PageData& data) {
  return section("search", "Search", search_reading(data), "<div class=\"view\"></div>\n");
}

std::string training_view(const PageData& data) {
  const CsvTable* const trained = data.record.table("trained");
  if (trained == nullptr) return "";
  return section("training", "Training", training_reading(*trained),
                 "<div class=\"view\"></div>\n" +
                     short_table(*trained, "Trainings", "seed", [](const Row&) { return true; }));
}

std::string provenance_view(const PageData& data) {
  const std::string reading = fmt::format(
      "Written by {}; identity {}. What is below, with every value that was in force, is an "
      "experiment again: <code>thimble run FOLDER/{}</code>.",
      escaped(data.program), escaped(data.identity),
      data.points.size() > 1 ? "resolved/001.yaml" : "resolved.yaml");
  return section("provenance", "Where this comes from", reading,
                 "<details><summary>The experiment as it was resolved" +
                     std::string{data.points.size() > 1 ? " (first point)" : ""} +
                     "</summary><pre tabindex=\"0\">" + escaped(data.record.resolved_text) +
                     "</pre></details>\n" + this_run(data));
}

}  // namespace thimble
