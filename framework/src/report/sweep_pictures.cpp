#include "sweep_pictures.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include <thimble/core/text.hpp>

namespace thimble {
namespace {

/// A line of a picture: a tau, or several of different seeds, for each swept number.
struct SweptLine {
  std::string name;
  std::map<double, std::vector<Estimate>> taus;
  bool is_control = false;  ///< drawn dashed, without bars
};

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
    const Agreement* const agreement = over_all_cells(analyses[point].accuracies, metric, accuracy);
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

/// Of metrics of which less is better, how well they rank, as of the others.
void turn(std::map<double, std::vector<Estimate>>& taus) {
  for (auto& [number, estimates] : taus)
    for (Estimate& estimate : estimates)
      estimate = {-estimate.value, {-estimate.interval.high, -estimate.interval.low}};
}

std::string plot_of(const SweptLine& line, std::size_t place, std::size_t count,
                    bool is_logarithmic, double extent) {
  const std::string title = gnuplot_text(cut(line.name));
  if (line.is_control)
    return fmt::format("$tau{} using 1:2 with lines dt 2 lw 2 lc rgb '#444444' title {}", place,
                       title);
  // Side by side, or bars would hide each other.
  const double aside = static_cast<double>(place) - static_cast<double>(count - 1) / 2;
  const std::string x = is_logarithmic ? fmt::format("$1*{:.4f}", std::exp(0.05 * aside))
                                       : fmt::format("$1+{:.6g}", 0.015 * aside * extent);
  return fmt::format("$tau{} using ({}):2:3:4 with yerrorlines pt {} ps 1.6 lc rgb '{}' title {}",
                     place, x, 5 + 2 * (place % 5), kColours[place % std::size(kColours)], title);
}

std::string sweep(const std::string& name, const std::string& heading, const std::string& path,
                  const std::vector<SweptLine>& lines, const std::vector<PointOutcome>& outcomes) {
  std::set<double> numbers;
  for (const PointOutcome& outcome : outcomes)
    for (const auto& [other, value] : outcome.assignments)
      if (other == path) numbers.insert(*parse_number(value.text()));
  const double least = *numbers.begin(), most = *numbers.rbegin();
  const bool is_logarithmic = least > 0 && most >= 8 * least;
  const bool has_seeds = outcomes.size() > numbers.size();
  std::string blocks, plots;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].taus.empty()) continue;
    blocks += block(fmt::format("tau{}", i), bars(lines[i].taus, has_seeds));
    plots += (plots.empty() ? "plot " : ", \\\n  ") +
             plot_of(lines[i], i, lines.size(), is_logarithmic, most - least);
  }
  if (plots.empty()) return "";
  return head(name, 1000, 800) + blocks +
         title(heading, has_seeds ? "mean and deviation over seeds" : "with bootstrap intervals") +
         fmt::format("set xlabel {} noenhanced\nset ylabel \"Kendall's tau\"\n",
                     gnuplot_text(cut(path))) +
         number_axis(numbers, is_logarithmic) +
         "set offsets 0, 0, graph 0.05, graph 0.05\nset grid ytics lt 1 lw 0.4 lc rgb '#bbbbbb'\n"
         "set key below\nset bmargin 6\n" +
         plots + "\n";
}

/// All metrics that the swept number changes in one picture, and MACs, which it does not.
std::string sweep_of_all(const std::string& path, const std::vector<PointOutcome>& outcomes,
                         const Sample& sample, const std::vector<Analysis>& analyses) {
  const std::string& accuracy = sample.accuracies[0].name;
  std::vector<SweptLine> lines;
  for (const Sample::Column& metric : sample.metrics) {
    const bool is_control = metric.name == "macs";
    if (!is_control && !depends_on(metric.name, path, outcomes)) continue;
    lines.push_back(
        {metric.name, taus_by_number(path, metric.name, accuracy, outcomes, analyses), is_control});
    if (metric.direction == Direction::minimize) turn(lines.back().taus);
  }
  if (lines.size() < 2) return "";
  return sweep("sweeps", "all against " + accuracy, path, lines, outcomes);
}

}  // namespace

const Agreement* over_all_cells(const std::vector<Agreement>& agreements, const std::string& metric,
                                const std::string& against) {
  const auto found = std::ranges::find_if(agreements, [&](const Agreement& agreement) {
    return agreement.metric == metric && agreement.against == against && agreement.subset == "all";
  });
  return found == agreements.end() ? nullptr : &*found;
}

std::vector<Picture> sweep_pictures(const std::vector<PointOutcome>& outcomes,
                                    const std::vector<Sample>& samples,
                                    const std::vector<Analysis>& analyses) {
  std::vector<Picture> pictures;
  const std::string path = swept_number(outcomes);
  if (path.empty() || samples[0].accuracies.empty()) return pictures;
  const auto add = [&](const std::string& name, const std::string& script) {
    if (!script.empty()) pictures.push_back({name, script});
  };
  for (const Sample::Column& metric : samples[0].metrics) {
    if (!depends_on(metric.name, path, outcomes)) continue;
    std::vector<SweptLine> lines;
    for (const Sample::Column& accuracy : samples[0].accuracies)
      lines.push_back(
          {accuracy.name, taus_by_number(path, metric.name, accuracy.name, outcomes, analyses)});
    add("sweep_" + metric.name, sweep("sweep_" + metric.name, metric.name, path, lines, outcomes));
  }
  add("sweeps", sweep_of_all(path, outcomes, samples[0], analyses));
  return pictures;
}

}  // namespace thimble
