#include <thimble/farm/slurm_engine.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/params.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble {
namespace {

using namespace std::chrono_literals;

/// Where nobody says otherwise, Slurm's own.
constexpr std::size_t kUsualLargest = 1001;
/// File systems that are shared by a network show files late.
constexpr auto kLate = 3s;

/// For a shell, whatever is in it.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char letter : text) out += letter == '\'' ? std::string{"'\\''"} : std::string{letter};
  return out + "'";
}

std::string command_text(const Array& array) {
  std::string text = "exec " + quoted(array.program.string());
  for (const std::string& argument : array.arguments) text += " " + quoted(argument);
  return text;
}

std::string lines_of(const std::vector<std::string>& lines) {
  return lines.empty() ? "" : join(lines, "\n") + "\n";
}

/// What the launcher chose for the processor that submits need not be good for the one that
/// computes.
constexpr const char* kForget =
    "[ -z \"$THIMBLE_CHOSE_KERNELS\" ] || unset THIMBLE_CHOSE_KERNELS OPENBLAS_CORETYPE\n";

std::string script_of(const SlurmSettings& settings, const Array& array, std::size_t count) {
  std::vector<std::string> tasks;
  for (std::size_t i = 0; i < count; ++i) tasks.push_back("'" + join(array.tasks[i], " ") + "'");
  return fmt::format(
      "#!/bin/bash\ntasks=(\n  {}\n)\n{}{}cd {} || exit\n{} ${{tasks[SLURM_ARRAY_TASK_ID]}}\n",
      join(tasks, "\n  "), kForget, lines_of(settings.setup), quoted(array.folder.string()),
      command_text(array));
}

/// % begins what Slurm replaces.
std::string pattern_of(const std::filesystem::path& folder, const std::string& name) {
  std::string text;
  for (const char letter : folder.string()) text += letter == '%' ? "%%" : std::string{letter};
  return text + "/" + name;
}

ProcessResult run_tool(const std::string& name, const std::vector<std::string>& arguments) {
  const auto program = find_program(name);
  if (!program)
    throw InputError{fmt::format("engine slurm needs '{}', which is not on this machine", name),
                     "run on a login node of the cluster, or with --engine local"};
  return run_process(*program, arguments, "/");
}

/// What sbatch says where it finds no controller: the cluster is missing, and no option is wrong.
std::string step_behind(const std::string& refusal) {
  for (const char* const words : {"resolve", "contact slurm controller", "configuration source"})
    if (refusal.find(words) != std::string::npos)
      return "Slurm's programs are here, but no cluster answers: `sinfo` must work on this machine";
  return "the engine file has partition, account and limits; `sinfo` shows what there is";
}

std::vector<std::string> array_options(const SlurmSettings& settings, std::size_t count) {
  std::string range = fmt::format("--array=0-{}", count - 1);
  if (settings.parts_at_a_time > 0) range += fmt::format("%{}", settings.parts_at_a_time);
  return {range};
}

}  // namespace

SlurmSettings read_slurm_settings(const std::filesystem::path& file) {
  SlurmSettings settings;
  Diagnostics problems;
  const Value value = read_yaml(file);
  if (value.is_map()) {
    read_fields(value, schema_of(settings), "the engine file", problems);
  } else if (!value.is_null()) {
    problems.error(value.where(), "an engine file must be a map, found " + value.found(),
                   "write keys and values, as in partition: short (docs/farm.md)");
  }
  problems.throw_if_any();
  return settings;
}

std::optional<std::int64_t> slurm_seconds(const std::string& text) {
  const auto dash = text.find('-');
  const bool has_days = dash != std::string::npos;
  std::vector<std::int64_t> numbers;
  for (const std::string& word : split(has_days ? text.substr(dash + 1) : text, ':')) {
    constexpr std::size_t kMostDigits = 9;
    const bool is_number = word.find_first_not_of("0123456789") == std::string::npos;
    if (word.empty() || word.size() > kMostDigits || !is_number) return {};
    numbers.push_back(std::stoll(word));
  }
  if (numbers.size() > 3) return {};
  if (has_days) {
    const auto days = parse_integer(text.substr(0, dash));
    if (!days) return {};
    numbers.resize(3);
    return *days * 86'400 + numbers[0] * 3600 + numbers[1] * 60 + numbers[2];
  }
  if (numbers.size() == 1) return numbers[0] * 60;
  if (numbers.size() == 2) return numbers[0] * 60 + numbers[1];
  return numbers[0] * 3600 + numbers[1] * 60 + numbers[2];
}

std::optional<std::int64_t> slurm_cpus(const std::string& text) {
  constexpr std::int64_t kMost = 1'000'000;
  std::int64_t all = 0;
  for (const std::string& part : split(text, ',')) {
    const auto bracket = part.find("(x");
    const auto cpus = parse_integer(part.substr(0, bracket));
    std::optional<std::int64_t> nodes = 1;
    if (bracket != std::string::npos)
      nodes = part.ends_with(')')
                  ? parse_integer(part.substr(bracket + 2, part.size() - bracket - 3))
                  : std::nullopt;
    if (!cpus || !nodes || *cpus < 1 || *nodes < 1 || *cpus > kMost || *nodes > kMost) return {};
    all += *cpus * *nodes;
  }
  return all;
}

