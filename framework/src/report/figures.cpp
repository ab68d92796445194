#include <thimble/report/figures.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

/// Okabe and Ito's, told apart by everybody.
constexpr const char* kColours[] = {"#0072b2", "#d55e00", "#009e73",
                                    "#cc79a7", "#e69f00", "#56b4e9"};

std::string head(const std::string& name, int width, int height) {
  return fmt::format(
      "# gnuplot {0}.gp draws {0}.png anew.\n"
      "reset session\n"
      "set encoding utf8\n"
      "set terminal pngcairo size {1},{2} font 'DejaVu Sans,20' linewidth 2\n"
      "set output '{0}.png'\n"
      "set border linecolor '#444444'\n"
      "set key noenhanced\n",
      name, width, height);
}

/// A block of numbers called $name.
std::string block(const std::string& name, const std::vector<std::vector<double>>& rows) {
  std::string text = "$" + name + " << EOD\n";
  for (const auto& row : rows) {
    for (const double value : row) text += number_text(value) + " ";
    text += "\n";
  }
  return text + "EOD\n";
}

std::string cut(const std::string& text) {
  constexpr std::size_t kMost = 44;  // letters that fit above a picture
  if (text.size() <= kMost) return text;
  std::size_t end = kMost;
  while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not within a letter
  return text.substr(0, end) + "…";
}

std::string title(const std::string& first, const std::string& second) {
  return fmt::format("set title {}.\"\\n\".{} noenhanced\n", gnuplot_text(cut(first)),
                     gnuplot_text(second));
}

std::string interval_text(const Estimate& estimate) {
  const auto [low, high] = estimate.interval;
  return std::isfinite(low) ? fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.value, low, high)
                            : fmt::format("{:.2f}", estimate.value);
}

/// An axis for these values, with room for marks at its edges.
struct Axis {
  bool is_logarithmic = false;
  double low = 0, high = 0;

  explicit Axis(const std::vector<double>& values) {
    low = std::ranges::min(values), high = std::ranges::max(values);
    constexpr double kDecades = 100;
    is_logarithmic = low > 0 && high > kDecades * low;
    const auto scaled = [&](double value) { return is_logarithmic ? std::log(value) : value; };
    const double span = high > low ? scaled(high) - scaled(low) : std::max(1.0, std::abs(high));
    const double bottom = scaled(low) - 0.08 * span, top = scaled(high) + 0.08 * span;
    low = is_logarithmic ? std::exp(bottom) : bottom;
    high = is_logarithmic ? std::exp(top) : top;
  }
};

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
  for (const std::size_t i : looked_at(metric)) {
    if (std::isnan(metric.values[i])) {
      invalid.push_back({accuracy.values[i]});
      continue;
    }
    values.push_back(metric.values[i]);
    valid.push_back({accuracy.values[i], metric.values[i]});
  }
  if (values.empty()) return "";
  const Axis axis{values};  // what has no value stands at its worse end
  std::string second =
      fmt::format("tau {}, {} cells", interval_text(agreement.correlation.tau), agreement.cells);
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

