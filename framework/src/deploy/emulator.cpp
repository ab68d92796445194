#include <thimble/deploy/emulator.hpp>

#include <algorithm>
#include <cmath>
#include <regex>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char* kQemu = "qemu-system-arm";
constexpr const char* kReport = "{\"thimble\":";
constexpr int kIcountShift = 6;  // an instruction takes 2^6 ns, longer than a tick of SysTick
constexpr std::uint64_t kEmptyRegion = 2;  // instructions: the number of the mark, and the call

struct Machine {
  const char* name;
  double clock_hz;  // of SysTick
};

const Machine& machine_of(Core core) {
  static const std::map<Core, Machine> all{{Core::m3, {"mps2-an385", 25e6}},
                                           {Core::m4, {"mps2-an386", 25e6}},
                                           {Core::m7, {"mps2-an500", 25e6}},
                                           {Core::m33, {"mps2-an505", 20e6}},
                                           {Core::m55, {"mps3-an547", 32e6}}};
  return all.at(core);
}

std::string version_of(const fs::path& qemu) {
  const ProcessLimits limits{.time = std::chrono::seconds{10}};
  const ProcessResult result = run_process(qemu, {"--version"}, fs::temp_directory_path(), limits);
  static const std::regex pattern{R"(version ([0-9.]+))"};
  std::smatch match;
  if (!result.succeeded() || !std::regex_search(result.output, match, pattern))
    throw Error{fmt::format("{} does not tell its version", kQemu),
                "install the Debian package qemu-system-arm again"};
  return match[1];
}

/// Where QEMU cannot load the plugin, it says so before it looks at the (missing) firmware.
bool takes_plugin(const fs::path& qemu, const fs::path& plugin) {
  if (!fs::exists(plugin)) return false;
  const std::string arguments = ",skip_size=1,slots_size=1,out=/dev/null";
  const ProcessResult result =
      run_process(qemu,
                  {"-machine", machine_of(Core::m3).name, "-display", "none", "-plugin",
                   plugin.string() + arguments, "-kernel", "/dev/null/none"},
                  fs::temp_directory_path(), {.time = std::chrono::seconds{10}});
  return result.end == ProcessResult::End::exited &&
         result.errors.find("plugin") == std::string::npos;
}

const ElfSymbol& symbol(const Elf& elf, const char* name) {
  const ElfSymbol* const found = elf.find(name);
  if (found == nullptr)
    throw Error{fmt::format("the firmware has no symbol '{}'", name),
                "build it with thimble's own start-up code"};
  return *found;
}

/// A path in an option of QEMU, where a comma begins the next one.
std::string option_text(const fs::path& path) {
  std::string text;
  for (const char letter : path.string()) text += letter == ',' ? ",," : std::string(1, letter);
  return text;
}

std::string plugin_option(const fs::path& plugin, const Elf& elf, const fs::path& counts) {
  const ElfSymbol& begin = symbol(elf, "thimble_uncounted_begin");
  const ElfSymbol& end = symbol(elf, "thimble_uncounted_end");
  const ElfSymbol& slots = symbol(elf, "thimble_slots");
  return fmt::format("{},skip={},skip_size={},slots={},slots_size={},out={}", option_text(plugin),
                     begin.address, end.address - begin.address, slots.address, slots.bytes,
                     option_text(counts));
}

std::vector<std::string> words_for(const Firmware& firmware) {
  return {"-machine",
          machine_of(firmware.core).name,
          "-display",
          "none",
          "-monitor",
          "none",
          "-serial",
          "none",
          "-nic",
          "none",
          "-chardev",
          "stdio,id=text,signal=off",
          "-semihosting-config",
          "enable=on,target=native,chardev=text",
          "-kernel",
          fs::absolute(firmware.file).string()};
}

/// What the firmware itself said behind its text.
struct Report {
  std::string text;
  std::optional<std::int64_t> stack_bytes;
  std::optional<json> fault;
  std::vector<json> regions;
};

