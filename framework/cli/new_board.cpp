#include <filesystem>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/hardware/board.hpp>

#include "cli.hpp"
#include "templates.hpp"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;

/// What the boards that are shipped take, and what the start-up code of a core.
struct CoreFigures {
  const char* cpi;
  int fixed_rom_bytes;
};

CoreFigures figures_of(Core core) {
  switch (core) {
    case Core::m3:
    case Core::m4: return {"1.5", 1724};
    case Core::m7: return {"0.95", 1706};
    case Core::m33: return {"1.3", 1450};
    case Core::m55: return {"1.3", 1486};
  }
  return {"1.5", 1724};
}

}  // namespace

int create_board(const NewArguments& arguments, const World& world) {
  const std::string& name = arguments.name;
  const bool means_something_else = name == "null" || name == "true" || name == "false";
  if (!is_identifier(name) || name.size() > kLongestName || means_something_else)
    throw InputError{in_quotes(name) + " is no name for a board",
                     "names are lower case letters, digits and _, begin with a letter, have " +
                         count_text(kLongestName, "letter") +
                         " at most, and mean nothing else in YAML"};
  if (fs::exists(world.prefix / "share" / "thimble" / "boards" / (name + ".yaml")))
    throw InputError{"there is a board " + in_quotes(name) + " already",
                     "take another name: which one is meant could not be told"};
  if (arguments.core.empty())
    throw InputError{"which core the board has is not said", "add --core m4, or another one"};
  const auto [cpi, rom] = figures_of(parse_core(arguments.core));
  const fs::path target = fs::path{arguments.folder} / (name + ".yaml");
  if (fs::exists(target))
    throw InputError{Diagnostic{{target.string()},
                                "is there already",
                                "remove it, or take another "
                                "name"}};
  std::string text = template_text(world, "board.yaml.in");
  text = filled(text, "@name@", name);
  text = filled(text, "@core@", arguments.core);
  text = filled(text, "@cpi@", cpi);
  write_file(target, filled(text, "@rom@", std::to_string(rom)));
  read_board(target);
  fmt::print(
      "{0}: a board with guessed cycles: change its clock and memories, then\n"
      "  thimble check EXPERIMENT.yaml 'hardware={{use: table, board: {0}}}'\n"
      "docs/own-board.md says how to measure it\n",
      target.string());
  return 0;
}

}  // namespace thimble::cli
