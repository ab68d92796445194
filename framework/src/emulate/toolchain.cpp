#include <thimble/emulate/toolchain.hpp>

#include <algorithm>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

constexpr const char* kGcc = "arm-none-eabi-gcc";
constexpr const char* kInstall =
    "install the Debian packages gcc-arm-none-eabi and "
    "libnewlib-arm-none-eabi";

constexpr std::int64_t kMebi = 1 << 20;

struct CoreFlags {
  std::vector<std::string> flags;
  MemoryMap memory;  ///< as in firmware/NAME.ld: CONSTANTS and DATA
};

const CoreFlags& flags_of(Core core) {
  static const std::vector<CoreFlags> kAll{
      {{"-mcpu=cortex-m3"}, {{0x00000000, 4 * kMebi}, {0x20000000, 4 * kMebi}}},
      {{"-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"},
       {{0x00000000, 4 * kMebi}, {0x20000000, 4 * kMebi}}},
      {{"-mcpu=cortex-m7", "-mfpu=fpv5-d16", "-mfloat-abi=hard"},
       {{0x00000000, 4 * kMebi}, {0x20000000, 4 * kMebi}}},
      {{"-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"},
       {{0x10000000, 4 * kMebi}, {0x38000000, 2 * kMebi}}},
      {{"-mcpu=cortex-m55", "-mfpu=auto", "-mfloat-abi=hard"},
       {{0x60000000, 16 * kMebi}, {0x61000000, 16 * kMebi}}},
  };
  return kAll[static_cast<std::size_t>(core)];
}

/// What a short call of the compiler prints.
std::string ask(const fs::path& gcc, const std::string& question) {
  const ProcessLimits limits{.time = std::chrono::seconds{10}};
  const ProcessResult result = run_process(gcc, {question}, folder_for_temporaries(), limits);
  if (!result.succeeded()) throw Error{failure_text(kGcc, result, limits), kInstall};
  return std::string{trimmed(result.output)};
}

/// "file.c:3:5: error: ..." of all that a compiler says.
std::string first_error(const std::string& said) {
  const auto lines = split(said, '\n');
  const auto found = std::ranges::find_if(lines, [](const std::string& line) {
    return line.find("rror: ") != std::string::npos ||  // the assembler's has a capital
           line.find("undefined reference") != std::string::npos ||
           line.find("overflowed") != std::string::npos;
  });
  return found != lines.end() ? *found : lines.front();
}

/// As m4.ld in the folder of firmware, for a board.
std::string linker_script(const MemoryMap& memory) {
  return fmt::format(
      "MEMORY\n{{\n"
      "  CODE (rx) : ORIGIN = {:#010x}, LENGTH = {}\n"
      "  DATA (rw) : ORIGIN = {:#010x}, LENGTH = {}\n"
      "}}\n"
      "REGION_ALIAS(\"CONSTANTS\", CODE)\n"
      "thimble_stack_guard = ORIGIN(DATA) - 16M ;\n"
      "INCLUDE sections.ld\n",
      memory.flash.origin, memory.flash.bytes, memory.ram.origin, memory.ram.bytes);
}

}  // namespace

const MemoryMap& emulated_memory(Core core) { return flags_of(core).memory; }

std::int64_t Firmware::rom_bytes() const {
  return elf.section_bytes(".text") + elf.section_bytes(".rodata") +
         elf.section_bytes(".ARM.exidx") + elf.section_bytes(".data");
}

std::int64_t Firmware::ram_bytes() const {
  return elf.section_bytes(".data") + elf.section_bytes(".bss");
}

fs::path installed_firmware() {
  fs::path folder = installed_prefix() / "share" / "thimble" / "firmware";
  if (!fs::exists(folder / "start.c"))
    throw Error{fmt::format("there is no start.c in '{}'", folder.string()),
                "install thimble again"};
  return folder;
}

