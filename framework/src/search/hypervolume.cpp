#include <thimble/search/hypervolume.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <pagmo/utils/hypervolume.hpp>

namespace thimble {
namespace {

bool is_at_least_as_good(const Point& a, const Point& b) {
  return std::ranges::equal(a, b, std::ranges::less_equal{});
}

}  // namespace

bool is_known(const Point& point) {
  return std::ranges::none_of(point, [](double value) { return std::isnan(value); });
}

std::vector<Point> points_of(const std::vector<Evaluation>& evaluations,
                             const std::vector<Objective>& objectives) {
  std::vector<Point> points;
  points.reserve(evaluations.size());
  for (const Evaluation& evaluation : evaluations) {
    Point& point = points.emplace_back();
    for (std::size_t k = 0; k < objectives.size(); ++k)
      point.push_back(objectives[k].direction == Direction::minimize ? evaluation.objectives[k]
                                                                     : -evaluation.objectives[k]);
  }
  return points;
}

double hypervolume(std::vector<Point> points, const Point& reference) {
  std::erase_if(points, [&](const Point& point) {
    return !std::ranges::equal(point, reference, std::ranges::less{});
  });
  if (points.empty()) return 0;
  if (reference.size() == 1) return reference[0] - std::ranges::min(points)[0];
  // Everything it verifies was seen to above.
  return pagmo::hypervolume{points, /*verify=*/false}.compute(reference);
}

Frame::Frame(const std::vector<Point>& points) {
  Point most;
  for (const Point& point : points) {
    if (!is_known(point)) continue;
    if (least_.empty()) least_ = most = point;
    for (std::size_t k = 0; k < point.size(); ++k) {
      least_[k] = std::min(least_[k], point[k]);
      most[k] = std::max(most[k], point[k]);
    }
  }
  for (std::size_t k = 0; k < least_.size(); ++k)
    extent_.push_back(most[k] > least_[k] ? most[k] - least_[k] : 1);
}

std::vector<Point> Frame::scaled(std::vector<Point> points) const {
  for (Point& point : points)
    for (std::size_t k = 0; k < least_.size(); ++k) point[k] = (point[k] - least_[k]) / extent_[k];
  return points;
}

double Frame::hypervolume(std::vector<Point> points) const {
  return thimble::hypervolume(scaled(std::move(points)), Point(least_.size(), kReference));
}

std::vector<std::size_t> non_dominated(const std::vector<Point>& points) {
  std::vector<std::size_t> front;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!is_known(points[i])) continue;
    const auto beaten_by = [&](std::size_t j) { return is_at_least_as_good(points[j], points[i]); };
    if (std::ranges::any_of(front, beaten_by)) continue;
    std::erase_if(front, [&](std::size_t j) { return is_at_least_as_good(points[i], points[j]); });
    front.push_back(i);
  }
  return front;
}

}  // namespace thimble
