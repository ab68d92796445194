#include <thimble/emulate/emulator.hpp>

#include <algorithm>
#include <cmath>
#include <regex>
#include <utility>

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
constexpr int kIcountShift = 6;  // an instruction takes 2^6 ns, more than a tick of SysTick
constexpr std::uint64_t kEmptyRegion = 2;  // instructions: the number of the mark, and the call

struct Machine {
  const char* name;
  double clock_hz;  // of SysTick
};

const Machine& machine_of(Core core) {
  static const std::map<Core, Machine> kAll{{Core::m3, {"mps2-an385", 25e6}},
                                            {Core::m4, {"mps2-an386", 25e6}},
                                            {Core::m7, {"mps2-an500", 25e6}},
                                            {Core::m33, {"mps2-an505", 20e6}},
                                            {Core::m55, {"mps3-an547", 32e6}}};
  return kAll.at(core);
}

std::string version_of(const fs::path& qemu) {
  const ProcessLimits limits{.time = std::chrono::seconds{10}};
  const ProcessResult result = run_process(qemu, {"--version"}, folder_for_temporaries(), limits);
  static const std::regex kPattern{R"(version ([0-9.]+))"};
  std::smatch match;
  if (!result.succeeded() || !std::regex_search(result.output, match, kPattern))
    throw Error{fmt::format("{} does not tell its version", kQemu),
                "install the Debian package qemu-system-arm again"};
  return match[1];
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
  auto words = split(fmt::format("-machine {} -display none -monitor none -serial none "
                                 "-chardev stdio,id=text,signal=off "
                                 "-semihosting-config enable=on,target=native,chardev=text -kernel",
                                 machine_of(firmware.core).name),
                     ' ');
  words.push_back(fs::absolute(firmware.file).string());
  return words;
}

/// Where QEMU cannot load the plugin, it says so before it looks at the (missing) firmware.
bool takes_plugin(const fs::path& qemu, const fs::path& plugin) {
  if (!fs::exists(plugin)) return false;
  auto words = words_for({Core::m3, "/no/firmware", {}});
  words.insert(words.end(),
               {"-plugin", option_text(plugin) + ",skip_size=1,slots_size=1,out=/dev/null"});
  const ProcessResult result =
      run_process(qemu, words, folder_for_temporaries(), {.time = std::chrono::seconds{10}});
  return result.end == ProcessResult::End::exited &&
         result.errors.find("plugin") == std::string::npos;
}

/// Numbers of the processor: see the architecture's manual.
struct Fault {
  std::uint64_t exception = 0, cfsr = 0, pc = 0;
};

struct RegionTicks {
  std::uint64_t region = 0, entries = 0, ticks = 0;
};

/// What the firmware itself said behind its text.
struct Report {
  std::string text;
  std::optional<std::uint64_t> stack_bytes;
  std::optional<Fault> fault;
  std::vector<RegionTicks> regions;
};

[[noreturn]] void unreadable(const std::string& line) {
  throw Error{
      fmt::format("the firmware's report has a line that cannot be read: {}", in_quotes(line)),
      "does the firmware write over its own memory, or print from main() what looks like "
      "a report?"};
}

json object_of(const std::string& line) {
  json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) unreadable(line);
  return parsed;
}

std::uint64_t number(const json& line, const char* name) {
  const auto found = line.find(name);
  if (found == line.end() || !found->is_number_unsigned()) unreadable(line.dump());
  return found->get<std::uint64_t>();
}

void take(const std::string& text, Report& report) {
  const json line = object_of(text);
  const json kind = line.value("thimble", json{});
  if (kind == "stack")
    report.stack_bytes = number(line, "bytes");
  else if (kind == "fault")
    report.fault = {number(line, "exception"), number(line, "cfsr"), number(line, "pc")};
  else if (kind == "region")
    report.regions.push_back(
        {number(line, "region"), number(line, "entries"), number(line, "ticks")});
  else
    unreadable(text);
}

Report parse_report(const std::string& output) {
  Report report;
  const auto begin = output.find("\n" + std::string{kReport});
  report.text = output.substr(0, begin);
  if (begin == std::string::npos) return report;
  for (const std::string& line : split(output.substr(begin + 1), '\n'))
    if (!line.empty()) take(line, report);
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

[[noreturn]] void throw_fault(const Firmware& firmware, const Fault& fault) {
  constexpr std::uint64_t kStackErrors = 1U << 20 | 1U << 12 | 1U << 4;  // STKOF, STKERR, MSTKERR
  if ((fault.cfsr & kStackErrors) != 0)
    throw Error{fmt::format("the firmware crashed: its stack of {} bytes overflowed",
                            symbol(firmware.elf, "THIMBLE_STACK_BYTES").address),
                "give it more stack, or look for a recursion without end"};
  throw Error{fmt::format("the firmware crashed at {:#010x}, {} (exception {}, CFSR {:#010x})",
                          fault.pc, place_of(firmware.elf, fault.pc), fault.exception, fault.cfsr),
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
    const json parsed = object_of(line);
    RegionCount& region = regions.emplace_back();
    region.region = static_cast<int>(number(parsed, "region"));
    region.entries = number(parsed, "entries");
    region.instructions = number(parsed, "instructions");
    for (const auto& [name, count] : parsed.at("classes").items()) region.classes[name] = count;
  }
  return without_empty(std::move(regions));
}

/// An empty region tells what marks cost; the last one is empty.
std::vector<RegionCount> counts_of_ticks(const std::vector<RegionTicks>& regions, Core core) {
  const double instruction_ns = 1 << kIcountShift;
  const double ticks_per_instruction = machine_of(core).clock_hz * instruction_ns / 1e9;
  std::vector<RegionCount> counts;
  for (const auto& [region, entries, ticks] : regions) {
    const auto marks = static_cast<double>(entries * regions.back().ticks);
    const double instructions = (static_cast<double>(ticks) - marks) / ticks_per_instruction;
    counts.push_back({static_cast<int>(region),
                      entries,
                      kEmptyRegion * entries +
                          static_cast<std::uint64_t>(std::llround(std::max(0.0, instructions))),
                      {}});
  }
  return without_empty(std::move(counts));
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
  if (has_marks && count_by == CountBy::plugin) {
    words.insert(words.end(), {"-plugin", plugin_option(plugin_, firmware.elf, counts)});
    write_file(files / "thimble-counted", "");  // firmware/profile.c looks for it
  }
  if (has_marks && count_by == CountBy::systick)
    words.insert(words.end(), {"-icount", fmt::format("shift={}", kIcountShift)});
  const ProcessLimits limits{.time = options.limit};
  const ProcessResult result = run_process(qemu_, words, files, limits);
  check_end(result, limits);
  const Report report = parse_report(result.output);
  check_report(report, result, firmware);

  EmulatorRun run;
  run.status = result.code;
  run.text = report.text;
  run.stack_bytes = static_cast<std::int64_t>(*report.stack_bytes);
  if (has_marks)
    run.regions = count_by == CountBy::plugin ? counts_of_plugin(counts)
                                              : counts_of_ticks(report.regions, firmware.core);
  for (const std::string& name : options.wanted_files)
    if (fs::exists(files / name)) run.files[name] = read_file(files / name);
  return run;
}

}  // namespace thimble
