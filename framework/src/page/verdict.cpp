#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "html.hpp"
#include "trained_figures.hpp"
#include "views.hpp"

namespace thimble {
namespace {

using PointData = PageData::Point;

/// Points that are shown in full; of more there is a table.
constexpr std::size_t kMostCards = 6;

double number_at(const Value& map, const std::string& key) {
  const Value* const found = map.find(key);
  if (found == nullptr || found->is_null()) return kNotANumber;
  const auto number = found->is_scalar() ? parse_number(found->text()) : std::nullopt;
  if (!number)
    throw InputError{
        Diagnostic{found->where(),
                   fmt::format("{} must be a number, found {}", in_quotes(key), found->found()),
                   "result.yaml has been changed"}};
  return *number;
}

std::string words_at(const Value& map, const char* key) {
  const Value* const found = map.find(key);
  return found != nullptr ? found->text() : "";
}

/// A number of the network that was found, with what is known of its error.
struct Reading {
  std::string metric;
  double value = kNotANumber;
  std::string error;  ///< "± 12 %, counted"
  double relative_error = 0;
};

std::string error_text(const Value& figure, double relative) {
  const std::string origin = words_at(figure, "origin");
  if (!(relative > 0)) return origin == "counted" ? "exact, counted" : origin;
  return fmt::format("± {}, {}", percent(relative), origin);
}

/// What result.yaml says of the best network: costs, then proxies and aggregates.
std::vector<Reading> readings_of(const Value& best) {
  std::vector<Reading> readings;
  const Value* const cost = best.find("cost");
  for (const CostMetric& metric : cost_metrics()) {
    const std::string name{metric.name};
    const Value* const figure = cost == nullptr ? nullptr : cost->find(name);
    if (!metric.needs_hardware()) {
      readings.push_back({name, number_at(best, name), "exact, counted", 0});
    } else if (figure != nullptr && figure->is_map()) {
      const double relative = number_at(*figure, "relative_error");
      readings.push_back(
          {name, number_at(*figure, "value"), error_text(*figure, relative), relative});
    }
  }
  for (const char* const group : {"proxies", "aggregates"})
    if (const Value* const values = best.find(group))
      for (const auto& entry : values->entries())
        readings.push_back({entry.key, number_at(*values, entry.key), "", 0});
  std::erase_if(readings, [](const Reading& reading) { return std::isnan(reading.value); });
  return readings;
}

/// A bar to 100 %; what is beyond is as long as the bar, and marked. A whisker is the error.
std::string bar(double share, double relative_error) {
  const double end = std::clamp(share, 0.0, 1.25) * 80;
  const double low = std::clamp(share * (1 - relative_error), 0.0, 1.25) * 80;
  const double high = std::clamp(share * (1 + relative_error), 0.0, 1.25) * 80;
  std::string svg = fmt::format(
      "<svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">"
      "<rect class=\"track\" width=\"80\" height=\"10\"/>"
      "<rect class=\"{}\" width=\"{:.1f}\" height=\"10\"/>",
      share > 1 ? "over" : "fill", end);
  if (relative_error > 0)
    svg += fmt::format("<path class=\"whisker\" d=\"M{:.1f} 5H{:.1f}\"/>", low, high);
  return svg + "<path class=\"limit\" d=\"M80 0V10\"/></svg>";
}

/// Beside the value: how much of what is allowed, or of what the board has.
std::string share_cell(const Reading& reading, const PointData& point) {
  const double limit = limit_of(point.limits, reading.metric);
  const double there = limit_of(point.board, reading.metric);
  const double most = std::isnan(limit) ? there : limit;
  if (!(most > 0)) return "";
  const double share = reading.value / most;
  return fmt::format("{}<span class=\"share\">{} of {}{}</span>",
                     bar(share, reading.relative_error), percent(share),
                     shown(reading.metric, most), std::isnan(limit) ? " on the board" : "");
}

std::string accuracy_rows(const PointData& point, const PageData& data) {
  std::string rows;
  for (const PageData::Metric& metric : data.metrics)
    if (metric.is_accuracy && std::isfinite(metric.values[*point.best_place]))
      rows += fmt::format(
          "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td>published or trained</td>"
          "<td></td></tr>\n",
          escaped(metric.name), shown_html(metric.name, metric.values[*point.best_place]));
  return rows;
}

/// What it learned, on the test part.
std::string trained_rows(const PointData& point, const PageData& data) {
  const CsvTable* const trained = data.record.table("trained");
  if (trained == nullptr) return "";
  std::string rows;
  for (const TrainedFigure& figure : trained_figures(*trained, data.number[*point.best_place])) {
    const auto [mean, deviation] = mean_and_deviation(figure.values);
    const std::string spread =
        figure.values.size() > 1 ? fmt::format("± {}, ", few_digits(deviation)) : "";
    rows += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td>{}{}</td><td></td></tr>\n",
        escaped(figure.name), shown_html(figure.name, mean), spread,
        count_text(std::ssize(figure.values), "training"));
  }
  return rows;
}

/// Where the one to take has learned nothing that is known, or nothing.
std::string untrained_text(const PointData& point, const PageData& data) {
  const CsvTable* const trained = data.record.table("trained");
  if (trained == nullptr || !trained_figures(*trained, data.number[*point.best_place]).empty())
    return "";
  bool has_failed = false;
  std::vector<std::string> others;
  for (const auto& row : trained->rows) {
    const std::string& number = row[trained->column("network")].text;
    has_failed = has_failed || number == std::to_string(data.number[*point.best_place]);
    const auto learned = parse_integer(number);
    if (learned && !trained_figures(*trained, *learned).empty() &&
        std::ranges::find(others, number) == others.end())
      others.push_back(number);
  }
  return fmt::format(
      "<p>{}{}.</p>", has_failed ? "Its trainings failed" : "It was not trained",
      others.empty() ? ""
                     : fmt::format("; what {} {} learned stands below",
                                   others.size() == 1 ? "network" : "networks", listed(others)));
}

std::string network_name(const PointData& point, const PageData& data) {
  return fmt::format("network {}", data.number[*point.best_place]);
}

std::string badge(const PointData& point) {
  if (point.limits.empty()) return "<span class=\"badge\">no limits</span>";
  return point.keeps_limits ? "<span class=\"badge ok\">✓ keeps all limits</span>"
                            : "<span class=\"badge bad\">✗ beyond the limits</span>";
}

std::string title_of(const PointData& point, const PageData& data) {
  const std::string row = point.row.empty() ? "" : escaped(point.row) + ": ";
  const std::string seed =
      data.points.size() > 1 ? fmt::format(" <small>seed {}</small>", escaped(point.seed)) : "";
  return row + network_name(point, data) + seed;
}

std::string card(const PointData& point, const PageData& data) {
  if (point.best.is_null())
    return fmt::format(
        "<article class=\"card\"><h3>{}nothing was found</h3>\n<p>{}</p></article>\n",
        point.row.empty() ? "" : escaped(point.row) + ": ", escaped(join(point.remarks, "; ")));
  std::string html =
      fmt::format("<article class=\"card\"><h3>{} {}</h3>\n<p class=\"arch\">{}</p>\n",
                  title_of(point, data), badge(point), arch_html(words_at(point.best, "arch")));
  if (const std::string reason = words_at(point.best, "reason"); !reason.empty())
    html += fmt::format("<p class=\"warning\">{}</p>\n", escaped(reason));
  html +=
      "<table class=\"figures\"><thead><tr><th scope=\"col\">number</th><th scope=\"col\" "
      "class=\"number\">value</th><th scope=\"col\">error, origin</th><th scope=\"col\">of the "
      "limit</th></tr></thead><tbody>\n";
  for (const Reading& reading : readings_of(point.best))
    html += fmt::format(
        "<tr><th scope=\"row\">{}</th><td class=\"number\">{}</td><td>{}</td>"
        "<td>{}</td></tr>\n",
        escaped(unit_of(reading.metric).label), shown_html(reading.metric, reading.value),
        escaped(reading.error), share_cell(reading, point));
  return html + accuracy_rows(point, data) + trained_rows(point, data) + "</tbody></table>" +
         untrained_text(point, data) + "</article>\n";
}

/// What the networks found have learned, each the mean over its trainings.
void add_trained_columns(HtmlTable& table, const CsvTable& trained, const PageData& data) {
  std::vector<std::map<std::string, double>> means;
  for (const PointData& point : data.points) {
    auto& of_point = means.emplace_back();
    if (!point.best_place) continue;
    for (const TrainedFigure& figure : trained_figures(trained, data.number[*point.best_place]))
      of_point[figure.name] = mean_and_deviation(figure.values).mean;
  }
  for (const TrainedFigure& figure : trained_figures(trained)) {
    const auto has_it = [&](const auto& of_point) { return of_point.contains(figure.name); };
    if (std::ranges::none_of(means, has_it)) continue;
    table.header.push_back(escaped(figure.name));
    for (std::size_t i = 0; i < means.size(); ++i)
      table.rows[i].push_back(
          shown_html(figure.name, has_it(means[i]) ? means[i].at(figure.name) : kNotANumber));
  }
}

/// A row a point, where there are too many for cards.
std::string table_of_points(const PageData& data) {
  HtmlTable table{"What each point found", {"row", "seed", "network", "limits"}, {}, 4};
  std::vector<std::string> metrics;
  for (const PageData::Metric& metric : data.metrics) {
    const bool is_known = std::ranges::any_of(data.points, [&](const PointData& point) {
      return point.best_place && std::isfinite(metric.values[*point.best_place]);
    });
    if (!is_known) continue;
    metrics.push_back(metric.name);
    table.header.push_back(escaped(unit_of(metric.name).label));
  }
  for (const PointData& point : data.points) {
    auto& row = table.rows.emplace_back(std::vector<std::string>{
        escaped(point.row.empty() ? "result" : point.row), escaped(point.seed),
        point.best.is_null() ? "nothing was found" : network_name(point, data),
        point.best.is_null() ? "" : badge(point)});
    for (const std::string& metric : metrics)
      row.push_back(shown_html(
          metric, point.best_place ? data.metric(metric)->values[*point.best_place] : kNotANumber));
  }
  if (const CsvTable* const trained = data.record.table("trained"))
    add_trained_columns(table, *trained, data);
  return to_html(table);
}

std::string remark_list(const PageData& data) {
  std::vector<std::string> all;
  const auto add = [&](const std::string& line) {
    if (std::ranges::find(all, line) == all.end()) all.push_back(line);
  };
  std::ranges::for_each(data.remarks, add);
  for (const PointData& point : data.points)
    for (const std::string& remark : point.remarks)
      add(point.row.empty() ? remark : point.row + ": " + remark);
  if (all.empty()) return "";
  std::string html = "<h3>Remarks</h3>\n<ul class=\"remarks\">\n";
  for (const std::string& remark : all) html += "<li>" + escaped(remark) + "</li>\n";
  return html + "</ul>\n";
}

/// Whose code latencies are of, which can be compared with no other's.
std::string runtime_sentence(const PageData& data) {
  if (data.runtimes.empty()) return "";
  return fmt::format(
      "<p>Latency is that of {}; ± is half of an interval that is to hold 95 % of measured values, "
      "and "
      "what is guessed nobody measured.{}</p>\n",
      escaped(join(data.runtimes, "; ")),
      data.runtimes.size() > 1 ? " Latencies of different runtimes cannot be compared." : "");
}

std::string cost_phrase(const PointData& point, const PageData& data) {
  std::vector<std::string> parts;
  for (const Reading& reading : readings_of(point.best)) {
    const CostMetric* const metric = find_cost_metric(reading.metric);
    const double limit = limit_of(point.limits, reading.metric);
    const bool is_asked_for =
        metric != nullptr && metric->needs_hardware() && reading.metric != "energy_mj";
    if (!is_asked_for && std::isnan(limit)) continue;
    const double most = std::isnan(limit) ? limit_of(point.board, reading.metric) : limit;
    std::string part = unit_of(reading.metric).label + " " + shown(reading.metric, reading.value);
    if (std::isfinite(most)) part += " of " + shown(reading.metric, most);
    if (reading.relative_error >= 0.005) part += " (" + reading.error + ")";
    parts.push_back(part);
  }
  if (parts.empty()) return "";
  return ": " + listed(parts) + (data.target.empty() ? "" : " on " + data.target);
}

}  // namespace

