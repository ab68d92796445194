#include "op_program.hpp"

#include <algorithm>
#include <optional>
#include <regex>
#include <set>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thimble/core/csv.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/generate_c.hpp>

#include <thimble/deploy/kernels.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kFirst = "operators";  ///< names the generated files

/// What a program has besides constants, arena and stack.
constexpr std::int64_t kCodeBytes = 32'768;
constexpr std::int64_t kVariableBytes = 1'024;
constexpr std::int64_t kMarkBytesAnOp = 96;

/// By its shape alone, so that counts that depend on values do not depend on what else is counted:
/// the key of Random::stream(1, {"profile", shape}).
std::uint64_t input_key(const Int8Network& network) {
  return fingerprint(
      fmt::format("{}\x1fprofile\x1f{}", hex(1), to_string(network.tensor(0).shape)));
}

/// As draw() in run_operators.c.
std::vector<std::int8_t> drawn_input(const Int8Network& network) {
  Random random{input_key(network)};
  std::vector<std::int8_t> values(static_cast<std::size_t>(network.tensor(0).shape.elements()));
  for (std::int8_t& value : values) value = static_cast<std::int8_t>(random() >> 56);
  return values;
}

std::string table_of(const OpProgram& program) {
  std::string text = fmt::format(
      "#include \"run_operators.h\"\n\n#include \"{}.h\"\n\n"
      "const char thimble_kernels[] = \"thimble {}\";\n\n"
      "const struct thimble_operator thimble_operators[] = {{\n",
      kFirst, kernels_version());
  for (std::size_t i = 0; i < program.ops.size(); ++i) {
    const auto& [op, network, bytes, kernels] = program.ops[i];
    text += fmt::format(
        "    {{\"{1}\",\n     UINT64_C({2:#x}), {0}_input, {0}_run, {0}_output, {3}, {4}, {5}}},\n",
        network.name, to_string(op), input_key(network), network.tensor(0).shape.elements(),
        network.tensor(network.output).shape.elements(), program.region(i));
  }
  return text +
         fmt::format("}};\nconst uint32_t thimble_operator_count = {};\n", program.ops.size());
}

}  // namespace

int OpProgram::regions() const { return ops.empty() ? 0 : region(ops.size() - 1) + 1; }

int OpProgram::region(std::size_t op) const {
  int layers = 0;
  for (std::size_t i = 0; i <= op; ++i) layers += static_cast<int>(ops[i].network.layers.size());
  return layers - 1;
}

ProgramLimits limits_of(const MemoryMap& memory, std::int64_t stack_bytes, std::size_t ops) {
  const std::int64_t constants = memory.flash.bytes - kCodeBytes;
  const std::int64_t variables = kVariableBytes + kMarkBytesAnOp * static_cast<std::int64_t>(ops);
  return {.constant_bytes = constants,
          .largest_op_bytes = constants,
          .arena_bytes = memory.ram.bytes - stack_bytes - variables,
          .ops = ops};
}

std::vector<OpProgram> op_programs(std::span<const OpShape> ops, const ProgramLimits& limits,
                                   std::vector<OpShape>& too_large) {
  std::vector<OpProgram> programs;
  std::int64_t constant_bytes = 0;
  for (const OpShape& op : ops) {
    const OpParts alone = op_parts(op);
    if (alone.constant_bytes > limits.largest_op_bytes) {  // before its weights are drawn
      too_large.push_back(op);
      continue;
    }
    Int8Network network = network_of(op, kFirst);
    const CSource whole = generate_c(network);
    if (whole.constant_bytes > limits.largest_op_bytes ||
        whole.plan.arena_bytes > limits.arena_bytes) {
      too_large.push_back(op);
      continue;
    }
    constant_bytes += whole.constant_bytes;
    if (programs.empty() || constant_bytes > limits.constant_bytes ||
        programs.back().ops.size() == limits.ops) {
      programs.emplace_back();
      constant_bytes = whole.constant_bytes;
    }
    auto& held = programs.back().ops;
    if (!held.empty()) network.name = fmt::format("op{}", held.size());
    held.push_back({op, std::move(network), alone.constant_bytes, alone.kernels});
  }
  return programs;
}