/// A proxy on its parameters; proxies and what is made of them on the pass that is common to all.
bool depends_on(const std::string& metric, const std::string& path) {
  return path.starts_with("proxies." + metric + ".") ||
         (path.starts_with("pass.") && !is_cost_metric(metric));
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

/// The axis of the swept number: logarithmic when it grows eightfold, with a tick for each value.
std::string number_axis(const std::set<double>& numbers, bool is_logarithmic) {
  const double least = *numbers.begin(), most = *numbers.rbegin();
  const double room = is_logarithmic ? 1.3 : 0.08 * (most - least);
  std::string ticks;
  for (const double number : numbers) ticks += (ticks.empty() ? "" : ", ") + number_text(number);
  return fmt::format("{}set xrange [{}:{}]\nset xtics ({})\n",
                     is_logarithmic ? "set logscale x 2\n" : "",
                     number_text(is_logarithmic ? least / room : least - room),
                     number_text(is_logarithmic ? most * room : most + room), ticks);
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

/// For each row of the sweep, in order: networks scored, median and quartiles of what was measured
/// then, where at least half of the row's points have it.
std::vector<std::pair<std::string, std::vector<std::vector<double>>>> bands(
    const std::vector<PointOutcome>& outcomes,
    const std::vector<std::vector<FrontProgress>>& progress, double FrontProgress::*what) {
  std::vector<std::string> rows;
  std::map<std::string, std::map<std::int64_t, std::vector<double>>> values;
  std::map<std::string, std::size_t> points;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const std::string& row = outcomes[i].row;
    if (points[row]++ == 0) rows.push_back(row);
    for (const FrontProgress& step : progress[i]) values[row][step.scored].push_back(step.*what);
  }
  std::vector<std::pair<std::string, std::vector<std::vector<double>>>> made;
  for (const std::string& row : rows) {
    auto& band = made.emplace_back(row, std::vector<std::vector<double>>{}).second;
    for (auto& [scored, some] : values[row]) {
      if (2 * some.size() < points[row]) continue;
      std::ranges::sort(some);
      band.push_back({static_cast<double>(scored), quantile(some, 0.5), quantile(some, 0.25),
                      quantile(some, 0.75)});
    }
    if (band.empty()) made.pop_back();
  }
  return made;
}

std::string progress_picture(const std::string& name, const std::vector<PointOutcome>& outcomes,
                             const std::vector<std::vector<FrontProgress>>& progress,
                             double FrontProgress::*what, const std::string& label) {
  const auto rows = bands(outcomes, progress, what);
  std::string blocks, areas, lines;
  double least_end = std::numeric_limits<double>::infinity(), most_end = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto& [row, band] = rows[i];
    least_end = std::min(least_end, band.back()[0]);
    most_end = std::max(most_end, band.back()[0]);
    blocks += block(fmt::format("row{}", i), band);
    const char* const colour = kColours[i % std::size(kColours)];
    areas += fmt::format(
        "$row{} using 1:3:4 with filledcurves fs transparent solid 0.2 noborder lc rgb '{}' "
        "notitle, \\\n  ",
        i, colour);
    lines += fmt::format("{}$row{} using 1:2 with lines lw 2 dt {} lc rgb '{}' title {}",
                         i == 0 ? "" : ", \\\n  ", i, 1 + i / std::size(kColours), colour,
                         gnuplot_text(cut(row.empty() ? "result" : row)));
  }
  if (rows.empty()) return "";
  // Exhaustive search beside searches of a few hundred networks would leave these no room.
  const bool is_logarithmic = most_end > 4 * least_end;
  return head(name, 1400, 800) + blocks + title(label, "median and quartiles") +
         "set xlabel 'networks scored'\nset key outside right top Left reverse\n"
         "set grid ytics lt 1 lw 0.4 lc rgb '#bbbbbb'\n" +
         fmt::format("{}set xrange [*:{}]\n", is_logarithmic ? "set logscale x\n" : "", most_end) +
         "plot " + areas + lines + "\n";
}

/// The first point of each row.
std::vector<std::size_t> shown_points(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::size_t> points;
  std::set<std::string> rows;
  for (std::size_t point = 0; point < outcomes.size(); ++point)
    if (rows.insert(outcomes[point].row).second) points.push_back(point);
  return points;
}

