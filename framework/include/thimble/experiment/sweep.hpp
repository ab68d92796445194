#pragma once

#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/value.hpp>

namespace thimble {

/// A value for one key of an experiment. The path goes through maps by key and through lists by
/// place (0, 1, ...) or by the `as`, `use`, `minimize`, `maximize` or `row` of the entry:
/// "proxies.ntk.batch", "objectives.latency_ms.weight", "dataset". Null takes the key away.
struct Assignment {
  std::string path;
  Value value;
};

/// "key.path=value", in labels and messages; of what takes a key away "key.path=~".
THIMBLE_EXPORT std::string to_string(const Assignment& assignment);

/// Reads "key.path=value" from the command line. Throws InputError.
THIMBLE_EXPORT Assignment parse_override(const std::string& text);

/// Throws InputError, at the place of the value, when the path leads nowhere.
THIMBLE_EXPORT void assign(Value& root, const Assignment& assignment);

/// One experiment out of a sweep.
struct SweepPoint {
  std::string row;                      ///< what its row in the report is called
  std::vector<Assignment> assignments;  ///< what the sweep set
  Value root;                           ///< the experiment without its sweep, assignments made
};

/// All points of an experiment's `sweep`: a list of grids (or one), each a map from key paths to
/// a value or a list of values, the last key varying fastest, and an optional `row`, the label,
/// in which {key.path} stands for the value. Points that differ in nothing but `seed` share a
/// row. Overrides are made first; one that names a swept key replaces its values. Without a
/// sweep there is one point. Throws InputError.
THIMBLE_EXPORT std::vector<SweepPoint> expand_sweep(const Value& experiment,
                                                    const std::vector<Assignment>& overrides);

}  // namespace thimble