std::vector<SourceFile> sources_of(const OpProgram& program) {
  std::vector<Int8Network> networks;
  for (const ProgramOp& op : program.ops) networks.push_back(op.network);
  CSource source = generate_c(networks);
  return {{std::string{kFirst} + ".h", std::move(source.header)},
          {std::string{kFirst} + ".c", std::move(source.source)},
          {"table.c", table_of(program)}};
}

Firmware build(const OpProgram& program, int repeats, const Toolchain& toolchain,
               const std::vector<fs::path>& more_sources, FirmwareOptions options,
               const fs::path& folder) {
  std::vector<fs::path> sources;
  for (const auto& [name, text] : sources_of(program)) {
    write_file(folder / name, text);
    if (name.ends_with(".c")) sources.push_back(folder / name);
  }
  sources.push_back(toolchain.firmware_folder() / "run_operators.c");
  sources.insert(sources.end(), more_sources.begin(), more_sources.end());
  options.has_marks = true;
  options.regions = program.regions();
  options.include_folders.push_back(folder);
  options.definitions.push_back(fmt::format("THIMBLE_REPEATS={}", repeats));
  options.definitions.push_back(fmt::format("THIMBLE_FLAGS=\"{}\"", options.optimisation));
  return toolchain.compile(sources, folder / "program.elf", options);
}

std::int64_t code_bytes_of(const Elf& elf, const std::string& kernel) {
  const std::string_view source = kernel_source(kernel);
  static const std::regex kFunction{R"(\nKERNEL \w+ (\w+)\()"};
  std::set<std::string> names;  // some are there twice, with and without DSP instructions
  for (std::cregex_iterator found{source.begin(), source.end(), kFunction}, end; found != end;
       ++found)
    names.insert((*found)[1]);
  std::int64_t bytes = 0;
  for (const std::string& name : names)
    if (const ElfSymbol* const symbol = elf.find(name)) bytes += symbol->bytes;
  return bytes;
}

namespace {

constexpr std::string_view kRecord = "{\"profile\":";
constexpr std::string_view kFault = "{\"thimble\":\"fault\"";

[[noreturn]] void garbled(std::string_view line) {
  throw Error{"a line of the firmware's records is garbled: " + in_quotes(line),
              "is the serial line's speed right, and does nobody else read from it?"};
}

[[noreturn]] void garbled(const json& record) {
  garbled(std::string_view{record.dump(-1, ' ', false, json::error_handler_t::replace)});
}

/// A member of a record; the record is garbled when it is missing or of another type.
template <class T>
T member(const json& record, const char* name) {
  try {
    return record.at(name).get<T>();
  } catch (const json::exception&) {
    garbled(record);
  }
}

/// Rows of tables have it.
std::string text_member(const json& record, const char* name) {
  auto text = member<std::string>(record, name);
  if (trimmed(text).empty() || !is_cell_text(text)) garbled(record);
  return text;
}

std::uint64_t number_of(const json& record, const json& value) {
  if (!value.is_number_unsigned()) garbled(record);  // a cast would take -1 and 1.5
  return value.get<std::uint64_t>();
}

/// No clock counts further than 32 bits.
std::vector<std::uint64_t> ticks_of(const json& record) {
  std::vector<std::uint64_t> ticks;
  if (!record.at("ticks").is_array()) garbled(record);
  for (const json& value : record.at("ticks")) ticks.push_back(number_of(record, value));
  if (std::ranges::any_of(ticks, [](std::uint64_t count) { return count >> 32 != 0; }))
    garbled(record);
  return ticks;
}

OpRecords head_of(const json& record) {
  OpRecords made;
  made.kernels = text_member(record, "kernels");
  made.compiler = text_member(record, "compiler");
  made.flags = text_member(record, "flags");
  made.clock = text_member(record, "clock");
  made.part = number_of(record, member<json>(record, "part"));
  return made;
}

OpRecord op_record_of(const json& record) {
  OpRecord made;
  made.op = text_member(record, "op");
  made.checksum = number_of(record, member<json>(record, "checksum"));
  if (record.contains("ticks")) made.ticks = ticks_of(record);
  return made;
}

/// Calls `take` with each line, without blanks at its ends, and its place.
template <class Take>
void for_each_line(std::string_view output, const std::string& file, const Take& take) {
  Location where{file, 0, 1};
  for (const std::string& line : split(output, '\n')) {
    ++where.line;
    const std::string_view text = trimmed(line);
    where.column = 1 + static_cast<int>(text.data() - line.data());
    take(text, where);
  }
}

/// Takes records in. What a board printed before it was started, or before it was started again, is
/// left out.
class RecordReader {
 public:
  void take(std::string_view line, const Location& where) {
    const json record = json::parse(line, nullptr, false);
    if (!record.is_object()) garbled(line);
    const auto kind = member<std::string>(record, "profile");
    if (kind == "begin") {
      open_ = head_of(record);
      open_->where = where;
      expected_ = member<std::size_t>(record, "operators");
    } else if (!open_) {
      return;
    } else if (kind == "operator") {
      open_->ops.push_back(op_record_of(record));
      place(open_->ops.back(), line, where);
      if (open_->ops.back().ticks.size() != open_->ops.front().ticks.size()) garbled(line);
    } else if (kind == "end") {
      if (open_->ops.size() != expected_) stopped();
      complete_.push_back(*std::exchange(open_, std::nullopt));
    } else {
      garbled(line);
    }
  }

