#include <thimble/report/analysis_pictures.hpp>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

std::string interval_text(const Estimate& estimate) {
  const auto [low, high] = estimate.interval;
  return std::isfinite(low) ? fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.value, low, high)
                            : fmt::format("{:.2f}", estimate.value);
}

/// The one over all cells, or nullptr.
const Agreement* find(const std::vector<Agreement>& agreements, const std::string& metric,
                      const std::string& against) {
  const auto found = std::ranges::find_if(agreements, [&](const Agreement& agreement) {
    return agreement.metric == metric && agreement.against == against && agreement.subset == "all";
  });
  return found == agreements.end() ? nullptr : &*found;
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
          find(analysis.pairs, names[std::max(i, j)], names[std::min(i, j)]);
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

/// The one number that differs between points besides the seed, or nothing.
std::string swept_number(const std::vector<PointOutcome>& outcomes) {
  std::set<std::string> paths;
  std::set<double> values;
  for (const PointOutcome& outcome : outcomes) {
    for (const auto& [path, value] : outcome.assignments) {
      if (path == "seed") continue;
      const auto number = value.is_scalar() ? parse_number(value.text()) : std::nullopt;
      if (!number) return "";
      paths.insert(path);
      values.insert(*number);
    }
  }
  return paths.size() == 1 && values.size() > 1 ? *paths.begin() : "";
}

/// Whether the metric's value changes with a parameter of proxies, or of the pass that is common to
/// all; not with the seed alone.
bool depends_on(const std::string& metric, const std::string& path,
                const std::vector<PointOutcome>& outcomes) {
  if (!path.starts_with("proxies.") && !path.starts_with("pass.")) return false;
  std::map<std::uint64_t, std::set<std::string>> keys;
  for (const PointOutcome& outcome : outcomes)
    if (const auto found = outcome.keys.find(metric); found != outcome.keys.end())
      keys[outcome.seed].insert(found->second);
  return std::ranges::any_of(keys, [](const auto& of_seed) { return of_seed.second.size() > 1; });
}

/// The taus of all points by the value of the swept number.
std::map<double, std::vector<Estimate>> taus_by_number(const std::string& path,
                                                       const std::string& metric,
                                                       const std::string& accuracy,
                                                       const std::vector<PointOutcome>& outcomes,
                                                       const std::vector<Analysis>& analyses) {
  std::map<double, std::vector<Estimate>> found;
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    const auto& assignments = outcomes[point].assignments;
    const auto set = std::ranges::find(assignments, path, &Assignment::path);
    const Agreement* const agreement = find(analyses[point].accuracies, metric, accuracy);
    if (set == assignments.end() || agreement == nullptr) continue;
    if (!std::isfinite(agreement->correlation.tau.value)) continue;
    found[*parse_number(set->value.text())].push_back(agreement->correlation.tau);
  }
  return found;
}

/// Number, tau, and the ends of its bar: the interval of a single seed, else the deviation.
std::vector<std::vector<double>> bars(const std::map<double, std::vector<Estimate>>& taus,
                                      bool has_seeds) {
  std::vector<std::vector<double>> rows;
  for (const auto& [number, estimates] : taus) {
    std::vector<double> values;
    for (const Estimate& estimate : estimates) values.push_back(estimate.value);
    const auto [mean, deviation] = mean_and_deviation(values);
    const auto [low, high] = estimates[0].interval;
    if (has_seeds || !std::isfinite(low))
      rows.push_back({number, mean, mean - deviation, mean + deviation});
    else
      rows.push_back({number, mean, low, high});
  }
  return rows;
}

