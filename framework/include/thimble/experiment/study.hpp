#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/experiment/report_settings.hpp>
#include <thimble/experiment/sweep.hpp>
#include <thimble/experiment/train_settings.hpp>
#include <thimble/plugin/loader.hpp>
#include <thimble/search/scoring.hpp>
#include <thimble/search/searcher.hpp>
#include <thimble/search/selection.hpp>

namespace thimble {

class Proxy;
class Task;

/// One experiment with everything it names checked, loaded and made: a point of a sweep. Points
/// share the plugins that are equal in them.
struct Study {
  struct NamedProxy {
    std::string name;
    std::shared_ptr<const Proxy> proxy;
    std::shared_ptr<const SearchSpace> space;  ///< the network it looks at
    std::string key;
  };

  /// Data that networks are trained on, how, and the search space as these need it.
  struct TrainedOn {
    std::string name;  ///< in `train.datasets`; none where it is the experiment's own
    std::shared_ptr<const Dataset> dataset;
    std::string data;  ///< fingerprint of what the dataset holds
    std::shared_ptr<const SearchSpace> space;
    std::shared_ptr<const Task> task;  ///< fitted to the data
    std::string key;  ///< of all that a training hangs on beside network and recipe
    std::map<std::string, std::string> about;  ///< what stands with the weights
    Recipe recipe;
    Value changes;              ///< of the common recipe, as written
    std::vector<Limit> limits;  ///< on its networks: the experiment's, but those it has others for
    Location where;
  };

  std::string name;
  std::string row;
  std::uint64_t seed = 0;
  std::shared_ptr<const SearchSpace> space;
  std::shared_ptr<const Hardware> hardware;
  std::string costs;  ///< fingerprint of what the hardware's files say; empty without hardware
  std::shared_ptr<const Dataset> dataset;
  std::string data;  ///< fingerprint of what the dataset holds; files may change
  std::shared_ptr<const Searcher> searcher;
  std::vector<NamedProxy> proxies;
  std::vector<Aggregate> aggregates;
  std::vector<Objective> objectives;
  std::vector<DirectedMetric> compared;  ///< in which fronts are compared with other points'
  std::vector<Limit> limits;
  Budget budget;
  std::optional<SelectSettings> select;
  std::optional<std::size_t> select_by;  ///< its decision, by place in the space's
  std::int64_t most_bytes = 0;           ///< that one candidate's tensors may take
  std::optional<BenchmarkSettings> benchmark;
  Location benchmark_where;
  AnalysisSettings analysis;
  ReportSettings report;
  std::optional<TrainSettings> train;
  Location start_where;  ///< of the weights that trainings start with
  /// Of the training, if there is one, fitted to the experiment's own data, where there are some.
  std::shared_ptr<const Task> task;
  std::vector<TrainedOn> trained_on;  ///< where there is `train`
  std::vector<std::string> remarks;   ///< what a person should know before it runs
  std::vector<std::string> plugins;   ///< "kind name version" of each in use
  std::size_t search_plugins = 0;     ///< the first so many are not those of `train`
  Value resolved;                     ///< every key with the value in force; an experiment again

  THIMBLE_EXPORT Problem problem() const;
  THIMBLE_EXPORT ScoringSetup scoring() const;
  THIMBLE_EXPORT MetricNames metric_names() const;
  /// What is compared with accuracies and with each other: proxies, aggregates, and as controls
  /// MACs and parameters, of which more is better here.
  THIMBLE_EXPORT std::vector<DirectedMetric> predictors() const;
};

/// Plugins by kind, name, version and parameters, and what was found out of them: each is made once
/// for all points of a sweep.
using MadePlugins = std::map<std::string, std::shared_ptr<const void>>;

/// Checks an experiment and makes its plugins. Everything wrong with it goes to `problems` with
/// its place; then the result is not to be used.
THIMBLE_EXPORT Study make_study(const SweepPoint& point, PluginLoader& loader, MadePlugins& made,
                                Diagnostics& problems);

/// The experiment's keys, for documentation.
THIMBLE_EXPORT Schema experiment_schema();

}  // namespace thimble
