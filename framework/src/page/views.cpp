#include "views.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/text.hpp>
#include <thimble/experiment/columns.hpp>
#include <thimble/report/statistics.hpp>

#include "html.hpp"
#include "pictures.hpp"

namespace thimble {
namespace {

using Metric = PageData::Metric;

/// Networks whose layers the page shows without its script.
constexpr std::size_t kMostPictures = 4;

std::vector<const Metric*> objectives_of(const PageData& data) {
  std::vector<const Metric*> objectives;
  for (const Metric& metric : data.metrics)
    if (metric.is_objective) objectives.push_back(&metric);
  return objectives;
}

std::string labels_of(const std::vector<const Metric*>& metrics) {
  std::vector<std::string> labels;
  for (const Metric* const metric : metrics) labels.push_back(escaped(unit_of(metric->name).label));
  return listed(labels);
}

/// Better is more of both: above 0 they go together, below they pull apart.
double agreement_of(const Metric& a, const Metric& b) {
  std::vector<double> x, y;
  for (std::size_t i = 0; i < a.values.size(); ++i) {
    if (!std::isfinite(a.values[i]) || !std::isfinite(b.values[i])) continue;
    x.push_back(goodness(a.values[i], *a.direction));
    y.push_back(goodness(b.values[i], *b.direction));
  }
  return x.size() < 3 ? kNotANumber : kendall_tau(x, y);
}

struct Match {
  const Metric* a;
  const Metric* b;
  double tau;
};

std::vector<Match> matches_of(const std::vector<const Metric*>& objectives) {
  std::vector<Match> matches;
  for (std::size_t i = 0; i < objectives.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (const double tau = agreement_of(*objectives[j], *objectives[i]); std::isfinite(tau))
        matches.push_back({objectives[j], objectives[i], tau});
  std::ranges::sort(matches, {}, &Match::tau);
  return matches;
}

std::string match_text(const Match& match) {
  return fmt::format("{} and {} (Kendall's tau {:.2f})", escaped(unit_of(match.a->name).label),
                     escaped(unit_of(match.b->name).label), match.tau);
}

std::string name_of_place(const PageData& data, std::size_t place) {
  return fmt::format("network {}", data.number[place]);
}

/// The layers that take most of the time, until half of it is told.
std::string slow_layers(const NetworkPlan& plan) {
  std::vector<std::size_t> order(plan.layers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, std::greater{},
                           [&](std::size_t i) { return plan.layers[i].latency_ms; });
  double all = 0, told = 0;
  for (const NetworkPlan::Layer& layer : plan.layers) all += layer.latency_ms;
  if (!(all > 0)) return "";
  std::vector<std::string> words;
  for (const std::size_t i : order) {
    if (told >= 0.5 * all || words.size() == 3) break;
    told += plan.layers[i].latency_ms;
    words.push_back(fmt::format("{} {}", escaped(layer_text(plan.layers[i])),
                                percent(plan.layers[i].latency_ms / all)));
  }
  return fmt::format(" Its time goes into {}.", listed(words));
}

std::string peak_text(const NetworkPlan& plan) {
  const NetworkPlan::Layer& peak = plan.layers[plan.peak_layer];
  const auto kib = [](std::int64_t bytes) { return few_digits(static_cast<double>(bytes) / 1024); };
  return fmt::format(
      "The arena takes {} KiB; whatever the plan, {} KiB are in use at one time. Most while {} "
      "runs "
      "(framed): a smaller tensor there, and nowhere else, makes it smaller.",
      kib(plan.arena_bytes), kib(plan.lower_bound_bytes), escaped(layer_text(peak)));
}

/// The first plans, each with a heading.
std::string pictures(const PageData& data,
                     std::string (*draw)(const NetworkPlan&, const std::string&), const char* id) {
  std::string html = fmt::format("<div id=\"{}\" class=\"view\">\n", id);
  for (std::size_t i = 0; i < data.plans.size() && i < kMostPictures; ++i) {
    const auto& [place, plan] = data.plans[i];
    const std::string name = name_of_place(data, place);
    html += fmt::format("<figure><figcaption>{}: <code>{}</code></figcaption>{}</figure>\n", name,
                        escaped(data.arch[place]), plan.layers.empty() ? "" : draw(plan, name));
  }
  return html + "</div>\n";
}

bool has_layers(const PageData& data) {
  return !data.plans.empty() && !data.plans.front().plan.layers.empty();
}

/// " ± 50 %, guessed" behind a cost; nothing behind what is exact.
std::string error_beside(const CsvTable& table, const std::vector<CsvCell>& row,
                         const std::string& metric) {
  const auto error = table.find(metric + kErrorColumns[0]);
  const auto relative = error ? parse_number(row[*error].text) : std::nullopt;
  if (!relative || !(*relative > 0)) return "";
  return fmt::format(" ± {}, {}", percent(*relative),
                     escaped(row[table.column(metric + kErrorColumns[1])].text));
}

std::string selected_table(const PageData& data) {
  const CsvTable* const selected = data.record.table("selected");
  if (selected == nullptr) return "";
  HtmlTable table{"Selected networks, and what stands out on the front", {}, {}, 6};
  for (const CsvCell& cell : selected->header)
    if (!is_error_column(cell.text)) table.header.push_back(escaped(unit_of(cell.text).label));
  for (const auto& row : selected->rows) {
    auto& cells = table.rows.emplace_back();
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string& name = selected->header[i].text;
      if (is_error_column(name)) continue;
      const std::string metric = name.ends_with("_limit") ? name.substr(0, name.size() - 6) : name;
      const auto number = parse_number(row[i].text);
      cells.push_back(i >= table.first_number && number
                          ? shown_html(metric, *number) + error_beside(*selected, row, name)
                      : name == "arch" ? arch_html(row[i].text)
                                       : escaped(row[i].text));
    }
  }
  return to_html(table);
}

std::string sample_text(const PageData& data) {
  if (data.arch.size() == data.all_networks) return "";
  return fmt::format(" The page holds {} of {} networks: the front, and every n-th of the others.",
                     data.arch.size(), data.all_networks);
}

}  // namespace

std::string front_view(const PageData& data) {
  const auto objectives = objectives_of(data);
  std::size_t on_front = 0;
  for (const PageData::Point& point : data.points) on_front += point.front.size();
  const bool is_kept = std::ranges::any_of(data.points, &PageData::Point::keeps_limits);
  const std::string networks = count_text(static_cast<std::int64_t>(data.all_networks), "network");
  const std::string who =
      is_kept && objectives.empty()
          ? fmt::format("{}, and no objective to compare them by.", networks)
      : is_kept && data.points.size() > 1
          ? fmt::format(
                "{} of {} on the fronts of {} points: in none of these is another better in all "
                "of the point's objectives.",
                on_front, networks, data.points.size())
      : is_kept
          ? fmt::format("{} of {} on the front: no other is better in {}{}.", on_front, networks,
                        objectives.size() < 2 ? "" : "all of ", labels_of(objectives))
          : "Nothing keeps the limits; what is called the front are the networks nearest to them.";
  const std::string reading =
      who +
      " <span class=\"scripted\">A line is a network, on every axis better is up, and what is "
      "beyond a "
      "limit is shaded. Drag along an axis to keep what lies there.</span>" +
      sample_text(data);
  const std::string picture = front_picture(data);
  const std::string still =
      picture.empty()
          ? ""
          : "<figure class=\"still\"><figcaption>Grey: looked at. Coloured: on the front. "
            "Ringed, with numbers: selected.</figcaption>" +
                picture + "</figure>\n";
  return section("front", "Front", reading, "<div id=\"parallel\" class=\"view\"></div>\n" + still);
}

std::string matrix_view(const PageData& data) {
  if (data.arch.size() < 2) return "";
  const auto matches = matches_of(objectives_of(data));
  std::string reading =
      "Each square sets two numbers against each other; drag a box to keep what is "
      "in it.";
  constexpr double kPullsApart = -0.3;
  if (!matches.empty() && matches.front().tau < kPullsApart)
    reading += fmt::format(" What is good for one is bad for the other most of all for {}.",
                           match_text(matches.front()));
  if (!matches.empty() && matches.back().tau > 0.7)
    reading +=
        fmt::format(" {} say nearly the same: one of them would do.", match_text(matches.back()));
  return section("matrix", "Every number against every other", reading,
                 "<div class=\"view\"></div>\n", " class=\"scripted\"");
}

std::string selection_view(const PageData& data) {
  std::string reading;
  for (const PageData::Point& point : data.points) {
    if (point.chosen.empty()) continue;
    std::vector<std::string> numbers;
    for (const std::size_t place : point.chosen)
      numbers.push_back(std::to_string(data.number[place]));
    reading += fmt::format("{}The networks {} together span most of the front{}. ",
                           point.row.empty() ? "" : escaped(point.row) + ": ", listed(numbers),
                           point.knee ? fmt::format("; {} is its knee, where giving up a little of "
                                                    "one gains least of the others",
                                                    name_of_place(data, *point.knee))
                                      : "");
  }
  if (reading.empty())
    reading = "Without 'select' in the experiment nothing was chosen beforehand. ";
  return section("selection", "Selection",
                 reading + "<span class=\"scripted\">Pin up to five to compare them.</span>",
                 "<div class=\"view\"></div>\n<div class=\"unscripted\">" + selected_table(data) +
                     "<p>In the folder that this page lies in: <code>thimble "
                     "deploy FOLDER --network N</code> writes a network as C, <code>thimble score "
                     "FOLDER --network N</code> computes its numbers again.</p></div>\n");
}

std::string network_view(const PageData& data) {
  if (!has_layers(data))
    return data.missing.empty() ? "" : section("network", "Network", escaped(data.missing), "");
  const auto& [place, plan] = data.plans.front();
  const std::string reading = fmt::format(
      "{} has {}, from top to bottom as they run.{}", "N" + name_of_place(data, place).substr(1),
      count_text(std::ssize(plan.layers), "layer"), slow_layers(plan));
  return section("network", "Network", reading, pictures(data, network_picture, "layers"));
}

std::string memory_view(const PageData& data) {
  if (!has_layers(data)) return "";
  return section("memory", "Memory plan",
                 fmt::format("{}: {} A block is a tensor: as wide as it is needed, as high as its "
                             "bytes; dashed is scratch of a layer.",
                             "N" + name_of_place(data, data.plans.front().place).substr(1),
                             peak_text(data.plans.front().plan)),
                 pictures(data, memory_picture, "arena"));
}

}  // namespace thimble
