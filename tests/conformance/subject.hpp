#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/plugin/loader.hpp>

/// The one plugin that this program looks at, and what all laws need of it.
namespace thimble::conformance {

struct Subject {
  PluginLoader& loader;
  const PluginType& type;
  Value given;  ///< the parameters from the command line
};

/// Set by main() before any test runs.
const Subject& subject();

/// What resolving these parameters complains of.
std::vector<Diagnostic> problems_with(const Value& given);

/// Every parameter, from those of the command line and the defaults. Throws InputError.
Value resolved();

/// The subject, made from `with` laid over the parameters of the command line.
template <class Interface>
std::unique_ptr<Interface> make(const Value& with = Value::map()) {
  Value given = subject().given;
  for (const auto& entry : with.entries()) given.set(entry.key, entry.value);
  Diagnostics problems;
  const Value all = PluginLoader::resolve(subject().type, given, {}, problems);
  problems.throw_if_any();
  return subject().loader.make<Interface>(subject().type, all, {});
}

/// Runs work(0) and work(1) at once. They should be at different things at any one time, or
/// something they share by mistake may go unnoticed.
void on_two_threads(const std::function<void(std::size_t thread)>& work);

}  // namespace thimble::conformance
