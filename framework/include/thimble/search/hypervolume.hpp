#pragma once

#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/search/evaluation.hpp>

namespace thimble {

/// One number an objective; less is better in every one.
using Point = std::vector<double>;

/// The objectives with their signs turned so that less is better; NaN where unknown.
THIMBLE_EXPORT std::vector<Point> points_of(const std::vector<Evaluation>& evaluations,
                                            const std::vector<Objective>& objectives);

/// Whether every coordinate has a value.
THIMBLE_EXPORT bool is_known(const Point& point);

/// The volume of what the points dominate and the reference does not: of the union of the boxes
/// between each point and the reference. A point that is not better than the reference in every
/// coordinate dominates nothing of it, nor does one with an unknown coordinate. Exact; takes
/// n log n up to three objectives, and time exponential in the objectives from four on.
THIMBLE_EXPORT double hypervolume(std::vector<Point> points, const Point& reference);

/// The box in which sets of points are compared: the extent of one set, each side scaled to
/// [0, 1]. Other points may lie outside of it.
class THIMBLE_EXPORT Frame {
 public:
  /// Points with an unknown coordinate do not count. A side without extent is one unit long.
  explicit Frame(const std::vector<Point>& points);

  /// The points in units of the box, unknown coordinates as they are.
  std::vector<Point> scaled(std::vector<Point> points) const;
  /// The hypervolume of the scaled points against kReference in every coordinate.
  double hypervolume(std::vector<Point> points) const;

  /// A little beyond the box: the worst points of the set dominate something, too.
  static constexpr double kReference = 1.1;

 private:
  Point least_, extent_;
};

/// The places of the points that no other dominates, each point once, in their order. Points with
/// an unknown coordinate are left out.
THIMBLE_EXPORT std::vector<std::size_t> non_dominated(const std::vector<Point>& points);

}  // namespace thimble