std::string headline(const PageData& data) {
  const auto feasible = std::ranges::count(data.state, PageData::State::feasible);
  std::string text = fmt::format(
      "{} looked at", count_text(static_cast<std::int64_t>(data.all_networks), "network"));
  if (data.all_networks == data.arch.size() && feasible > 0 && feasible < std::ssize(data.arch))
    text += fmt::format(", {} of them valid and within the limits", feasible);
  const auto has_limits = [](const PointData& point) { return !point.limits.empty(); };
  if (data.points.size() > 1 && std::ranges::none_of(data.points, has_limits))
    return text + fmt::format(" in {} points of a sweep, without limits.", data.points.size());
  if (data.points.size() > 1)
    return text +
           fmt::format(" in {} points of a sweep; {} of them found one that keeps its limits.",
                       data.points.size(),
                       std::ranges::count_if(data.points, &PointData::keeps_limits));
  const PointData& point = data.points.front();
  if (point.best.is_null()) return text + "; nothing was found.";
  if (!point.keeps_limits)
    return text + fmt::format("; nothing keeps the limits. Nearest is {}{}.",
                              network_name(point, data), cost_phrase(point, data));
  return text + fmt::format("; {} on the front. The one to take is {}{}.", point.front.size(),
                            network_name(point, data), cost_phrase(point, data));
}

std::string verdict_view(const PageData& data) {
  std::string content;
  if (data.points.size() > kMostCards) {
    content = table_of_points(data);
  } else {
    content = "<div class=\"cards\">\n";
    for (const PointData& point : data.points) content += card(point, data);
    content += "</div>\n";
  }
  return section(
      "verdict", "Verdict",
      "A bar is the share of what is allowed, up to the line at 100 %; the thin stroke is "
      "the error of the figure. Counted figures are read off the generated code.",
      runtime_sentence(data) + content + remark_list(data));
}

}  // namespace thimble
