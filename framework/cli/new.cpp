#include <algorithm>
#include <cctype>
#include <filesystem>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>

#include "cli.hpp"
#include "templates.hpp"

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
    case Kind::task: return "tasks";
  }
  return "?";
}

/// my_idea -> MyIdea.
std::string type_name(const std::string& name) {
  std::string type;
  for (const std::string& part : split(name, '_'))
    if (!part.empty()) type += static_cast<char>(std::toupper(part[0])) + part.substr(1);
  return type;
}

/// A path as a shell reads it back: in quotes where it has to be.
std::string in_shell(const fs::path& path) {
  std::string text = path.string();
  const auto is_plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 ||
           std::string_view{"/._-+"}.find(c) != std::string_view::npos;
  };
  if (std::ranges::all_of(text, is_plain)) return text;
  return "'" + filled(text, "'", "'\\''") + "'";
}

}  // namespace

std::string template_text(const World& world, const std::string& file) {
  return read_file(world.prefix / "share" / "thimble" / "templates" / file);
}

std::string filled(std::string text, const std::string& hole, const std::string& value) {
  for (auto at = text.find(hole); at != std::string::npos; at = text.find(hole, at + value.size()))
    text.replace(at, hole.size(), value);
  return text;
}

int create(const NewArguments& arguments, const World& world) {
  if (arguments.kind == "board") return create_board(arguments, world);
  const std::string& name = arguments.name;
  const std::string& folder = arguments.folder;
  if (!arguments.core.empty())
    throw InputError{"--core is for boards, not for " + in_quotes(arguments.kind), "leave it out"};
  const Kind kind = parse_kind(arguments.kind);
  if (arguments.trains && kind != Kind::searcher)
    throw InputError{"--trains is for searchers, not for " + in_quotes(arguments.kind),
                     "leave it out; networks learn in a search, or behind it by 'train'"};
  if (!is_identifier(name) || name.size() > kLongestName)
    throw InputError{in_quotes(name) + " is no name for a plugin",
                     "names are lower case letters, digits and _, begin with a letter, and have " +
                         count_text(kLongestName, "letter") + " at most"};
  Diagnostics not_there;
  if (const PluginType* known = world.loader.find(kind, name, {}, not_there))
    throw InputError{
        fmt::format("there is a {} {} already: {}", name_of(kind), in_quotes(name), known->summary),
        "take another name: no two plugins of a kind share one"};
  const fs::path target = folder.empty() ? fs::path{name} : fs::path{folder};
  std::error_code unreachable;  // then it cannot be made either
  if (fs::exists(target, unreachable))
    throw InputError{Diagnostic{
        {target.string()}, "is there already", "remove it, or name another with --folder"}};
  const auto text_of = [&](const std::string& from) {
    std::string text = filled(template_text(world, from), "@name@", name);
    text = filled(text, "@Name@", type_name(name));
    text = filled(text, "@kind@", name_of(kind));
    return filled(text, "@folder@", folder_of(kind));
  };
  const std::string source =
      text_of(std::string{name_of(kind)} + (arguments.trains ? "_trains" : "") + ".cpp.in");
  const std::string project = text_of("CMakeLists.txt.in");
  const std::string readme = text_of("README.md.in");
  const MadeFolder made{target};
  write_files({{target / (name + ".cpp"), source},
               {target / "CMakeLists.txt", project},
               {target / "README.md", readme}});
  // What was built but not installed is no package that CMake finds.
  const bool is_package = fs::exists(world.prefix / "lib" / "cmake" / "thimble");
  fmt::print(
      "{0}: a {1} that builds as it stands{2}\n"
      "  cmake -S {3} -B {4} -DCMAKE_PREFIX_PATH={5} && cmake --build {4}\n"
      "  ctest --test-dir {4} --output-on-failure\n"
      "  THIMBLE_PLUGIN_PATH={6} thimble show {7}\n",
      target.string(), name_of(kind),
      is_package ? "" : ", once thimble is installed (make install PREFIX=/usr/local)",
      in_shell(target), in_shell(target / "build"),
      is_package ? in_shell(world.prefix) : "/usr/local", in_shell(target / "build" / "plugins"),
      name);
  return 0;
}

}  // namespace thimble::cli
