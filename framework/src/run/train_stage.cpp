#include <thimble/run/train_stage.hpp>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble {
namespace {

/// The networks that `train` names by what the search made of them, each once.
std::vector<Evaluation> picked(const PointOutcome& outcome, const TrainSettings& train) {
  std::vector<Evaluation> all;
  const auto add = [&](const Evaluation& network) {
    if (std::ranges::find(all, network.text, &Evaluation::text) == all.end())
      all.push_back(network);
  };
  const auto add_known = [&](const std::string& text) {
    add(*std::ranges::find(outcome.evaluated, text, &Evaluation::text));
  };
  const Value& networks = train.networks;
  if (networks.is_sequence()) {
    for (const Value& network : networks.items()) add_known(network.text());
  } else if (networks.text() == "selected") {
    if (outcome.selection)
      for (const std::size_t place : outcome.selection->chosen) add(outcome.result.front[place]);
  } else if (networks.text() == "front") {
    std::ranges::for_each(outcome.result.front, add);
  } else if (networks.text() == "all") {
    std::ranges::for_each(outcome.evaluated, add);
  } else if (outcome.result.best) {
    add(*outcome.result.best);
  }
  return all;
}

/// One training of one point.
struct Training {
  std::size_t point = 0;
  TrainedRow* row = nullptr;
};

class Trainings {
 public:
  Trainings(std::vector<PointOutcome>& outcomes, const LoadedExperiment& experiment,
            const TrainStage& stage)
      : outcomes_{outcomes}, experiment_{experiment}, stage_{stage} {}

  void run() {
    for (std::size_t i = 0; i < outcomes_.size(); ++i)
      if (experiment_.studies[i].train) list(i);
    std::vector<Training> all;
    for (std::size_t i = 0; i < outcomes_.size(); ++i)
      for (TrainedRow& row : outcomes_[i].trained) {
        all.push_back({i, &row});
        epochs_ += experiment_.studies[i].train->recipe.epochs;
      }
    in_parallel(std::min(stage_.jobs, static_cast<int>(all.size())), all.size(),
                [&](std::size_t i) {
                  stop_if_requested();
                  begin_worker();
                  train(all[i]);
                });
  }

 private:
  /// What does not fit the board is not trained.
  void list(std::size_t point) {
    PointOutcome& outcome = outcomes_[point];
    const Study& study = experiment_.studies[point];
    outcome.trained_metrics = study.task->metrics();
    if (data_.try_emplace(study.dataset.get()).second)
      data_[study.dataset.get()] = hex(fingerprint_of(*study.dataset));
    for (const Evaluation& network : picked(outcome, *study.train)) {
      if (!network.is_feasible()) {
        stage_.say(fmt::format("network {} is not trained: {}", number_of(outcome, network.text),
                               network.invalid.empty() ? network.excess : network.invalid));
        continue;
      }
      for (const std::int64_t seed : study.train->seeds)
        outcome.trained.push_back({network, static_cast<std::uint64_t>(seed), {}, {}, {}, {}});
    }
  }

  void train(const Training& training) {
    const Study& study = experiment_.studies[training.point];
    TrainedRow& row = *training.row;
    const Graph graph = live(study.space->build(row.network.genotype));
    TrainingOrder order;
    order.graph = &graph;
    order.dataset = study.dataset.get();
    order.task = study.task.get();
    order.recipe = study.train->recipe;
    order.seed = row.seed;
    order.jobs = stage_.jobs;
    order.folder = stage_.trainings / key_of(study, row);
    order.about = {{"arch", row.network.text},
                   {"seed", std::to_string(row.seed)},
                   {"search_space", detail::one_line(*study.resolved.find("search_space"))},
                   {"dataset", detail::one_line(*study.resolved.find("dataset"))},
                   {"data", data_.at(study.dataset.get())},
                   {"recipe", detail::one_line(write_params(order.recipe))}};
    order.say = [this](const std::string& line) {
      const std::scoped_lock lock{saying_};
      stage_.say(line);
    };
    order.progress = [this](const EpochOutcome&, std::size_t) {
      stage_.progress(++done_, epochs_);
    };
    try {
      const TrainingOutcome outcome = train_network(order);
      row.weights = outcome.weights;
      row.epochs = outcome.epochs;
      row.metrics = outcome.metrics;
    } catch (const InputError&) {
      throw;
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      row.failure = error.diagnostics().front().message;
    }
  }

  static std::string recipe_text(const Recipe& recipe) {
    return (recipe.medium == Medium::series ? "series\n" : "") + to_yaml(write_params(recipe));
  }

  std::string key_of(const Study& study, const TrainedRow& row) const {
    const std::string all = study.training_key + data_.at(study.dataset.get()) + row.network.text +
                            "\n" + recipe_text(study.train->recipe) + std::to_string(row.seed);
    return hex(fingerprint(all));
  }

  std::vector<PointOutcome>& outcomes_;
  const LoadedExperiment& experiment_;
  const TrainStage& stage_;
  std::map<const Dataset*, std::string> data_;  ///< fingerprints
  std::mutex saying_;
  std::int64_t epochs_ = 0;
  std::atomic<std::int64_t> done_ = 0;
};

/// Networks that are listed need not be among those that the search looked at.
void add_listed(PointOutcome& outcome, const Study& study) {
  if (!study.train || !study.train->networks.is_sequence()) return;
  const Scoring scoring{study.scoring()};
  for (const Value& listed : study.train->networks.items()) {
    Evaluation network = scoring.cost(study.space->decode(listed.text()));
    network.canonical = study.space->encode(study.space->canonical(network.genotype));
    if (std::ranges::find(outcome.evaluated, network.text, &Evaluation::text) ==
        outcome.evaluated.end())
      outcome.evaluated.push_back(std::move(network));
  }
}

}  // namespace

void number_networks(std::vector<PointOutcome>& outcomes, const LoadedExperiment& experiment) {
  std::size_t next = 1;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    add_listed(outcomes[i], experiment.studies[i]);
    outcomes[i].first_number = next;
    next += outcomes[i].evaluated.size();
  }
}

void train_networks(std::vector<PointOutcome>& outcomes, const LoadedExperiment& experiment,
                    const TrainStage& stage) {
  Trainings{outcomes, experiment, stage}.run();
}

}  // namespace thimble
