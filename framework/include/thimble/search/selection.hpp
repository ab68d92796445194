#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/search/evaluation.hpp>
#include <thimble/search/hypervolume.hpp>

namespace thimble {

/// How a few points are chosen out of many so that they dominate the most together.
enum class SelectionMethod {
  automatic,     ///< exact where there are at most kMostSubsets subsets, else evolutionary
  exact,         ///< branch and bound
  greedy,        ///< one after the other, each time the one that adds most: 1 - 1/e of the best
  evolutionary,  ///< PrototypeNAS (arXiv 2603.15106), from the greedy choice on
  bands,         ///< by no hypervolume: the best of each band of costs
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, SelectionMethod>>& names_of(
    SelectionMethod);

/// What hypervolume is measured in. The extent of a front is its extremes', so where one objective
/// spans decades, networks far apart in all others are alike.
enum class SelectionScale {
  values,
  ranks,       ///< place among the points, equal values sharing theirs
  logarithms,  ///< of objectives whose values have one sign and no zero; else values
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, SelectionScale>>& names_of(SelectionScale);

/// The points in another scale, which keeps the order in every coordinate. Points with an unknown
/// coordinate stay as they are and do not count.
THIMBLE_EXPORT std::vector<Point> rescaled(const std::vector<Point>& points, SelectionScale scale);

/// Of each point one coordinate, and the mean of its ranks in all others, of which there must be
/// one. Points with an unknown coordinate have none here either.
THIMBLE_EXPORT std::vector<Point> pooled(const std::vector<Point>& points, std::size_t along);

/// Subsets among which `automatic` looks for the best one itself.
inline constexpr double kMostSubsets = 1e6;
/// Subsets among which `exact` does.
inline constexpr double kMostExactSubsets = 1e9;

/// The places, in ascending order, of the `count` points with the greatest hypervolume in the
/// Frame of the front. Dominated points, repeated ones and those with an unknown coordinate would
/// add nothing: they are left out, and where fewer than `count` remain, the result has fewer. The
/// same seed chooses the same. Throws Error where `exact` would have too many subsets to look at.
THIMBLE_EXPORT std::vector<std::size_t> select_subset(const std::vector<Point>& points,
                                                      std::size_t count, SelectionMethod method,
                                                      std::uint64_t seed);

/// The places, in ascending order, of `count` points of two coordinates: in each of `count` bands,
/// of equal width along the first one, the point with the least second. Where bands are empty, the
/// others give their second best and so on, the farthest band first. Points with an unknown
/// coordinate are left out.
THIMBLE_EXPORT std::vector<std::size_t> select_of_bands(const std::vector<Point>& points,
                                                        std::size_t count);

/// What stands out on a front.
struct Landmarks {
  /// The best point in each objective, by objective.
  std::vector<std::size_t> extremes;
  /// The farthest below the plane through the ends of the axes of the front's Frame, where giving
  /// up a little of one objective no longer gains much of the others (Das, Structural Optimization
  /// 18, 1999).
  std::size_t knee = 0;
};

/// Places in `points`, of which at least one has no unknown coordinate.
THIMBLE_EXPORT Landmarks landmarks_of(const std::vector<Point>& points);

/// The few networks of a front that a person looks at, and that are trained.
struct SelectSettings {
  std::int64_t k = 5;
  SelectionMethod method = SelectionMethod::automatic;
  SelectionScale scale = SelectionScale::values;
  std::vector<std::string> objectives{};
  std::string along{};
  std::string by{};

  template <class Describe>
  static void describe(Describe& param) {
    param(&SelectSettings::k, "k", "networks to select from the front").range(1, 1000);
    param(&SelectSettings::method, "method",
          "how the subset of greatest hypervolume is looked for; or bands of along, of each the "
          "network of the best mean rank");
    param(&SelectSettings::scale, "scale",
          "what hypervolume is measured in: values of objectives, their ranks on the front, or "
          "logarithms");
    param(&SelectSettings::objectives, "objectives",
          "objectives whose hypervolume counts; all by default");
    param(
        &SelectSettings::along, "along",
        "an objective to spread the networks over: hypervolume is that of it and the mean rank in "
        "all others");
    param(&SelectSettings::by, "by",
          "a decision between options that pictures of the front tell apart by colour");
  }
};

/// What was selected of a front; all are places in it.
struct Selection {
  std::vector<std::size_t> objectives;  ///< that counted, by place in the point's
  std::vector<std::size_t> chosen{};
  Landmarks landmarks{};  ///< in these objectives
  /// A decision that tells networks apart, by its place in genotypes.
  std::optional<std::size_t> by{};
  std::vector<std::string> options{};  ///< of that decision
};

/// Selects of a front; nothing where it is empty, keeps no limit, or no network of it has a value
/// of every objective. What does not go as the settings say becomes a remark.
THIMBLE_EXPORT std::optional<Selection> select(const std::vector<Evaluation>& front,
                                               const std::vector<Objective>& objectives,
                                               const SelectSettings& settings, std::uint64_t seed,
                                               std::vector<std::string>& remarks);

}  // namespace thimble