/// The axis of the swept number: logarithmic when it grows eightfold, with a tick for each value
/// and a label where there is room.
std::string number_axis(const std::set<double>& numbers, bool is_logarithmic) {
  const double least = *numbers.begin(), most = *numbers.rbegin();
  const double room = is_logarithmic ? 1.3 : 0.08 * (most - least);
  const double low = is_logarithmic ? least / room : least - room;
  const double high = is_logarithmic ? most * room : most + room;
  const auto place = [&](double number) {  // in letters from the left of about 60
    constexpr double kLetters = 60;
    return kLetters * (is_logarithmic ? std::log(number / low) / std::log(high / low)
                                      : (number - low) / (high - low));
  };
  std::string ticks;
  double end = -1;
  for (const double number : numbers) {
    const std::string label = number_text(number);
    const double half = static_cast<double>(label.size() + 1) / 2;
    const bool has_room = place(number) - half >= end;  // or labels would touch
    if (has_room) end = place(number) + half;
    ticks += fmt::format("{}'{}' {}", ticks.empty() ? "" : ", ", has_room ? label : "", label);
  }
  return fmt::format("{}set xrange [{}:{}]\nset xtics ({})\n",
                     is_logarithmic ? "set logscale x 2\n" : "", number_text(low),
                     number_text(high), ticks);
}

std::string sweep(const std::string& name, const std::string& path, const std::string& metric,
                  const std::vector<Sample::Column>& accuracies,
                  const std::vector<PointOutcome>& outcomes,
                  const std::vector<Analysis>& analyses) {
  std::set<double> numbers;
  for (const PointOutcome& outcome : outcomes)
    for (const auto& [other, value] : outcome.assignments)
      if (other == path) numbers.insert(*parse_number(value.text()));
  const double least = *numbers.begin(), most = *numbers.rbegin();
  const bool is_logarithmic = least > 0 && most >= 8 * least;
  const bool has_seeds = outcomes.size() > numbers.size();
  std::string blocks, plots;
  for (std::size_t i = 0; i < accuracies.size(); ++i) {
    const auto taus = taus_by_number(path, metric, accuracies[i].name, outcomes, analyses);
    if (taus.empty()) continue;
    blocks += block(fmt::format("tau{}", i), bars(taus, has_seeds));
    // Side by side, or bars would hide each other.
    const double aside = static_cast<double>(i) - static_cast<double>(accuracies.size() - 1) / 2;
    const std::string x = is_logarithmic ? fmt::format("$1*{:.4f}", std::exp(0.05 * aside))
                                         : fmt::format("$1+{:.6g}", 0.015 * aside * (most - least));
    plots +=
        fmt::format("{}$tau{} using ({}):2:3:4 with yerrorlines pt {} ps 1.6 lc rgb '{}' title {}",
                    plots.empty() ? "plot " : ", \\\n  ", i, x, 5 + 2 * (i % 5),
                    kColours[i % std::size(kColours)], gnuplot_text(cut(accuracies[i].name)));
  }
  if (plots.empty()) return "";
  return head(name, 1000, 800) + blocks +
         title(metric, has_seeds ? "mean and deviation over seeds" : "with bootstrap intervals") +
         fmt::format("set xlabel {} noenhanced\nset ylabel \"Kendall's tau\"\n",
                     gnuplot_text(cut(path))) +
         number_axis(numbers, is_logarithmic) +
         "set offsets 0, 0, graph 0.05, graph 0.05\nset grid ytics lt 1 lw 0.4 lc rgb '#bbbbbb'\n"
         "set key below\nset bmargin 6\n" +
         plots + "\n";
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
                        *find(analyses[point].accuracies, metric.name, accuracy.name)));
    }
    add("agreement" + number, agreement_map("agreement" + number, row, sample, analyses[point]));
  }
  const std::string path = swept_number(outcomes);
  if (path.empty()) return pictures;
  for (const Sample::Column& metric : samples[0].metrics)
    if (depends_on(metric.name, path, outcomes))
      add("sweep_" + metric.name, sweep("sweep_" + metric.name, path, metric.name,
                                        samples[0].accuracies, outcomes, analyses));
  return pictures;
}

}  // namespace thimble