/// The objects of start-up code, semihosting and numbers, for each set of the compiler's words that
/// was asked for.
class Toolchain::StartUp {
 public:
  /// Compiled when first asked for, in a folder that lives as long as this.
  const std::vector<std::string>& objects(const Toolchain& toolchain,
                                          const std::vector<std::string>& words) {
    const std::lock_guard lock{mutex_};
    if (const auto known = objects_.find(words); known != objects_.end()) return known->second;
    const fs::path folder = folder_.path() / std::to_string(objects_.size());
    fs::create_directories(folder);
    std::vector<std::string> compile = words;
    std::vector<std::string> made;
    compile.emplace_back("-c");
    for (const char* const name : {"start", "semihosting", "print_number"}) {
      compile.push_back((toolchain.firmware_ / name).string() + ".c");
      made.push_back((folder / name).string() + ".o");
    }
    const ProcessLimits limits{.time = kLimit};
    const ProcessResult result = run_process(toolchain.gcc_, compile, folder, limits);
    if (result.end != ProcessResult::End::exited || !result.succeeded())
      throw Error{fmt::format("{} cannot build thimble's start-up code: {}", kGcc,
                              failure_text(kGcc, result, limits))};
    return objects_.emplace(words, std::move(made)).first->second;
  }

 private:
  static constexpr std::chrono::seconds kLimit{120};

  TemporaryFolder folder_;
  std::mutex mutex_;
  std::map<std::vector<std::string>, std::vector<std::string>> objects_;
};

Toolchain Toolchain::find() {
  const auto gcc = find_program(kGcc);
  if (!gcc) throw Error{fmt::format("there is no {} here", kGcc), kInstall};
  Toolchain toolchain;
  toolchain.gcc_ = *gcc;
  toolchain.version_ = ask(*gcc, "-dumpfullversion");
  if (!fs::exists(ask(*gcc, "-print-file-name=libc.a")))  // it prints a bare name when unknown
    throw Error{fmt::format("{} has no C library", kGcc), kInstall};
  toolchain.firmware_ = installed_firmware();
  toolchain.start_up_ = std::make_shared<StartUp>();
  return toolchain;
}

Firmware Toolchain::compile(const std::vector<fs::path>& sources, const fs::path& file,
                            const FirmwareOptions& options) const {
  const std::string firmware = firmware_.string();
  const TemporaryFolder temporary;
  fs::path script = firmware_ / fmt::format("{}.ld", name_of(options.core));
  if (options.memory) {
    script = temporary.path() / "board.ld";
    write_file(script, linker_script(*options.memory));
  }
  std::vector<std::string> words = flags_of(options.core).flags;
  const auto add = [&](std::initializer_list<std::string> more) {
    words.insert(words.end(), more);
  };
  add({"-mthumb", "-std=c99", options.optimisation, "-ffunction-sections", "-fdata-sections"});
  if (options.has_marks) add({"-DTHIMBLE_PROFILE"});
  const std::vector<std::string>& start_up = start_up_->objects(*this, words);
  add({fmt::format("-DTHIMBLE_REGIONS={}", options.regions)});
  for (const std::string& definition : options.definitions) add({"-D" + definition});
  for (const fs::path& folder : options.include_folders) add({"-I", fs::absolute(folder).string()});
  add({"-I", firmware});
  for (const fs::path& source : sources) add({fs::absolute(source).string()});
  words.insert(words.end(), start_up.begin(), start_up.end());
  if (options.has_marks) add({firmware + "/profile.c"});
  add({"-nostartfiles", "-Wl,--gc-sections", "-L" + firmware, "-Wl,-T," + script.string(),
       fmt::format("-Wl,--defsym=THIMBLE_STACK_BYTES={}", options.stack_bytes), "-o",
       fs::absolute(file).string()});
  const ProcessLimits limits{.time = options.limit};
  const ProcessResult result = run_process(gcc_, words, folder_for_temporaries(), limits);
  if (result.end != ProcessResult::End::exited) throw Error{failure_text(kGcc, result, limits)};
  if (!result.succeeded())
    throw Error{fmt::format("{} cannot build '{}': {}", kGcc, file.filename().string(),
                            first_error(result.errors)),
                "mend the source, or take a core or options that it fits"};
  return {options.core, file, parse_elf(read_file(file))};
}

}  // namespace thimble
