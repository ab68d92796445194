#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/direction.hpp>
#include <thimble/core/export.hpp>
#include <thimble/page/network_plan.hpp>
#include <thimble/page/run_record.hpp>
#include <thimble/search/evaluation.hpp>

namespace thimble {

struct Study;

/// Networks with which a page is still quick; of a run with more it shows some.
inline constexpr std::size_t kMostShown = 50'000;
inline constexpr std::size_t kShownOfMore = 20'000;

/// What the page of a run shows: its files and its experiments, brought together. Networks are
/// called by their place in `arch`.
struct PageData {
  enum class State : std::uint8_t { feasible, beyond, invalid };
  /// A number of every network.
  struct Metric {
    std::string name;
    std::optional<Direction> direction;  ///< which way is better, where that is known
    bool is_objective = false;
    bool is_accuracy = false;
    std::vector<double> values;  ///< NaN where there is none
  };
  /// One of the choices that made every network.
  struct Choice {
    std::string name;
    std::vector<std::string> options;  ///< none: the values are numbers
    std::vector<double> values;
  };
  struct Point {
    std::string row, seed;
    Value best;  ///< of result.yaml; null: nothing was found
    std::optional<std::size_t> best_place;
    std::vector<std::size_t> front, chosen;
    std::optional<std::size_t> knee;
    std::vector<std::pair<std::string, std::size_t>> ends;  ///< by metric
    std::vector<Limit> limits;
    std::vector<Limit> board;  ///< what it has, whether it is a limit or not
    std::vector<std::string> remarks;
    bool keeps_limits = false;  ///< of best
  };
  struct Plan {
    std::size_t place;
    NetworkPlan plan;
  };

  RunRecord record;
  std::string name, identity, program;  ///< of the run; "thimble 0.1.0 (revision abc)"
  std::string target;                   ///< the board, or nothing
  std::vector<std::string> runtimes;    ///< whose code latencies are of, each with its board
  std::vector<std::int64_t> number;     ///< of each network, as tables and commands call it
  std::vector<std::string> arch;
  std::vector<std::string> reasons;
  std::vector<int> point;  ///< from 0 on
  std::vector<State> state;
  std::vector<Metric> metrics;
  std::vector<Choice> choices;
  std::vector<Point> points;
  std::vector<std::string> remarks;  ///< on the whole run
  std::vector<Plan> plans;           ///< of the networks that most ask for
  std::size_t all_networks = 0;      ///< that were looked at
  std::string missing;               ///< why there are no plans, or nothing

  const Metric* metric(const std::string& called) const;
};

/// `studies`: one a point, or none, with the reason why they cannot be had.
THIMBLE_EXPORT PageData page_data(RunRecord record, std::span<const Study> studies,
                                  const std::string& why_not = "");

}  // namespace thimble