SlurmEngine::SlurmEngine(SlurmSettings settings) : settings_{std::move(settings)} {
  for (const char* const tool : {"sbatch", "squeue"})
    if (!find_program(tool))
      throw InputError{fmt::format("engine slurm needs '{}', which is not on this machine", tool),
                       "run on a login node of the cluster, or with --engine local"};
}

std::vector<std::string> SlurmEngine::options_for(const Array& array) const {
  std::vector<std::string> options{
      "--parsable",
      "--job-name=thimble",
      "--export=ALL",
      "--requeue",
      "--open-mode=append",
      "--signal=B:TERM@60",  // what is known is kept, and an epoch can still be complete
      fmt::format("--cpus-per-task={}", settings_.cpus),
      "--chdir=" + array.folder.string()};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) options.push_back(fmt::format("--{}={}", name, value));
  };
  add("partition", settings_.partition);
  add("account", settings_.account);
  add("time", settings_.time);
  add("gres", settings_.gres);
  add("constraint", settings_.constraint);
  add("mem", settings_.memory);
  options.insert(options.end(), settings_.options.begin(), settings_.options.end());
  return options;
}

std::string SlurmEngine::sbatch(std::vector<std::string> options, const std::string& script,
                                const Array& array) const {
  const TemporaryFolder folder;  // Slurm takes a copy
  write_file(folder.path() / "thimble.sh", script);
  const auto own = options_for(array);
  options.insert(options.begin(), own.begin(), own.end());
  options.push_back((folder.path() / "thimble.sh").string());
  const ProcessResult result = run_tool("sbatch", options);
  if (!result.succeeded())
    throw InputError{fmt::format("sbatch refuses: {}",
                                 join(split(std::string{trimmed(result.errors)}, '\n'), "; ")),
                     step_behind(result.errors)};
  return result.output.empty() ? result.errors : result.output;
}

std::size_t SlurmEngine::largest_array() {
  if (largest_) return *largest_;
  largest_ = kUsualLargest;
  const ProcessResult result = run_tool("scontrol", {"show", "config"});
  for (const std::string& line : split(result.output, '\n'))
    if (line.starts_with("MaxArraySize"))
      if (const auto size = parse_integer(trimmed(line.substr(line.find('=') + 1))))
        largest_ = static_cast<std::size_t>(std::max<std::int64_t>(1, *size));
  return *largest_;
}

Submission SlurmEngine::submit(const Array& array) {
  const std::size_t count = std::min(array.tasks.size(), largest_array());
  auto options = array_options(settings_, count);
  options.push_back("--output=" + pattern_of(array.logs, "%A_%a.log"));
  const std::string said = sbatch(options, script_of(settings_, array, count), array);
  return {std::string{trimmed(said.substr(0, said.find_first_of(";\n")))}, count};
}

bool SlurmEngine::is_alive(const std::string& id) {
  const ProcessResult result = run_tool("squeue", {"--noheader", "--jobs=" + id, "--format=%T"});
  const bool is_unknown = result.errors.find("Invalid job id") != std::string::npos;
  if (!result.succeeded() && !is_unknown) return true;
  if (!is_unknown && !trimmed(result.output).empty()) return true;
  const auto now = std::chrono::steady_clock::now();
  return now < ended_.try_emplace(id, now).first->second + kLate;
}

std::string SlurmEngine::submit_behind(const std::vector<std::string>& ids, const Array& program) {
  const std::string script =
      fmt::format("#!/bin/bash\n{}{}cd {} || exit\n{}\n", kForget, lines_of(settings_.setup),
                  quoted(program.folder.string()), command_text(program));
  const std::string said = sbatch(
      {"--dependency=afterany:" + join(ids, ":"), "--output=" + pattern_of(program.logs, "%j.log")},
      script, program);
  return std::string{trimmed(said.substr(0, said.find_first_of(";\n")))};
}

std::string SlurmEngine::preview(const Array& array) {
  const std::size_t most = largest_array(), all = array.tasks.size();
  const std::size_t count = std::min(all, most);
  auto options = array_options(settings_, count);
  options.emplace_back("--output=/dev/null");
  options.emplace_back("--test-only");
  const std::string script = script_of(settings_, array, count);
  std::string text = "sbatch " + join(array_options(settings_, count)) + " " +
                     join(options_for(array), " ") + "\n" + script;
  text += fmt::format("{} in {}", count_text(static_cast<std::int64_t>(all), "task"),
                      count_text(static_cast<std::int64_t>((all + most - 1) / most), "array"));
  if (const auto seconds = slurm_seconds(settings_.time))
    text += fmt::format(
        ": at most {} CPU hours",
        decimals(static_cast<double>(*seconds) * settings_.cpus * static_cast<double>(all) / 3600,
                 1));
  return text + "\n" + std::string{trimmed(sbatch(options, script, array))} + "\n";
}

}  // namespace thimble