  std::vector<OpRecords> all(const std::string& file) const {
    if (open_) at_place(open_->where, [this] { stopped(); });
    if (complete_.empty()) at_place({file}, none);
    return complete_;
  }

 private:
  static void place(OpRecord& record, std::string_view line, Location where) {
    const std::size_t at = line.find(record.op);
    if (at != std::string_view::npos) where.column += static_cast<int>(at);
    record.where = std::move(where);
  }

  [[noreturn]] static void none() {
    throw Error{"the firmware printed no records",
                "lines that begin with " + std::string{kRecord} +
                    " must come on standard output, each on a line of its own"};
  }

  [[noreturn]] void stopped() const {
    throw Error{fmt::format("the firmware's records stop: {} of {} operators are there",
                            open_->ops.size(), expected_),
                "was its output cut off, or did it hang?"};
  }

  std::optional<OpRecords> open_;
  std::size_t expected_ = 0;
  std::vector<OpRecords> complete_;
};

}  // namespace

void throw_if_crashed(std::string_view output, const std::string& file) {
  for_each_line(output, file, [](std::string_view line, const Location& where) {
    if (line.starts_with(kFault))
      at_place(where, [&] {
        throw Error{"the firmware crashed: " + std::string{line},
                    "are the board's memory map, core and clock as the board file says?"};
      });
  });
}

std::vector<OpRecords> parse_op_records(std::string_view output, const std::string& file) {
  RecordReader reader;
  for_each_line(output, file, [&](std::string_view line, const Location& where) {
    if (line.starts_with(kRecord)) at_place(where, [&] { reader.take(line, where); });
  });
  return reader.all(file);
}

void require_right(const OpRecord& record, const Int8Network& network, std::string_view where) {
  const auto values = run_reference(network, drawn_input(network));
  const auto& output = values[static_cast<std::size_t>(network.output)];
  const std::string_view bytes{reinterpret_cast<const char*>(output.data()), output.size()};
  if (record.checksum == fingerprint(bytes)) return;
  throw Error{
      fmt::format("{} on {} does not compute what its reference does", in_quotes(record.op), where),
      "in the emulator this is an error of thimble: please report it; a board may have too "
      "few wait states, or run another thimble's program"};
}

}  // namespace thimble
