#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/value.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/plugin/loader.hpp>

namespace thimble {

/// A plugin as an experiment names it.
struct PluginUse {
  const PluginType* type = nullptr;  ///< nullptr: something is wrong with it, and reported
  Value given;                       ///< its parameters as written
  Value resolved;                    ///< with defaults
  std::string text;  ///< name, version, library and parameters: what its results hang on
};

/// Reads {use: NAME, profile: NAME, parameter: value, ...} and makes what it names. What is wrong
/// becomes a problem at its place. Not thread safe.
class PluginReader {
 public:
  PluginReader(PluginLoader& loader, MadePlugins& made, Diagnostics& problems)
      : loader_{loader}, made_{made}, problems_{problems} {}

  /// The plugin and what is written of its parameters. `what` is how messages call the value.
  PluginUse read(Kind kind, const Value& value, const std::string& what);

  /// Checks what is given and adds defaults.
  void resolve(PluginUse& use, const Location& where);

  /// The parameters of a plugin's profile; `known` are names that would do as well.
  std::optional<Value> find_profile(const PluginType& type, const Value& name,
                                    std::vector<std::string> known);

  /// nullptr when there is no type, or the plugin refuses its parameters.
  template <class Interface>
  std::shared_ptr<const Interface> make(const PluginUse& use, const Value* where) {
    if (use.type == nullptr) return nullptr;
    std::shared_ptr<const void>& made =
        made_[std::string{name_of(use.type->kind)} + " " + use.text];
    if (made != nullptr) return std::static_pointer_cast<const Interface>(made);
    try {
      std::shared_ptr<const Interface> fresh = loader_.make<Interface>(
          *use.type, use.resolved, where != nullptr ? where->where() : Location{});
      made = fresh;
      return fresh;
    } catch (const InputError& error) {
      report(error, where);
      return nullptr;
    }
  }

  /// What is found out of plugins, once for all points of a sweep; `what` says what and of which.
  template <class Find>
  auto once(const std::string& what, const Find& find) {
    using Found = decltype(find());
    std::shared_ptr<const void>& known = made_[what];
    if (known == nullptr) known = std::make_shared<const Found>(find());
    return *std::static_pointer_cast<const Found>(known);
  }

  /// Makes what a plugin refuses problems; those without a place get that of `where`.
  void report(const InputError& error, const Value* where);

 private:
  const PluginType* find(Kind kind, const Value& name);
  bool add_profile(const Value& name, PluginUse& use);

  PluginLoader& loader_;
  MadePlugins& made_;
  Diagnostics& problems_;
};

}  // namespace thimble
