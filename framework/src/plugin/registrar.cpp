#include <thimble/plugin/registrar.hpp>

namespace thimble {

Registrar::Registrar(std::string name, std::string version)
    : name_{std::move(name)}, version_{std::move(version)} {}

void Registrar::add(PluginType type) {
  type.name = name_;
  type.version = version_;
  for (Field& field : type.schema) {
    field.read = nullptr;  // they were bound to the defaults, which are gone
    field.write = nullptr;
  }
  types_.push_back(std::move(type));
}

Registrar& Registrar::profile(std::string name, std::string yaml_map) {
  if (types_.empty()) throw Error{"profile '" + name + "' stands before provides"};
  types_.back().profiles.emplace_back(std::move(name), std::move(yaml_map));
  return *this;
}

}  // namespace thimble