/// Where the front's networks lie between two objectives.
class FrontPicture {
 public:
  FrontPicture(const PointOutcome& outcome, const std::string& x, const std::string& y)
      : outcome_{outcome}, x_{x}, y_{y} {
    for (const Evaluation& network : outcome.evaluated) add(network, all_);
    const Selection& selection = *outcome.selection;
    fronts_.resize(std::max<std::size_t>(selection.options.size(), 1));
    for (const Evaluation& network : outcome.result.front)
      add(network,
          fronts_[selection.by ? static_cast<std::size_t>(network.genotype[*selection.by]) : 0]);
    for (const std::size_t place : selection.chosen) add(outcome.result.front[place], chosen_);
    for (const std::size_t place : selection.landmarks.extremes)
      add(outcome.result.front[place], ends_);
    add(outcome.result.front[selection.landmarks.knee], knee_);
  }

  std::string script(const std::string& name) const {
    if (std::ranges::all_of(fronts_, &Rows::empty)) return "";
    return head(name, 1000, 900) + block("all", all_) + front_blocks() + block("chosen", chosen_) +
           block("ends", ends_) + block("knee", knee_) +
           title(outcome_.row.empty() ? "Front" : outcome_.row,
                 fmt::format("{} networks, {} on the front, {} selected", outcome_.evaluated.size(),
                             outcome_.result.front.size(), outcome_.selection->chosen.size())) +
           axis("x", x_, 0) + axis("y", y_, 1) +
           "set key below\nset bmargin 9\n"
           "plot $all using 1:2 with points pt 7 ps 0.4 lc rgb '#cccccc' title 'looked at', \\\n" +
           front_plots() +
           "  $ends using 1:2 with points pt 8 ps 2.8 lc rgb '#222222' title 'ends', \\\n"
           "  $knee using 1:2 with points pt 12 ps 2.8 lc rgb '#222222' title 'knee', \\\n"
           "  $chosen using 1:2 with points pt 6 ps 2.4 lw 2 lc rgb '#d7191c' title 'selected'\n";
  }

 private:
  using Rows = std::vector<std::vector<double>>;

  void add(const Evaluation& network, Rows& rows) const {
    const double x = metric_of(network, x_, outcome_.metrics);
    const double y = metric_of(network, y_, outcome_.metrics);
    if (std::isfinite(x) && std::isfinite(y)) rows.push_back({x, y});
  }

  std::string front_blocks() const {
    std::string blocks;
    for (std::size_t i = 0; i < fronts_.size(); ++i)
      if (!fronts_[i].empty()) blocks += block(fmt::format("front{}", i), fronts_[i]);
    return blocks;
  }

  std::string front_plots() const {
    const auto& options = outcome_.selection->options;
    std::string plots;
    for (std::size_t i = 0; i < fronts_.size(); ++i) {
      if (fronts_[i].empty()) continue;
      plots +=
          fmt::format("  $front{} using 1:2 with points pt {} ps 1.1 lc rgb '{}' title {}, \\\n", i,
                      i < std::size(kColours) ? 7 : 5, kColours[i % std::size(kColours)],
                      gnuplot_text(options.empty() ? "front" : cut(options[i])));
    }
    return plots;
  }

  std::string axis(const char* name, const std::string& metric, std::size_t coordinate) const {
    std::vector<double> values;
    for (const auto& row : all_) values.push_back(row[coordinate]);
    for (const Rows& rows : fronts_)
      for (const auto& row : rows) values.push_back(row[coordinate]);
    const Axis axis{values};
    return fmt::format("set {0}label {1} noenhanced\nset {0}range [{2}:{3}]\n", name,
                       gnuplot_text(metric), number_text(axis.low), number_text(axis.high)) +
           (axis.is_logarithmic
                ? fmt::format("set logscale {0}\nset format {0} '10^{{%T}}'\n", name)
                : "");
  }

  const PointOutcome& outcome_;
  std::string x_, y_;
  Rows all_, chosen_, ends_, knee_;
  std::vector<Rows> fronts_;  ///< by option, or one for all
};

/// Empty when gnuplot drew it, else what it complained of.
std::string run_gnuplot(const fs::path& gnuplot, const fs::path& script, const fs::path& folder) {
  const ProcessLimits limits{.time = std::chrono::minutes{1}};
  try {
    const ProcessResult result = run_process(gnuplot, {script.string()}, folder, limits);
    return result.succeeded() ? "" : failure_text("gnuplot", result, limits);
  } catch (const Error& error) {
    return error.diagnostics().front().message;
  }
}

}  // namespace

