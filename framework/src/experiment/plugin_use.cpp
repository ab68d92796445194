#include "plugin_use.hpp"

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble {

PluginUse PluginReader::read(Kind kind, const Value& value, const std::string& what) {
  PluginUse use;
  if (!value.is_map()) {
    problems_.error(value.where(), fmt::format("{} must be a map, found {}", what, value.found()),
                    "write {use: NAME, parameter: value, ...}");
    return use;
  }
  const Value* const name = value.find("use");
  if (name == nullptr || !name->is_scalar()) {
    problems_.error(name == nullptr ? value.where() : name->where(),
                    fmt::format("{} does not say which plugin to use", what),
                    "write {use: NAME, parameter: value, ...}");
    return use;
  }
  use.type = find(kind, *name);
  if (use.type == nullptr) return use;
  use.given = value;
  use.given.erase("use");
  if (const Value* const profile = value.find("profile")) {
    use.given.erase("profile");
    if (!add_profile(*profile, use)) return PluginUse{};
  }
  return use;
}

/// A named set of parameters, which keys that are written out overrule.
bool PluginReader::add_profile(const Value& name, PluginUse& use) {
  const auto profile = find_profile(*use.type, name, {});
  if (!profile) return false;
  for (const auto& entry : profile->entries())
    if (use.given.find(entry.key) == nullptr) use.given.set(entry.key, entry.value);
  return true;
}

std::optional<Value> PluginReader::find_profile(const PluginType& type, const Value& name,
                                                std::vector<std::string> known) {
  for (const auto& [profile, yaml] : type.profiles) {
    known.push_back(profile);
    if (name.is_scalar() && profile == name.text())
      return parse_yaml(yaml, fmt::format("profile '{}' of {}", profile, type.name));
  }
  problems_.error(name.where(),
                  fmt::format("{} '{}' has no profile {}{}", name_of(type.kind), type.name,
                              name.is_scalar() ? in_quotes(name.text()) : name.found(),
                              name.is_scalar() ? did_you_mean(name.text(), known) : ""),
                  known.empty() ? "it has none" : "profiles are " + join(known));
  return std::nullopt;
}

/// A name that only another kind has is worth saying so.
const PluginType* PluginReader::find(Kind kind, const Value& name) {
  Diagnostics missing;
  if (const PluginType* const found = loader_.find(kind, name.text(), name.where(), missing))
    return found;
  for (const Kind other : all_kinds()) {
    Diagnostics ignored;
    if (other == kind || loader_.find(other, name.text(), name.where(), ignored) == nullptr)
      continue;
    problems_.error(name.where(),
                    fmt::format("plugin {} is a {}, not a {}", in_quotes(name.text()),
                                name_of(other), name_of(kind)),
                    fmt::format("thimble plugins {} lists what can stand here", name_of(kind)));
    return nullptr;
  }
  return loader_.find(kind, name.text(), name.where(), problems_);
}

void PluginReader::resolve(PluginUse& use, const Location& where) {
  const auto before = problems_.size();
  use.resolved = PluginLoader::resolve(*use.type, use.given, where, problems_);
  use.text = use.type->name + " " + use.type->version + " " + hex(use.type->fingerprint) + "\n" +
             to_yaml(use.resolved);
  if (problems_.size() != before) use.type = nullptr;
}

/// A plugin that names no file of its own means what the experiment says.
void PluginReader::report(const InputError& error, const Value* where) {
  for (const Diagnostic& problem : error.diagnostics()) {
    const bool is_placed = !problem.where.file.empty() || where == nullptr;
    problems_.error(is_placed ? problem.where : where->where(), problem.message, problem.note);
  }
}

}  // namespace thimble