[[noreturn]] void unreadable(const std::string& line) {
  throw Error{
      fmt::format("the firmware's report has a line that cannot be read: {}", in_quotes(line)),
      "does the firmware write over its own memory, or print from main() what looks like "
      "a report?"};
}

json parse_line(const std::string& line) {
  json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) unreadable(line);
  return parsed;
}

template <class T>
T field(const json& line, const char* name) {
  const auto found = line.find(name);
  if constexpr (std::is_same_v<T, std::uint64_t>) {
    if (found != line.end() && found->is_number_unsigned()) return found->get<T>();
  } else {
    if (found != line.end() && found->is_string()) return found->get<T>();
  }
  unreadable(line.dump(-1, ' ', true, json::error_handler_t::replace));
}

Report parse_report(const std::string& output) {
  Report report;
  const auto begin = output.find("\n" + std::string{kReport});
  report.text = output.substr(0, begin);
  if (begin == std::string::npos) return report;
  for (const std::string& line : split(output.substr(begin + 1), '\n')) {
    if (line.empty()) continue;
    const json parsed = parse_line(line);
    const auto kind = field<std::string>(parsed, "thimble");
    if (kind == "stack")
      report.stack_bytes = static_cast<std::int64_t>(field<std::uint64_t>(parsed, "bytes"));
    else if (kind == "fault")
      report.fault = parsed;
    else if (kind == "region")
      report.regions.push_back(parsed);
    else
      unreadable(line);
  }
  return report;
}

/// The function that an address lies in, for people.
std::string place_of(const Elf& elf, std::uint64_t address) {
  const auto found = std::ranges::find_if(elf.symbols, [&](const ElfSymbol& symbol) {
    const std::uint64_t begin = symbol.address & ~1U;  // Thumb functions have odd addresses
    return symbol.section == ".text" && address >= begin &&
           address < begin + static_cast<std::uint64_t>(symbol.bytes);
  });
  return found == elf.symbols.end() ? "outside of all functions" : "in " + in_quotes(found->name);
}

[[noreturn]] void throw_fault(const Firmware& firmware, const json& fault) {
  const auto address = field<std::uint64_t>(fault, "pc");
  if (address == 0)
    throw Error{fmt::format("the firmware crashed: its stack of {} bytes overflowed",
                            symbol(firmware.elf, "THIMBLE_STACK_BYTES").address),
                "give it more stack, or look for a recursion without end"};
  throw Error{
      fmt::format("the firmware crashed at {:#010x}, {} (exception {}, CFSR {:#010x})", address,
                  place_of(firmware.elf, address), field<std::uint64_t>(fault, "exception"),
                  field<std::uint64_t>(fault, "cfsr")),
      "look for a wrong address or an instruction that the core does not have"};
}

/// Throws unless the firmware came to an end of its own.
void check_end(const ProcessResult& result, const ProcessLimits& limits) {
  using End = ProcessResult::End;
  if (result.end == End::out_of_time || result.end == End::too_much_output)
    throw Error{failure_text("the firmware", result, limits),
                "look for a loop without end, or allow more"};
  if (result.end == End::killed)
    throw Error{fmt::format("{} was killed by signal {} while it ran the firmware: {}", kQemu,
                            result.code, in_quotes(split(result.errors, '\n').front())),
                "the firmware crashed so badly that it could not report it"};
}

/// Throws unless main() returned.
void check_report(const Report& report, const ProcessResult& result, const Firmware& firmware) {
  if (report.fault) throw_fault(firmware, *report.fault);
  if (report.stack_bytes) return;
  if (!result.errors.empty())
    throw Error{fmt::format("{} did not run the firmware: {}", kQemu, trimmed(result.errors)),
                "was it built for this core?"};
  throw Error{fmt::format("the firmware ended with status {} without a report", result.code),
              "let main() return instead of calling thimble_exit()"};
}

/// The last region is the firmware's own: an empty one, which tells what marks cost.
std::vector<RegionCount> without_empty(std::vector<RegionCount> regions) {
  if (!regions.empty()) regions.pop_back();
  return regions;
}

