#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/sweep.hpp>
#include <thimble/search/searcher.hpp>
#include <thimble/search/selection.hpp>
#include <thimble/train/epoch.hpp>

namespace thimble {

/// A network that a point had trained, on some data, with one seed.
struct THIMBLE_EXPORT TrainedRow {
  /// As the data needs it; counts and cost are those of what is left of it where it was pruned.
  Evaluation network;
  std::string dataset;  ///< its name in `train.datasets`; none where it is the experiment's own
  std::uint64_t seed = 0;
  bool is_pruned = false;
  bool is_quantised = false;
  std::vector<Limit> limits = {};      ///< that the network keeps on this data
  std::filesystem::path weights = {};  ///< where they are kept
  // Metrics are the task's, in the order of its names.
  FormOutcome whole = {};    ///< in float, with all channels
  FormOutcome narrow = {};   ///< what pruning leaves of it, trained from new weights
  FormOutcome pruned = {};   ///< where it was pruned
  FormOutcome int8 = {};     ///< the integers, where it was quantised
  std::string failure = {};  ///< why something of this is missing, or nothing

  /// What the integers, if there are any, are made of.
  FormOutcome& real() { return is_pruned ? pruned : whole; }
  const FormOutcome& real() const { return is_pruned ? pruned : whole; }
  /// What is deployed: the last stage.
  const FormOutcome& last() const { return is_quantised ? int8 : real(); }
  /// Of all stages, one behind the other.
  std::vector<EpochOutcome> epochs() const;
};

/// What came of one point of a sweep.
struct PointOutcome {
  std::string row;
  std::vector<Assignment> assignments;
  std::uint64_t seed = 0;
  MetricNames metrics;
  std::map<std::string, std::string> keys;  ///< of what the value of each metric depends on
  std::vector<DirectedMetric> predictors;
  std::vector<Objective> objectives;
  std::vector<Limit> limits;
  std::optional<Target> target;          ///< what costs are of, where there is hardware
  std::vector<DirectedMetric> compared;  ///< in which fronts of several points are
  SearchResult result;
  std::optional<Selection> selection;
  std::vector<Evaluation> evaluated;  ///< every network looked at, in order, judged together
  std::int64_t scored = 0;            ///< candidates whose proxies were asked for
  /// The number of the first one: every network of a run has one, over all its points, by which
  /// tables, pictures and the command line call it.
  std::size_t first_number = 1;
  std::vector<std::string> trained_metrics;  ///< names of what `trained` has
  std::vector<TrainedRow> trained;
  std::size_t beyond_limits = 0;  ///< networks, once for each of the data, that were not trained
  double wall_seconds = 0;
  double proxy_seconds = 0;
  /// Everything that a report can show, by column (experiment/columns.hpp); measure() fills it.
  std::map<std::string, double> quantities;
};

/// The number of one of a point's networks.
THIMBLE_EXPORT std::size_t number_of(const PointOutcome& outcome, const std::string& arch);

/// The place of the first point of each row, in their order.
THIMBLE_EXPORT std::vector<std::size_t> first_of_rows(const std::vector<PointOutcome>& outcomes);

}  // namespace thimble
