#include <algorithm>
#include <cctype>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;

const char* folder_of(Kind kind) {
  switch (kind) {
    case Kind::proxy: return "proxies";
    case Kind::searchspace: return "searchspaces";
    case Kind::searcher: return "searchers";
    case Kind::hardware: return "hardware";
    case Kind::dataset: return "datasets";
  }
  return "?";
}

/// my_idea -> MyIdeaProxy. With its kind, no name is one that the template has of its own.
std::string type_name(const std::string& name, Kind kind) {
  std::string type;
  for (const std::string& part : split(name + "_" + std::string{name_of(kind)}, '_'))
    if (!part.empty()) type += static_cast<char>(std::toupper(part[0])) + part.substr(1);
  return type;
}

std::string filled(std::string text, const std::string& hole, const std::string& value) {
  for (auto at = text.find(hole); at != std::string::npos; at = text.find(hole, at + value.size()))
    text.replace(at, hole.size(), value);
  return text;
}

/// One word for a shell.
std::string shell_word(const std::string& text) {
  const bool is_plain = std::ranges::all_of(text, [](unsigned char letter) {
    return std::isalnum(letter) || letter >= 0x80 || std::strchr("_-./+:@%", letter) != nullptr;
  });
  return is_plain ? text : "'" + filled(text, "'", "'\\''") + "'";
}

void refuse_taken_name(Kind kind, const std::string& name, PluginLoader& loader) {
  for (const FoundPlugin& plugin : loader.list(kind))
    if (plugin.type != nullptr ? plugin.type->name == name : plugin.file.stem() == name)
      throw InputError{fmt::format("there is a {} {} already", name_of(kind), in_quotes(name)),
                       fmt::format("it is {}; take another name", plugin.file.string())};
}

}  // namespace

int create(const std::string& kind_text, const std::string& name, const std::string& folder,
           const World& world) {
  const Kind kind = parse_kind(kind_text);
  if (!is_identifier(name))
    throw InputError{in_quotes(name) + " is no name for a plugin",
                     "names are lower case letters, digits and _, and begin with a letter"};
  refuse_taken_name(kind, name, world.loader);
  const fs::path target = folder.empty() ? fs::path{name} : fs::path{folder};
  if (fs::exists(target))
    throw InputError{Diagnostic{
        {target.string()}, "is there already", "remove it, or name another with --folder"}};
  make_folders(target);
  const fs::path templates = world.prefix / "share" / "thimble" / "templates";
  const auto write = [&](const std::string& from, const std::string& to) {
    std::string text = read_file(templates / from);
    text = filled(text, "@name@", name);
    text = filled(text, "@Name@", type_name(name, kind));
    text = filled(text, "@kind@", name_of(kind));
    write_file(target / to, filled(text, "@folder@", folder_of(kind)));
  };
  write(std::string{name_of(kind)} + ".cpp.in", name + ".cpp");
  write("CMakeLists.txt.in", "CMakeLists.txt");
  write("README.md.in", "README.md");
  // What was built but not installed is no package that CMake finds.
  const bool is_package = fs::exists(world.prefix / "lib" / "cmake" / "thimble");
  fmt::print(
      "{0}: a {4} that builds as it stands{5}\n"
      "  cmake -S {1} -B {2} -DCMAKE_PREFIX_PATH={3} && cmake --build {2}\n"
      "  ctest --test-dir {2}\n"
      "  THIMBLE_PLUGIN_PATH={6} thimble show {7}\n",
      target.string(), shell_word(target.string()), shell_word((target / "build").string()),
      is_package ? shell_word(world.prefix.string()) : "/usr/local", name_of(kind),
      is_package ? "" : ", once thimble is installed (make install PREFIX=/usr/local)",
      shell_word((target / "build" / "plugins").string()), name);
  return 0;
}

}  // namespace thimble::cli
