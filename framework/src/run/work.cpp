#include <thimble/run/work.hpp>

#include <fmt/format.h>
#include <unistd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/process.hpp>
#include <thimble/core/text.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/run/recorded_network.hpp>
#include <thimble/run/run_point.hpp>
#include <thimble/run/train_stage.hpp>

namespace thimble {
namespace {

namespace fs = std::filesystem;

/// Its values would be other ones than those of the run.
void refuse_other_arithmetic(const fs::path& run) {
  const std::string difference = difference_from_own_arithmetic(recorded_arithmetic(run));
  if (difference.empty()) return;
  throw InputError{Diagnostic{
      {run.string()},
      fmt::format("{} computes with other arithmetic than the run: {}", host_name(), difference),
      "begin the run with --arithmetic avx2, which processors of most kinds have in "
      "common, or name nodes of one kind in the engine file ('constraint')"}};
}

/// The part's point as an experiment of its own. Of a training, the one network, seed and data.
LoadedExperiment experiment_of(const Part& part, const fs::path& run, PluginLoader& loader) {
  std::vector<Assignment> overrides;
  if (part.kind == Part::Kind::training) {
    overrides.push_back(
        {"train.networks", Value::sequence({Value::scalar(part.candidates.at(0), true)})});
    overrides.push_back(
        {"train.seeds", Value::sequence({Value::scalar(std::to_string(part.seed))})});
  }
  LoadedExperiment experiment = load_experiment(resolved_file(run, part.point), overrides, loader);
  Study& study = experiment.studies[0];
  if (key_of_values(study) != part.key)
    throw InputError{
        Diagnostic{{run.string()},
                   fmt::format("{} has other data, plugins or another build of thimble "
                               "than the process that planned '{}'",
                               host_name(), part.name()),
                   "give all nodes the same installation and data (--data)"}};
  if (part.candidates.size() > 1 && part.kind == Part::Kind::training)
    std::erase_if(study.trained_on,
                  [&](const Study::TrainedOn& on) { return on.name != part.candidates[1]; });
  return experiment;
}

/// Its values come into the shard; what else comes of it is made again where all points meet.
void work_at_point(const LoadedExperiment& experiment, const Part& part, const WorkOptions& options,
                   Shard& shard) {
  const Study& study = experiment.studies[0];
  ScoringSetup setup = study.scoring();
  setup.jobs = options.jobs;
  setup.store = &shard;
  setup.kept_search = kept_search(options.run, part.point);
  setup.found_weights = found_weights(options.run, part.point);
  setup.log = options.say;
  run_point(study, experiment.points[0], std::move(setup));
}

/// Whoever asked for them knows which are worth it.
void work_at_batch(const LoadedExperiment& experiment, const Part& part, const WorkOptions& options,
                   Shard& shard) {
  const Study& study = experiment.studies[0];
  ScoringSetup setup = study.scoring();
  setup.jobs = options.jobs;
  setup.store = &shard;
  setup.scores_infeasible = true;
  Scoring scoring{std::move(setup)};
  if (part.kind == Part::Kind::candidates) {
    std::vector<Genotype> genotypes;
    for (const std::string& text : part.candidates) genotypes.push_back(study.space->decode(text));
    scoring.evaluate(genotypes);
  } else {
    std::vector<AliveOptions> states;
    for (const std::string& text : part.candidates)
      states.push_back(parse_state(*study.space->supernet(), text));
    scoring.evaluate_supernets(states);
  }
}

void work_at_training(const LoadedExperiment& experiment, const Part& part,
                      const WorkOptions& options, Shard& shard) {
  TrainStage stage;
  // Where run_experiment() has them: beside the folders of experiments, whose runs these are.
  stage.trainings =
      fs::absolute(options.run).lexically_normal().parent_path().parent_path() / "trainings";
  stage.found_weights = [&](std::size_t) { return found_weights(options.run, part.point); };
  stage.jobs = options.jobs;
  stage.device = options.device;
  stage.say = options.say;
  stage.progress = [&](std::int64_t done, std::int64_t) { shard.note_step(done); };
  std::vector<PointOutcome> outcomes(1);
  number_networks(outcomes, experiment);
  train_networks(outcomes, experiment, stage);
}

void work_at(const Part& part, const WorkOptions& options, PluginLoader& loader, Shard& shard) {
  refuse_other_arithmetic(options.run);
  const LoadedExperiment experiment = experiment_of(part, options.run, loader);
  switch (part.kind) {
    case Part::Kind::point: return work_at_point(experiment, part, options, shard);
    case Part::Kind::training: return work_at_training(experiment, part, options, shard);
    case Part::Kind::candidates:
    case Part::Kind::supernets: return work_at_batch(experiment, part, options, shard);
  }
}

}  // namespace

std::string key_of_values(const Study& study) {
  std::string text = study.data + "\n";
  for (const Study::TrainedOn& on : study.trained_on) text += on.key + "\n";
  for (const Study::NamedProxy& proxy : study.proxies) text += proxy.key + "\n";
  return hex(fingerprint(text));
}

void work(const WorkOptions& options, PluginLoader& loader) {
  use_single_threaded_math();
  const Part part = read_part(options.run, options.part);
  Shard shard{options.run, {options.part, host_name(), ::getpid(), own_arithmetic().text()}};
  options.begun(shard);
  try {
    work_at(part, options, loader, shard);
    shard.note_done();
  } catch (const Interrupted&) {
    shard.note_stopped();
    throw;
  } catch (const Error& error) {
    shard.note_failure(error.diagnostics().front().message);
    throw;
  }
}

}  // namespace thimble
