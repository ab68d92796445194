#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <thimble/experiment/study.hpp>

#include "plugin_use.hpp"
#include "settings.hpp"

namespace thimble {

/// An experiment while it is read: what is written, what was made of it so far, and where problems
/// go. Each function below reads a section into `study`, says of it what stands in `resolved`, and
/// relies on the ones before it having been called.
struct Reading {
  const SweepPoint& point;
  PluginReader plugins;
  Diagnostics& problems;
  Settings settings{};
  Study study{};
  Value resolved = Value::map();
  PluginUse space{};                          ///< as written; proxies may want it otherwise
  PluginUse dataset{};                        ///< likewise
  std::vector<std::string> broken_metrics{};  ///< names of those that could not be made

  /// The plugin of a section {use: NAME, ...}; nullptr when there is none, or it is wrong.
  template <class Interface>
  std::shared_ptr<const Interface> make(const Value& value, const std::string& key,
                                        PluginUse& use) {
    if (value.is_null()) return nullptr;
    use = plugins.read(Interface::kKind, value, "'" + key + "'");
    if (use.type == nullptr) return nullptr;
    plugins.resolve(use, value.find("use")->where());
    if (use.type != nullptr) resolved.set(key, with_use(use));
    return plugins.make<Interface>(use, value.find("use"));
  }

  /// Gives the search space other parameters: those of a profile that `net` names, or its own.
  /// False where it is neither, which is reported.
  bool override_space(const Value& net, PluginUse& use);

  /// A plugin in the resolved experiment, and among those in use.
  Value with_use(const PluginUse& use);
};

/// `dataset`.
void read_dataset(Reading& reading);

/// `pass` and `proxies`; needs space and dataset.
void read_proxies(Reading& reading);

/// `aggregates`, `objectives` and `report.compare`; needs proxies and hardware.
void read_metrics(Reading& reading);

/// What must be kept by networks of a space; what is wrong with one that is `written` is reported.
/// Needs hardware.
std::vector<Limit> limits_of(Reading& reading, const LimitSettings& given, const Value* written,
                             const SearchSpace* space);

/// `limits`, `select` and `searcher`; needs all others.
void read_search(Reading& reading);

/// Says where networks are validated on the end of what they learn from, all samples being of one
/// person or recording.
void remark_on_one_group(Reading& reading, const Dataset& data);

/// `train.datasets`, or else the experiment's dataset, and the search space as each needs it;
/// leaves the list as it stands in the resolved experiment. Needs space and dataset.
void read_trained_on(Reading& reading, Value& datasets);

/// How networks are trained on each of these: as the common recipe says, and what is changed for
/// one. Needs `trained_on`.
void read_recipes(Reading& reading, const Recipe& common);

/// `train`; needs all others.
void read_train(Reading& reading);

/// A new metric's name is one, and not taken; false when it cannot be called that.
bool require_metric_name(Reading& reading, const Value& name);

/// Reports what stands twice in the list at a key of `section`.
void require_distinct(const Value& section, std::string_view key, Diagnostics& problems);

/// A metric is called by its `as`, or else by what it uses; nullptr when it has neither.
const Value* name_of_metric(const Value& entry);

/// Reports where the energy of the board is asked for and not known.
void require_known_energy(Reading& reading, std::string_view metric, const Location& where);

}  // namespace thimble
