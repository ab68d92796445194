#include <thimble/report/analysis_pictures.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/search/cost_metrics.hpp>

#include "sweep_pictures.hpp"

namespace thimble {
namespace {

std::string interval_text(const Estimate& estimate) {
  const auto [low, high] = estimate.interval;
  return std::isfinite(low) ? fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.value, low, high)
                            : fmt::format("{:.2f}", estimate.value);
}

/// Nothing when no cell has a value.
std::string scatter(const std::string& name, const std::string& row, const Sample::Column& metric,
                    const Sample::Column& accuracy, const Agreement& agreement) {
  std::vector<double> values;
  std::vector<std::vector<double>> valid, invalid;
  for (const std::size_t i : looked_at(metric, accuracy)) {
    if (std::isnan(metric.values[i])) {
      invalid.push_back({accuracy.values[i]});
      continue;
    }
    values.push_back(metric.values[i]);
    valid.push_back({accuracy.values[i], metric.values[i]});
  }
  if (values.empty()) return "";
  const Axis axis{values};  // what has no value stands at its worse end
  std::string second = fmt::format("tau {}, {}", interval_text(agreement.correlation.tau),
                                   count_text(static_cast<std::int64_t>(agreement.cells), "cell"));
  if (!invalid.empty()) second += fmt::format(", × {} without a value", invalid.size());
  std::string text = head(name, 1000, 800) + block("valid", valid);
  if (!invalid.empty()) text += block("invalid", invalid);
  text += title(row.empty() ? metric.name : metric.name + ", " + row, second);
  text += fmt::format("set xlabel {} noenhanced\nset ylabel {} noenhanced\n",
                      gnuplot_text(cut(accuracy.name) + " / %"), gnuplot_text(metric.name));
  if (axis.is_logarithmic) text += "set logscale y\nset format y '10^{%T}'\n";
  text += fmt::format(
      "set yrange [{}:{}]\nset offsets graph 0.03, graph 0.03, 0, 0\nset key off\n"
      "plot $valid using 1:2 with points pt 7 ps 1.2 lc rgb '#800072b2'",
      number_text(axis.low), number_text(axis.high));
  if (!invalid.empty())
    text +=
        fmt::format(", \\\n  $invalid using 1:({}) with points pt 2 ps 1.6 lc rgb '#d55e00'",
                    number_text(metric.direction == Direction::minimize ? axis.high : axis.low));
  return text + "\n";
}

/// The label of a tick is a format of numbers.
std::string format_text(const std::string& text) {
  std::string format;
  for (const char letter : text) format += letter == '%' ? "%%" : std::string(1, letter);
  return gnuplot_text(format);
}

std::string tick_labels(const char* axis, const std::vector<std::string>& names) {
  std::string text = fmt::format("set {}tics noenhanced scale 0 ", axis);
  if (axis[0] == 'x') text += "rotate by 45 right ";
  for (std::size_t i = 0; i < names.size(); ++i)
    text += fmt::format("{}{} {}", i == 0 ? "(" : ", ", format_text(cut(names[i])), i);
  return text + ")\n";
}

/// For a square of equal cells with these names at its left and, aslant, below it.
std::string square_head(const std::string& name, const std::vector<std::string>& names) {
  std::size_t longest = 0;
  for (const std::string& one : names) longest = std::max(longest, cut(one).size());
  const int count = static_cast<int>(names.size());
  const int square = count * std::max(64, 420 / count);  // a title wants room, too
  const int left = 40 + 13 * static_cast<int>(longest), below = 50 + 2 * left / 3;
  const int width = left + square + 150, height = 100 + square + below;
  const auto part = [](int some, int whole) { return static_cast<double>(some) / whole; };
  return head(name, width, height) +
         fmt::format(
             "set lmargin at screen {:.4f}\nset rmargin at screen {:.4f}\n"
             "set bmargin at screen {:.4f}\nset tmargin at screen {:.4f}\n"
             "set colorbox user origin screen {:.4f},{:.4f} size screen {:.4f},{:.4f}\n",
             part(left, width), part(left + square, width), part(below, height),
             part(below + square, height), part(left + square + 25, width), part(below, height),
             part(25, width), part(square, height));
}

std::string agreement_map(const std::string& name, const std::string& row, const Sample& sample,
                          const Analysis& analysis) {
  std::vector<std::string> names;
  for (const auto& columns : {sample.metrics, sample.accuracies})
    for (const Sample::Column& column : columns) names.push_back(column.name);
  std::vector<std::vector<double>> taus;
  for (std::size_t i = 0; i < names.size(); ++i) {
    for (std::size_t j = 0; j < names.size(); ++j) {
      const Agreement* const found =
          over_all_cells(analysis.pairs, names[std::max(i, j)], names[std::min(i, j)]);
      const double tau = i == j ? 1 : found != nullptr ? found->correlation.tau.value : kNotANumber;
      taus.push_back({static_cast<double>(j), static_cast<double>(i), tau});
    }
  }
  const double edge = static_cast<double>(names.size()) - 0.5;
  const double border = static_cast<double>(sample.metrics.size()) - 0.5;
  return square_head(name, names) + block("tau", taus) +
         title(row.empty() ? "Kendall's tau" : row,
               fmt::format("{}{} networks", row.empty() ? "" : "Kendall's tau, ", sample.size())) +
         tick_labels("x", names) + tick_labels("y", names) +
         (sample.accuracies.empty()
              ? ""
              : fmt::format("set arrow from {1},-0.5 to {1},{0} nohead front lc rgb '#444444'\n"
                            "set arrow from -0.5,{1} to {0},{1} nohead front lc rgb '#444444'\n",
                            number_text(edge), number_text(border))) +
         fmt::format(
             "set xrange [-0.5:{0}]\nset yrange [{0}:-0.5]\nset key off\n"
             "set cbrange [-1:1]\nset cbtics 0.5\n"
             "set palette defined (-1 '#2166ac', 0 '#f7f7f7', 1 '#b2182b')\n"
             "plot $tau using 1:2:3 with image pixels, \\\n"
             "  $tau using 1:2:(gprintf('%.2f', $3)):"
             "(abs($3) > 0.7 ? 0xffffff : 0x222222) with labels font ',15' tc rgb variable\n",
             number_text(edge));
}

}  // namespace

std::vector<Picture> analysis_pictures(const std::vector<PointOutcome>& outcomes,
                                       const std::vector<Sample>& samples,
                                       const std::vector<Analysis>& analyses) {
  std::vector<Picture> pictures;
  const auto add = [&](const std::string& name, const std::string& script) {
    if (!script.empty()) pictures.push_back({name, script});
  };
  const auto points = first_of_rows(outcomes);
  for (const std::size_t point : points) {
    const Sample& sample = samples[point];
    if (sample.size() < 2) continue;
    const std::string row = outcomes[point].row;
    const std::string number = points.size() > 1 ? "_" + std::to_string(point + 1) : "";
    for (const Sample::Column& metric : sample.metrics) {
      if (sample.accuracies.empty()) break;
      if (is_cost_metric(metric.name)) continue;  // a control, in the map of agreement
      const std::string name = "scatter_" + metric.name + number;
      const Sample::Column& accuracy = sample.accuracies[0];
      add(name, scatter(name, row, metric, accuracy,
                        *over_all_cells(analyses[point].accuracies, metric.name, accuracy.name)));
    }
    add("agreement" + number, agreement_map("agreement" + number, row, sample, analyses[point]));
  }
  for (Picture& picture : sweep_pictures(outcomes, samples, analyses))
    pictures.push_back(std::move(picture));
  return pictures;
}

}  // namespace thimble
