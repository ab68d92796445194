#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/nn/threads.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

std::string type_text(const Field& field) {
  std::string text = field.choices.empty() ? field.type : join(field.choices, " or ");
  if (const std::string range = field.range_text(); !range.empty()) text += " in " + range;
  return text;
}

void print_markdown(const PluginType& type) {
  fmt::print("| parameter | type | default | what |\n|---|---|---|---|\n");
  for (const Field& field : type.schema)
    fmt::print("| `{}` | {} | {} | {} |\n", field.name, type_text(field),
               field.default_text.empty() ? "" : "`" + field.default_text + "`", field.sentence);
}

void print_plainly(const FoundPlugin& plugin) {
  const PluginType& type = *plugin.type;
  fmt::print("{} {} {}: {}\n", name_of(type.kind), type.name, type.version, type.summary);
  fmt::print("  {}\n", plugin.file.string());
  for (const Field& field : type.schema)
    fmt::print("  {:<20} {}{}\n  {:<20}   {}\n", field.name, type_text(field),
               field.is_required            ? ", required"
               : field.default_text.empty() ? ""
                                            : ", default " + field.default_text,
               "", field.sentence);
  for (const auto& [name, yaml] : type.profiles) fmt::print("  profile {}: {}\n", name, yaml);
}

std::optional<Kind> kind_if_any(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional{parse_kind(text)};
}

}  // namespace

Kind parse_kind(const std::string& text) {
  if (const auto kind = kind_named(text)) return *kind;
  std::vector<std::string> known;
  for (const Kind kind : all_kinds()) known.emplace_back(name_of(kind));
  throw InputError{
      fmt::format("no kind of plugin {}{}", in_quotes(text), did_you_mean(text, known)),
      "kinds are " + join(known)};
}

int list_plugins(const std::string& kind, const World& world) {
  const auto found = world.loader.list(kind_if_any(kind));
  std::size_t width = 4;
  for (const FoundPlugin& plugin : found)
    if (plugin.type != nullptr) width = std::max(width, plugin.type->name.size());
  for (const FoundPlugin& plugin : found)
    if (plugin.type != nullptr)
      fmt::print("{:<12} {:<{}}  {:<8} {}\n", name_of(plugin.type->kind), plugin.type->name, width,
                 plugin.type->version, plugin.type->summary);
  for (const FoundPlugin& plugin : found)
    if (plugin.type == nullptr) fmt::print(stderr, "{}\n", to_string(plugin.problem));
  if (!is_blas_fast()) fmt::print(stderr, "warning: {}\n", blas_name());
  return 0;
}

int show(const std::string& name, bool as_markdown, const World& world) {
  if (name.empty()) return list_plugins({}, world);
  const auto slash = name.find('/');
  const auto kind = slash == std::string::npos ? std::nullopt : kind_if_any(name.substr(0, slash));
  const std::string plain = slash == std::string::npos ? name : name.substr(slash + 1);
  std::vector<std::string> known;
  bool is_found = false;
  for (const FoundPlugin& plugin : world.loader.list(kind)) {
    if (plugin.type == nullptr) {
      if (plugin.file.stem() == plain) throw InputError{plugin.problem};
      continue;
    }
    known.push_back(plugin.type->name);
    if (plugin.type->name != plain) continue;
    is_found = true;
    if (as_markdown) {
      print_markdown(*plugin.type);
    } else {
      print_plainly(plugin);
    }
  }
  if (!is_found)
    throw InputError{fmt::format("no plugin {}{}", in_quotes(name), did_you_mean(plain, known)),
                     "thimble plugins lists them"};
  return 0;
}

}  // namespace thimble::cli
