#include <thimble/report/fronts.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>

#include <thimble/core/text.hpp>
#include <thimble/report/answers.hpp>
#include <thimble/search/hypervolume.hpp>

namespace thimble {
namespace {

using Steps = std::vector<FrontProgress>;

/// Metrics of one seed, and costs of one runtime, can be compared, but for aggregates, which are
/// relative to what each point looked at.
bool is_comparable(const PointOutcome& a, const PointOutcome& b) {
  const auto is_same = [&](const DirectedMetric& one, const DirectedMetric& other) {
    const auto& relative = a.metrics.aggregates;
    return one == other && (&a == &b || std::ranges::find(relative, one.metric) == relative.end());
  };
  return a.seed == b.seed && runtime_of(a) == runtime_of(b) &&
         std::ranges::equal(a.compared, b.compared, is_same);
}

/// The networks that were scored, in the order in which they were.
std::vector<Point> scored_points(const PointOutcome& outcome) {
  std::vector<Point> points;
  for (const Evaluation& network : outcome.evaluated) {
    if (!network.is_feasible()) continue;
    Point& point = points.emplace_back();
    for (const auto& [metric, direction] : outcome.compared) {
      const double value = metric_of(network, metric, outcome.metrics);
      point.push_back(direction == Direction::minimize ? value : -value);
    }
  }
  return points;
}

std::vector<Point> front_of(const std::vector<Point>& points) {
  std::vector<Point> front;
  for (const std::size_t place : non_dominated(points)) front.push_back(points[place]);
  return front;
}

double distance(const Point& a, const Point& b) {
  double squares = 0;
  for (std::size_t k = 0; k < a.size(); ++k) squares += (a[k] - b[k]) * (a[k] - b[k]);
  return std::sqrt(squares);
}

/// The best front known, and how near to it others are.
class Reference {
 public:
  explicit Reference(std::vector<Point> front)
      : front_{std::move(front)},
        frame_{front_},
        scaled_{frame_.scaled(front_)},
        hypervolume_{frame_.hypervolume(front_)} {}

  FrontProgress measure(std::int64_t scored, const std::vector<Point>& found) const {
    const auto others = frame_.scaled(found);
    double sum = 0;
    for (const Point& point : scaled_) {
      double nearest = std::numeric_limits<double>::infinity();
      for (const Point& other : others) nearest = std::min(nearest, distance(point, other));
      sum += nearest;
    }
    return {scored, frame_.hypervolume(found) / hypervolume_,
            sum / static_cast<double>(scaled_.size())};
  }

 private:
  std::vector<Point> front_;
  Frame frame_;
  std::vector<Point> scaled_;
  double hypervolume_;
};

/// The least of 1, 2, 5, 10, 20, ... that divides `count` into 50 steps at most.
std::size_t step_for(std::size_t count) {
  constexpr std::size_t kMostSteps = 50;
  for (std::size_t ten = 1;; ten *= 10)
    for (const std::size_t step : {ten, 2 * ten, 5 * ten})
      if (count <= kMostSteps * step) return step;
}

Steps steps_of(const std::vector<Point>& points, const Reference& reference) {
  Steps steps;
  std::vector<Point> found;
  const std::size_t step = step_for(points.size());
  for (std::size_t end = 0; end < points.size();) {
    const std::size_t begin = end;
    end = std::min(begin + step, points.size());
    found.insert(found.end(), points.begin() + static_cast<std::ptrdiff_t>(begin),
                 points.begin() + static_cast<std::ptrdiff_t>(end));
    found = front_of(found);
    if (!found.empty()) steps.push_back(reference.measure(static_cast<std::int64_t>(end), found));
  }
  return steps;
}

}  // namespace

std::vector<Steps> front_progress(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::vector<Point>> points;
  for (const PointOutcome& outcome : outcomes) points.push_back(scored_points(outcome));
  std::vector<Steps> progress(outcomes.size());
  std::vector<bool> is_done(outcomes.size());
  for (std::size_t first = 0; first < outcomes.size(); ++first) {
    if (is_done[first]) continue;
    std::vector<std::size_t> together;
    std::vector<Point> best;
    for (std::size_t i = first; i < outcomes.size(); ++i) {
      if (!is_comparable(outcomes[first], outcomes[i])) continue;
      together.push_back(i);
      best.insert(best.end(), points[i].begin(), points[i].end());
      best = front_of(best);
    }
    for (const std::size_t i : together) is_done[i] = true;
    if (best.empty()) continue;
    const Reference reference{best};
    for (const std::size_t i : together) progress[i] = steps_of(points[i], reference);
  }
  return progress;
}

void add_fronts(std::vector<PointOutcome>& outcomes, const std::vector<Steps>& progress) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (progress[i].empty()) continue;
    outcomes[i].quantities["hypervolume"] = progress[i].back().hypervolume;
    outcomes[i].quantities["igd"] = progress[i].back().igd;
  }
}

Table progress_table(const std::vector<PointOutcome>& outcomes,
                     const std::vector<Steps>& progress) {
  Table table{{"point", "row", "seed", "scored", "hypervolume", "igd"}, {}};
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    for (const auto& [scored, hypervolume, igd] : progress[i])
      table.rows.push_back({std::to_string(i + 1), outcomes[i].row,
                            std::to_string(outcomes[i].seed), std::to_string(scored),
                            number_text(hypervolume), number_text(igd)});
  return table;
}

}  // namespace thimble
