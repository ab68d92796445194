#include <thimble/hardware/board.hpp>

#include <algorithm>
#include <charconv>
#include <vector>

#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> boards_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator{folder, none})
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

std::vector<std::string> names_of_kinds() {
  std::vector<std::string> names{kDefaultKind};
  for (const Kernel kernel : kKernels) names.emplace_back(name_of(kernel));
  return names;
}

std::vector<std::string> names_of_cores() {
  std::vector<std::string> names;
  for (const Core core : kCores) names.emplace_back(name_of(core));
  return names;
}

void check_core(const Value& yaml, const Board& board, Diagnostics& problems) {
  const Value* const core = yaml.find("core");
  if (core == nullptr || !core->is_scalar() || core_of(board.core)) return;
  problems.error(core->where(), "no core " + in_quotes(board.core),
                 "cores are " + join(names_of_cores()));
}

void check_id(const Value& yaml, const Board& board, const fs::path& file, Diagnostics& problems) {
  const Value* const id = yaml.find("id");
  if (id == nullptr || board.id == file.stem()) return;
  problems.error(
      id->where(),
      "'id' is " + in_quotes(board.id) + " in a file named " + in_quotes(file.filename().string()),
      "rename one of them");
}

void check_kinds(const Value& yaml, Diagnostics& problems) {
  const Value* const counted = yaml.find("counted");
  const Value* const cpi = counted != nullptr ? counted->find("cpi") : nullptr;
  if (cpi == nullptr || !cpi->is_map()) return;
  const auto known = names_of_kinds();
  for (const auto& entry : cpi->entries())
    if (std::ranges::find(known, entry.key) == known.end())
      problems.error(
          entry.key_where,
          "no kind of operator is " + in_quotes(entry.key) + did_you_mean(entry.key, known),
          "kinds are " + join(known));
  if (cpi->find(kDefaultKind) == nullptr)
    problems.error(cpi->where(), "missing key 'default' for 'cpi'",
                   "it serves the kinds that have none of their own");
}

/// "0x08000000"
std::optional<std::uint32_t> address(std::string_view text) {
  if (!text.starts_with("0x") || text.size() > 10) return std::nullopt;
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), value, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check_memories(const Value& yaml, Diagnostics& problems) {
  const Value* const memories = yaml.find("memory_map");
  if (memories == nullptr || !memories->is_map()) return;
  for (const auto& entry : memories->entries()) {
    const Value* const origin = entry.value.is_map() ? entry.value.find("origin") : nullptr;
    if (origin != nullptr && origin->is_scalar() && !address(origin->text()))
      problems.error(origin->where(), "no address is " + in_quotes(origin->text()),
                     "write it like 0x08000000");
  }
}

void check_overlap(const Value& yaml, const Board& board, Diagnostics& problems) {
  const auto memory = board.programs_memory();
  if (!memory) return;
  const auto& [flash, ram] = *memory;
  const bool is_apart =
      flash.origin + flash.bytes <= ram.origin || ram.origin + ram.bytes <= flash.origin;
  if (!is_apart)
    problems.error(yaml.find("memory_map")->where(), "'flash' and 'ram' of 'memory_map' overlap",
                   "programs need a stretch each, of one memory if need be");
}

/// Why a figure is a guess for this board and these kernels, or nothing.
std::string doubt_of(const CyclesPerInstruction& cpi, const std::string& board,
                     const std::string& kernels) {
  if (cpi.origin == Origin::guessed) return "cycles an instruction are guessed";
  if (cpi.board != board)
    return "cycles an instruction were fitted on " +
           (cpi.board.empty() ? "a board that is not named" : "another board, " + cpi.board);
  if (cpi.kernels != kernels)
    return "cycles an instruction were fitted to " +
           (cpi.kernels.empty() ? "kernels that are not named" : cpi.kernels);
  if (cpi.n < 2) return "cycles an instruction were fitted to a single measurement";
  return "";
}

}  // namespace

const CyclesPerInstruction& CountedCosts::cpi_of(Kernel kernel) const {
  const auto own = cpi.find(name_of(kernel));
  return own != cpi.end() ? own->second : cpi.at(kDefaultKind);
}

Target Board::target() const {
  Target made;
  made.name = name;
  made.ram_bytes = ram_bytes;
  made.rom_bytes = rom_bytes;
  if (!active_power_mw) return made;
  made.active_power_mw = active_power_mw->value;
  made.power_relative_error = active_power_mw->relative_error;
  made.power_origin = active_power_mw->origin;
  if (active_power_mw->board == id) return made;
  made.power_origin = Origin::guessed;
  made.power_relative_error = std::max(made.power_relative_error, kGuessError);
  return made;
}

CyclesPerInstruction Board::cpi_for(Kernel kernel, const std::string& kernels) const {
  CyclesPerInstruction cpi = counted.value().cpi_of(kernel);
  if (doubt_of(cpi, id, kernels).empty()) return cpi;
  cpi.origin = Origin::guessed;
  cpi.relative_error = std::max(cpi.relative_error, kGuessError);
  return cpi;
}

std::string Board::doubt_about(const std::string& kernels) const {
  for (const auto& [kind, cpi] : counted.value().cpi)
    if (std::string doubt = doubt_of(cpi, id, kernels); !doubt.empty()) return doubt;
  return "";
}

std::optional<MemoryMap> Board::programs_memory() const {
  if (!memory_map) return std::nullopt;
  const auto range = [](const BoardMemory& memory) {
    return MemoryRange{address(memory.origin).value(), memory.bytes};
  };
  return MemoryMap{range(memory_map->flash), range(memory_map->ram)};
}

Board board_from(const Value& yaml, const fs::path& file) {
  Diagnostics problems;
  if (!yaml.is_map()) {
    problems.error({file.string(), 1, 1}, "a board file is a map, found " + yaml.found());
    problems.throw_if_any();
  }
  auto board = read_params<Board>(yaml, "board file", problems);
  check_id(yaml, board, file, problems);
  check_core(yaml, board, problems);
  check_kinds(yaml, problems);
  check_memories(yaml, problems);
  problems.throw_if_any();
  check_overlap(yaml, board, problems);
  problems.throw_if_any();
  return board;
}

Board read_board(const fs::path& file) { return board_from(read_yaml(file), file); }

fs::path board_file(const std::string& board, const fs::path& share_folder) {
  if (board.ends_with(".yaml")) return board;
  const fs::path folder = share_folder / "boards";
  const auto known = boards_in(folder);
  if (std::ranges::find(known, board) == known.end())
    throw InputError{"no board " + in_quotes(board) + did_you_mean(board, known),
                     known.empty() ? "there are no board files in " + folder.string()
                                   : "boards are " + join(known) + ", or a path to a .yaml file"};
  return folder / (board + ".yaml");
}

}  // namespace thimble