std::vector<RegionCount> counts_of_plugin(const fs::path& file) {
  std::vector<RegionCount> regions;
  for (const std::string& line : split(read_file(file), '\n')) {
    if (line.empty()) continue;
    const json parsed = parse_line(line);
    RegionCount& region = regions.emplace_back();
    region.region = static_cast<int>(field<std::uint64_t>(parsed, "region"));
    region.entries = field<std::uint64_t>(parsed, "entries");
    region.instructions = field<std::uint64_t>(parsed, "instructions");
    for (const auto& [name, count] : parsed.at("classes").items()) region.classes[name] = count;
  }
  return without_empty(std::move(regions));
}

/// Ticks to instructions; `empty` are the ticks of an empty region.
RegionCount count_of_ticks(const json& line, std::uint64_t empty, double ticks_per_instruction) {
  RegionCount region;
  region.region = static_cast<int>(field<std::uint64_t>(line, "region"));
  region.entries = field<std::uint64_t>(line, "entries");
  const auto ticks = static_cast<double>(field<std::uint64_t>(line, "ticks"));
  const double net = ticks - static_cast<double>(empty * region.entries);
  region.instructions =
      kEmptyRegion * region.entries +
      static_cast<std::uint64_t>(std::llround(std::max(0.0, net / ticks_per_instruction)));
  return region;
}

std::vector<RegionCount> counts_of_ticks(const std::vector<json>& lines, Core core) {
  const double instruction_ns = 1 << kIcountShift;
  const double ticks_per_instruction = machine_of(core).clock_hz * instruction_ns / 1e9;
  std::vector<RegionCount> regions;
  if (lines.empty()) return regions;
  const auto empty = field<std::uint64_t>(lines.back(), "ticks");
  for (const json& line : lines)
    regions.push_back(count_of_ticks(line, empty, ticks_per_instruction));
  return without_empty(std::move(regions));
}

}  // namespace

Emulator Emulator::find() {
  const auto qemu = find_program(kQemu);
  if (!qemu)
    throw Error{fmt::format("there is no {} here", kQemu),
                "install the Debian package qemu-system-arm"};
  Emulator emulator;
  emulator.qemu_ = *qemu;
  emulator.version_ = version_of(*qemu);
  const fs::path plugin = installed_prefix() / "lib" / "thimble" / "qemu" / "count.so";
  if (takes_plugin(*qemu, plugin)) emulator.plugin_ = plugin;
  return emulator;
}

EmulatorRun Emulator::run(const Firmware& firmware, const EmulatorOptions& options) const {
  const CountBy count_by =
      options.count_by.value_or(has_plugin() ? CountBy::plugin : CountBy::systick);
  if (count_by == CountBy::plugin && !has_plugin())
    throw Error{fmt::format("{} {} does not load thimble's plugin", kQemu, version_),
                "count by SysTick"};
  const bool has_marks = firmware.elf.find("thimble_slots") != nullptr;
  const TemporaryFolder temporary;
  const fs::path files = temporary.path() / "files", counts = temporary.path() / "counts";
  fs::create_directory(files);
  for (const auto& [name, content] : options.files) write_file(files / name, content);

  std::vector<std::string> words = words_for(firmware);
  if (has_marks && count_by == CountBy::plugin)
    words.insert(words.end(), {"-plugin", plugin_option(plugin_, firmware.elf, counts)});
  if (has_marks && count_by == CountBy::systick)
    words.insert(words.end(), {"-icount", fmt::format("shift={}", kIcountShift)});
  const ProcessLimits limits{.time = options.limit};
  const ProcessResult result = run_process(qemu_, words, files, limits);
  check_end(result, limits);
  const Report report = parse_report(result.output);
  check_report(report, result, firmware);

  EmulatorRun run{result.code, report.text, *report.stack_bytes, {}, {}};
  if (has_marks)
    run.regions = count_by == CountBy::plugin ? counts_of_plugin(counts)
                                              : counts_of_ticks(report.regions, firmware.core);
  for (const std::string& name : options.wanted_files)
    if (fs::exists(files / name)) run.files[name] = read_file(files / name);
  return run;
}

}  // namespace thimble