std::string gnuplot_text(const std::string& text) {
  std::string quoted = "'";
  for (const char letter : text) {
    const bool is_control = static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f;
    quoted += is_control ? ' ' : letter;
    if (letter == '\'') quoted += letter;
  }
  return quoted + "'";
}

std::vector<Picture> pictures_of(const std::vector<PointOutcome>& outcomes,
                                 const std::vector<Sample>& samples,
                                 const std::vector<Analysis>& analyses) {
  std::vector<Picture> pictures;
  const auto add = [&](const std::string& name, const std::string& script) {
    if (!script.empty()) pictures.push_back({name, script});
  };
  const auto points = shown_points(outcomes);
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
    if (depends_on(metric.name, path))
      add("sweep_" + metric.name, sweep("sweep_" + metric.name, path, metric.name,
                                        samples[0].accuracies, outcomes, analyses));
  return pictures;
}

std::vector<Picture> front_pictures(const std::vector<PointOutcome>& outcomes) {
  std::vector<Picture> pictures;
  const auto points = shown_points(outcomes);
  for (const std::size_t point : points) {
    const PointOutcome& outcome = outcomes[point];
    if (!outcome.selection) continue;
    const auto is_cost = [](const Objective& objective) {
      return is_cost_metric(objective.metric);
    };
    const auto cost = std::ranges::find_if(outcome.objectives, is_cost);
    const std::string x =
        (cost == outcome.objectives.end() ? outcome.objectives.front() : *cost).metric;
    for (const Objective& objective : outcome.objectives) {
      if (objective.metric == x) continue;
      const std::string name =
          "front_" + objective.metric + (points.size() > 1 ? "_" + std::to_string(point + 1) : "");
      const std::string script = FrontPicture{outcome, x, objective.metric}.script(name);
      if (!script.empty()) pictures.push_back({name, script});
    }
  }
  return pictures;
}

std::vector<Picture> progress_pictures(const std::vector<PointOutcome>& outcomes,
                                       const std::vector<std::vector<FrontProgress>>& progress) {
  std::vector<Picture> pictures;
  const auto add = [&](const std::string& name, double FrontProgress::*what,
                       const std::string& label) {
    const std::string script = progress_picture(name, outcomes, progress, what, label);
    if (!script.empty()) pictures.push_back({name, script});
  };
  add("hypervolume", &FrontProgress::hypervolume, "Share of the best front's hypervolume");
  add("igd", &FrontProgress::igd, "Inverted generational distance");
  return pictures;
}

std::vector<std::string> draw(const std::vector<Picture>& pictures, const fs::path& folder) {
  if (pictures.empty()) return {};
  const fs::path drawing = folder / ".drawing";
  fs::create_directories(drawing);
  for (const auto& [name, script] : pictures) write_file(folder / (name + ".gp"), script);
  const auto gnuplot = find_program("gnuplot");
  std::vector<std::string> remarks;
  if (!gnuplot)
    remarks.emplace_back(
        "no pictures: there is no gnuplot here; where there is one, 'gnuplot *.gp' in figures/ "
        "draws them");
  for (const auto& [name, script] : pictures) {
    if (!gnuplot) break;
    const std::string file = name + ".png";
    std::string problem = run_gnuplot(*gnuplot, fs::absolute(folder) / (name + ".gp"), drawing);
    std::error_code failed;
    if (problem.empty()) fs::rename(drawing / file, folder / file, failed);
    if (failed) problem = failed.message();
    if (!problem.empty()) remarks.push_back(fmt::format("no figures/{}: {}", file, problem));
  }
  fs::remove_all(drawing);
  return remarks;
}

}  // namespace thimble
