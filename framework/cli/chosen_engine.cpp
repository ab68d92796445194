#include "chosen_engine.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>
#include <thimble/farm/local_engine.hpp>
#include <thimble/farm/slurm_engine.hpp>

namespace thimble::cli {
namespace {

SlurmSettings slurm_settings(const EngineArguments& arguments, const World& world) {
  if (!arguments.engine_file.empty()) return read_slurm_settings(arguments.engine_file);
  const auto usual = world.config_folder / "engine.yaml";
  return std::filesystem::exists(usual) ? read_slurm_settings(usual) : SlurmSettings{};
}

Array worker_with(int jobs, const EngineArguments& arguments, const World& world) {
  Array worker;
  worker.program = world.prefix / "bin" / "thimble";
  worker.arguments = {"--data",       world.data_folder.string(), "--jobs",   std::to_string(jobs),
                      "--arithmetic", arguments.arithmetic,       "--device", arguments.device};
  worker.folder = std::filesystem::current_path();
  return worker;
}

/// The same run once more, as the job that finds everything done.
Array again(const RunArguments& arguments, const World& world) {
  Array program;
  program.program = world.prefix / "bin" / "thimble";
  program.folder = std::filesystem::current_path();
  program.arguments = {"run",
                       arguments.experiment,
                       "--engine",
                       "slurm",
                       "--resume",
                       "--output",
                       arguments.output,
                       "--data",
                       world.data_folder.string(),
                       "--arithmetic",
                       arguments.arithmetic,
                       "--device",
                       arguments.device};
  if (!arguments.engine_file.empty())
    program.arguments.insert(program.arguments.end(), {"--engine-file", arguments.engine_file});
  program.arguments.insert(program.arguments.end(), arguments.overrides.begin(),
                           arguments.overrides.end());
  return program;
}

ChosenEngine slurm(const RunArguments& arguments, const World& world) {
  const SlurmSettings settings = slurm_settings(arguments, world);
  const int jobs = arguments.jobs > 0 ? arguments.jobs : settings.cpus;
  auto engine = std::make_unique<SlurmEngine>(settings);
  ChosenEngine chosen{nullptr, worker_with(jobs, arguments, world), {}};
  chosen.worker.at_once = static_cast<std::size_t>(settings.parts_at_a_time);
  if (arguments.is_detached)
    chosen.detach = [&engine = *engine, arguments, world](const std::filesystem::path& run,
                                                          const std::vector<std::string>& ids) {
      Array program = again(arguments, world);
      program.logs = run / "farm" / "logs";
      const std::string job = engine.submit_behind(ids, program);
      throw Detached{fmt::format(
          "{}\narrays {} compute it, and job {} finishes it; how far they are:\n"
          "  thimble farm status '{}'\nthe same command with --resume waits for them, too",
          run.string(), join(ids), job, run.string())};
    };
  chosen.engine = std::move(engine);
  return chosen;
}

ChosenEngine of_processes(int workers, const Array& worker,
                          const std::vector<std::string>& launcher) {
  ChosenEngine chosen{std::make_unique<LocalEngine>(workers, launcher), worker, {}};
  chosen.worker.at_once = static_cast<std::size_t>(workers);
  return chosen;
}

/// In an allocation of Slurm: its steps go to whichever of its nodes has room.
ChosenEngine steps(const RunArguments& arguments, const World& world) {
  const char* const allocated = std::getenv("SLURM_JOB_CPUS_PER_NODE");
  const auto srun = find_program("srun");
  if (allocated == nullptr || !srun)
    throw InputError{"engine srun needs an allocation of Slurm, and here is none",
                     "salloc gives one; --engine slurm submits jobs from a login node"};
  const SlurmSettings settings = slurm_settings(arguments, world);
  const std::int64_t cpus = slurm_cpus(allocated).value_or(settings.cpus);
  const auto workers = settings.parts_at_a_time > 0
                           ? static_cast<int>(settings.parts_at_a_time)
                           : static_cast<int>(std::max<std::int64_t>(1, cpus / settings.cpus));
  const int jobs = arguments.jobs > 0 ? arguments.jobs : static_cast<int>(settings.cpus);
  const std::vector<std::string> launcher{
      srun->string(), "--exact",
      "--nodes=1",    "--ntasks=1",
      "--input=none", fmt::format("--cpus-per-task={}", settings.cpus),
      "--quiet",      "--kill-on-bad-exit=0"};
  return of_processes(workers, worker_with(jobs, arguments, world), launcher);
}

void refuse_options_of_others(const EngineArguments& arguments) {
  const auto refuse = [&](bool is_given, const char* option, const char* engine) {
    if (is_given && arguments.engine != engine)
      throw InputError{fmt::format("{} is for engine {}", option, engine),
                       fmt::format("add --engine {}, or leave it out", engine)};
  };
  refuse(arguments.workers > 0, "--workers", "local");
  if (arguments.engine != "srun") refuse(!arguments.engine_file.empty(), "--engine-file", "slurm");
  refuse(arguments.is_detached, "--detach", "slurm");
  if (arguments.batch_minutes && arguments.engine.empty())
    throw InputError{"--batches needs an engine", "add --engine local or --engine slurm"};
  if (arguments.batch_minutes && arguments.is_detached)
    throw InputError{"--batches goes with a search that is waited for",
                     "leave out --detach, and submit the command itself as a job"};
}

/// Networks that a point trains, as far as that is known before the search.
std::optional<std::int64_t> most_networks(const Study& study) {
  const Value& networks = study.train->networks;
  if (networks.is_sequence()) return std::ssize(networks.items());
  if (networks.text() == "best") return 1;
  if (networks.text() == "selected") return study.select ? study.select->k : 0;
  return {};
}

/// What follows the search; nothing where nothing is trained.
std::string trainings_line(const LoadedExperiment& experiment) {
  std::int64_t most = 0;
  for (const Study& study : experiment.studies) {
    if (!study.train) continue;
    const auto networks = most_networks(study);
    if (!networks)
      return fmt::format(
          "behind the search: a part for each training; their number is that of {} "
          "networks, data and seeds\n",
          study.train->networks.text());
    most += *networks * std::ssize(study.trained_on) * std::ssize(study.train->seeds);
  }
  return most == 0 ? ""
                   : fmt::format("behind the search: at most {}, a part each\n",
                                 count_text(most, "training"));
}

}  // namespace

Device trainings_device(const EngineArguments& arguments) {
  if (!arguments.engine.empty() && arguments.device == "auto")
    throw InputError{"--device auto is one thing here and may be another where an engine computes",
                     "name the device: --device cuda, or --device cpu"};
  Device device = device_named(arguments.device);
  if (arguments.engine.empty() || arguments.engine == "local") require_here(device);
  return device;
}

ChosenEngine chosen_engine(const RunArguments& arguments, const World& world) {
  refuse_options_of_others(arguments);
  if (arguments.engine.empty()) return {};
  if (arguments.engine == "slurm") return slurm(arguments, world);
  if (arguments.engine == "srun") return steps(arguments, world);
  if (arguments.engine != "local")
    throw InputError{
        fmt::format("no engine {}{}", in_quotes(arguments.engine),
                    did_you_mean(arguments.engine, {"local", "slurm", "srun"})),
        "there are local, processes of this machine, slurm, jobs of a cluster, and srun, "
        "steps of an allocation"};
  const int workers = jobs_or_all(arguments.workers);
  // All cores are shared out to the workers, unless somebody says how many jobs each has.
  const int jobs = arguments.jobs > 0 ? arguments.jobs : std::max(1, jobs_or_all(0) / workers);
  return of_processes(workers, worker_with(jobs, arguments, world), {});
}

std::string engine_preview(const EngineArguments& arguments, const LoadedExperiment& experiment,
                           const World& world) {
  RunArguments run;
  static_cast<EngineArguments&>(run) = arguments;
  const ChosenEngine chosen = chosen_engine(run, world);
  if (chosen.engine == nullptr) return "";
  const std::size_t points = experiment.studies.size();
  const std::string parts = count_text(static_cast<std::int64_t>(points), "part");
  auto* const engine = dynamic_cast<SlurmEngine*>(chosen.engine.get());
  if (engine == nullptr)
    return fmt::format("engine {}: {}, {} at a time\n{}", arguments.engine, parts,
                       chosen.worker.at_once, trainings_line(experiment));
  Array array = chosen.worker;
  array.arguments.insert(array.arguments.begin(), {"work", "RUN"});
  for (std::size_t i = 0; i < points; ++i)
    array.tasks.push_back({fmt::format("point-{:03}-KEY", i + 1)});
  return engine->preview(array) + trainings_line(experiment);
}

}  // namespace thimble::cli
