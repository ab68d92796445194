#include <thimble/report/front_pictures.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/statistics.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {
namespace {

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
    const auto mark = [&](std::size_t place, Rows& rows) {
      add(outcome.result.front[place], rows);
      marked_.insert(place);
    };
    for (const std::size_t place : selection.chosen) mark(place, chosen_);
    for (const std::size_t place : selection.landmarks.extremes) mark(place, ends_);
    mark(selection.landmarks.knee, knee_);
  }

  std::string script(const std::string& name) const {
    if (std::ranges::all_of(fronts_, &Rows::empty)) return "";
    return head(name, 1000, 900) + block("all", all_) + front_blocks() + block("chosen", chosen_) +
           block("ends", ends_) + block("knee", knee_) + block("numbers", numbers()) +
           title(outcome_.row.empty() ? "Front" : outcome_.row,
                 fmt::format("{}, {} on the front, {} selected",
                             count_text(std::ssize(outcome_.evaluated), "network"),
                             outcome_.result.front.size(), outcome_.selection->chosen.size())) +
           axis("x", x_, 0, kRoomBesides, kRoomBesides) +
           axis("y", y_, 1, Axis::kRoom, kRoomAbove) +
           "set key below\nset bmargin 9\n"
           "plot $all using 1:2 with points pt 7 ps 0.4 lc rgb '#cccccc' title 'looked at', \\\n" +
           front_plots() +
           "  $ends using 1:2 with points pt 8 ps 2.8 lc rgb '#222222' title 'ends', \\\n"
           "  $knee using 1:2 with points pt 12 ps 2.8 lc rgb '#222222' title 'knee', \\\n"
           "  $chosen using 1:2 with points pt 6 ps 2.4 lw 2 lc rgb '#d7191c' title 'selected', "
           "\\\n"
           "  $numbers using 1:2:3 with labels offset 0,1.1 notitle\n";
  }

 private:
  using Rows = std::vector<std::vector<double>>;
  // What the numbers of networks at the edge take of the axis: two lines, half of eight digits.
  static constexpr double kRoomAbove = 0.16;
  static constexpr double kRoomBesides = 0.11;

  void add(const Evaluation& network, Rows& rows) const {
    const double x = metric_of(network, x_, outcome_.metrics);
    const double y = metric_of(network, y_, outcome_.metrics);
    if (std::isfinite(x) && std::isfinite(y)) rows.push_back({x, y});
  }

  /// Of the marked networks, by which tables and the command line call them.
  Rows numbers() const {
    Rows rows;
    for (const std::size_t place : marked_) {
      const Evaluation& network = outcome_.result.front[place];
      const std::size_t before = rows.size();
      add(network, rows);
      if (rows.size() > before)
        rows.back().push_back(static_cast<double>(number_of(outcome_, network.text)));
    }
    return rows;
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

  std::string axis(const char* name, const std::string& metric, std::size_t coordinate,
                   double below, double above) const {
    std::vector<double> values;
    for (const auto& row : all_) values.push_back(row[coordinate]);
    for (const Rows& rows : fronts_)
      for (const auto& row : rows) values.push_back(row[coordinate]);
    const Axis axis{values, below, above};
    // Powers of ten written out would touch each other: 20 M, not 2 x 10^7.
    constexpr double kLarge = 1e5;
    return fmt::format("set {0}label {1} noenhanced\nset {0}range [{2}:{3}]\n", name,
                       gnuplot_text(metric), number_text(axis.low), number_text(axis.high)) +
           (axis.is_logarithmic
                ? fmt::format("set logscale {0}\nset format {0} '10^{{%T}}'\n", name)
            : axis.high >= kLarge ? fmt::format("set format {} '%.0s %c'\n", name)
                                  : "");
  }

  const PointOutcome& outcome_;
  std::string x_, y_;
  Rows all_, chosen_, ends_, knee_;
  std::set<std::size_t> marked_;  ///< places in the front
  std::vector<Rows> fronts_;      ///< by option, or one for all
};

}  // namespace

std::vector<Picture> front_pictures(const std::vector<PointOutcome>& outcomes) {
  std::vector<Picture> pictures;
  const auto points = first_of_rows(outcomes);
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

}  // namespace thimble
