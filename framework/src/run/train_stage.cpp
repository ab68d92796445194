#include <thimble/run/train_stage.hpp>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

#include <fmt/format.h>

#include <thimble/core/attempt.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/arithmetic.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/train/pruner.hpp>
#include <thimble/train/start_weights.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/train_network.hpp>

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

/// How often the recipe runs where a network is pruned.
int times(const Prune& prune) { return prune.start == PruneStart::whole ? 2 : 1; }

/// Of a training, and of those that it is compared with.
int all_epochs(const Recipe& recipe) {
  int trainings = 1;
  if (const auto& prune = recipe.prune)
    trainings = times(*prune) * (prune->narrow ? 2 : 1) + (prune->whole ? 1 : 0);
  const bool learns_integers = recipe.quantise && recipe.quantise->method == QuantiseMethod::qat;
  return trainings * recipe.epochs + (learns_integers ? recipe.quantise->epochs : 0);
}

/// What a network is trained as, and how.
struct Lesson {
  const Study::TrainedOn* on = nullptr;
  Graph graph;  ///< before any pruning
  Recipe recipe;
};

Lesson lesson_of(const Study::TrainedOn& on, const Genotype& genotype) {
  Lesson made{&on, {}, on.recipe};
  if (made.recipe.prune && made.recipe.prune->from == PruneFrom::decisions) {
    Unpruned whole = on.space->unpruned(genotype).value();
    made.graph = std::move(whole.graph);
    made.recipe.prune->decided = std::move(whole.sparsity);
  } else {
    made.graph = live(on.space->build(genotype));
  }
  return made;
}

/// The network as this data needs it, with its costs.
Evaluation fitted(const Evaluation& network, const Study& study, const Study::TrainedOn& on) {
  if (on.space == study.space && on.limits == study.limits) return network;
  ScoringSetup setup = study.scoring();
  setup.space = on.space.get();
  setup.limits = on.limits;
  return Scoring{std::move(setup)}.cost(network.genotype);
}

const Study::TrainedOn& data_of(const Study& study, const TrainedRow& row) {
  return *std::ranges::find(study.trained_on, row.dataset, &Study::TrainedOn::name);
}

/// What a point's trainings start with; nothing: new weights.
std::optional<StartWeights> start_of(const std::string& named, const std::filesystem::path& found) {
  if (named == kNewWeights) return {};
  if (named != kSearchedWeights) return read_start_weights(named);
  if (found.empty())
    throw InputError{"trainings are to start with the weights of a search, and there are none",
                     "name a network of a run (thimble train RUN --network N), or take "
                     "train.start=new"};
  if (!std::filesystem::exists(found))
    throw InputError{Diagnostic{{found.string()},
                                "the weights that trainings are to start with are missing",
                                "run the experiment with --resume: it makes them anew"}};
  StartWeights start = read_start_weights(found);
  if (start.arch.empty())
    throw InputError{Diagnostic{{found.string()},
                                "it does not say whose weights these are",
                                "run the experiment with --resume: it makes them anew"}};
  return start;
}

void require_start(const Study& study) {
  const TrainSettings& train = *study.train;
  if (train.start == kNewWeights) return;
  if (train.start == kSearchedWeights) {
    if (train.networks.is_sequence())
      throw InputError{Diagnostic{study.start_where,
                                  "a search leaves weights of what it finds, not of 'networks'",
                                  "leave 'networks' out, or take start: new"}};
    return;
  }
  std::error_code unreachable;
  if (!std::filesystem::exists(train.start, unreachable))
    throw InputError{Diagnostic{
        study.start_where,
        "no weights at " + in_quotes(train.start) +
            did_you_mean(train.start, {kNewWeights, kSearchedWeights}),
        "start is new, search, or a file such as runs/NAME/.../weights/1-1.safetensors"}};
  try {
    read_start_weights(train.start);
  } catch (const Error& problem) {
    throw InputError{Diagnostic{study.start_where,
                                in_quotes(train.start) + ": " + problem.diagnostics()[0].message,
                                "name a file of a run's weights/"}};
  }
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
    for (std::size_t i = 0; i < outcomes_.size(); ++i)
      starts_.push_back(outcomes_[i].trained.empty() ? std::nullopt
                                                     : start_of(experiment_.studies[i].train->start,
                                                                stage_.found_weights(i)));
    std::vector<Training> all;
    for (std::size_t i = 0; i < outcomes_.size(); ++i)
      for (TrainedRow& row : outcomes_[i].trained) {
        all.push_back({i, &row});
        epochs_ += all_epochs(data_of(experiment_.studies[i], row).recipe);
      }
    stage_.prefetch(open_of(all));
    in_parallel(std::min(stage_.jobs, static_cast<int>(all.size())), all.size(),
                [&](std::size_t i) {
                  stop_if_requested();
                  begin_worker();
                  train(all[i]);
                });
  }

 private:
  std::vector<OpenTraining> open_of(const std::vector<Training>& all) {
    std::vector<OpenTraining> open;
    for (const auto& [point, row] : all) {
      const Study& study = experiment_.studies[point];
      const Lesson lesson = lesson_of(data_of(study, *row), row->network.genotype);
      if (!is_trained(order_for(*row, lesson, "", starts_[point])))
        open.push_back({point, row->network.text, row->dataset, row->seed});
    }
    return open;
  }

  /// What does not fit the board is not trained.
  void list(std::size_t point) {
    PointOutcome& outcome = outcomes_[point];
    const Study& study = experiment_.studies[point];
    outcome.trained_metrics = study.task->metrics();
    for (const Evaluation& network : picked(outcome, *study.train))
      for (const Study::TrainedOn& on : study.trained_on)
        list(outcome, study, on, fitted(network, study, on));
  }

  void list(PointOutcome& outcome, const Study& study, const Study::TrainedOn& on,
            Evaluation network) {
    if (!network.is_feasible()) {
      ++outcome.beyond_limits;
      stage_.say(fmt::format("network {} is not trained{}: {}", number_of(outcome, network.text),
                             on.name.empty() ? "" : " on " + on.name,
                             network.invalid.empty() ? network.excess : network.invalid));
      return;
    }
    const Recipe& recipe = on.recipe;
    if (recipe.prune) thin_out(network, study, on);
    for (const std::int64_t seed : study.train->seeds)
      outcome.trained.push_back({network, on.name, static_cast<std::uint64_t>(seed),
                                 recipe.prune.has_value(), recipe.quantise.has_value(), on.limits});
  }

  /// Which channels go decides neither counts nor cost.
  void thin_out(Evaluation& network, const Study& study, const Study::TrainedOn& on) {
    const Lesson lesson = lesson_of(on, network.genotype);
    const Prune& prune = *lesson.recipe.prune;
    const Graph left = pruned_graph(lesson.graph, prune);
    if (prune.from == PruneFrom::sparsity && prune.sparsity > 0 &&
        params(left) == params(lesson.graph))
      stage_.say(
          fmt::format("nothing of '{}' is pruned: a sparsity of {} is less than four "
                      "channels of any layer",
                      network.text, prune.sparsity));
    network.macs = macs(left);
    network.params = params(left);
    if (study.hardware != nullptr) network.cost = study.hardware->cost(left);
  }

  void train(const Training& training) {
    const Study& study = experiment_.studies[training.point];
    TrainedRow& row = *training.row;
    const Lesson lesson = lesson_of(data_of(study, row), row.network.genotype);
    const std::optional<StartWeights>& start = starts_[training.point];
    const std::string failure = attempt([&] {
      if (start && study.train->start == kSearchedWeights && start->arch != row.network.text)
        throw Error{fmt::format(
            "the search left weights of '{}' alone: train.start=new trains others", start->arch)};
      TrainingOutcome outcome = train_network(order_for(row, lesson, "", start));
      row.weights = outcome.weights;
      row.real() = std::move(outcome.real);
      row.int8 = std::move(outcome.int8);
      row.failure = outcome.failure;
    });
    if (!failure.empty()) row.failure = failure;
    if (lesson.recipe.prune && failure.empty()) train_to_compare(row, lesson, start);
  }

  /// The same network unpruned, and what was left of it from new weights.
  void train_to_compare(TrainedRow& row, const Lesson& lesson,
                        const std::optional<StartWeights>& start) {
    const Prune& prune = *lesson.recipe.prune;
    Lesson plain = lesson;
    plain.recipe = unpruned(lesson.recipe);
    const auto compare = [&](const std::string& words, const std::optional<StartWeights>& from,
                             FormOutcome& into) {
      return attempt([&] { into = train_network(order_for(row, plain, words, from)).real; });
    };
    if (prune.whole) {
      const std::string failure = compare(whole_words(prune), start, row.whole);
      if (!failure.empty() && row.failure.empty()) row.failure = "unpruned: " + failure;
    }
    if (!prune.narrow) return;
    plain.graph = pruned_graph(lesson.graph, prune);
    plain.recipe.epochs *= times(prune);
    const std::string failure =
        compare(prune.from == PruneFrom::decisions
                    ? ""
                    : fmt::format("without {} of its channels", prune.sparsity),
                std::nullopt, row.narrow);
    if (!failure.empty())  // which is no fault of what was asked for
      say(fmt::format("'{}' narrow from the start: {}", row.network.text, failure));
  }

  void say(const std::string& line) {
    const std::scoped_lock lock{saying_};
    stage_.say(line);
  }

  /// In float, as it is.
  static Recipe unpruned(Recipe recipe) {
    recipe.prune.reset();
    recipe.quantise.reset();
    return recipe;
  }

  static std::string whole_words(const Prune& prune) {
    return prune.from == PruneFrom::decisions ? "with all of its channels" : "";
  }

  /// `words` say what became of the network before, where it is not the one that is named.
  TrainingOrder order_for(const TrainedRow& row, const Lesson& lesson, const std::string& words,
                          const std::optional<StartWeights>& start) {
    const auto& [on, graph, recipe] = lesson;
    Recipe real = recipe;
    real.quantise.reset();
    TrainingOrder order;
    order.graph = &graph;
    order.dataset = on->dataset.get();
    order.task = on->task.get();
    order.recipe = recipe;
    order.seed = row.seed;
    order.jobs = stage_.jobs;
    order.device = stage_.device;
    if (start) order.start = &*start;
    const std::string from = start ? start->content : "";
    order.folder = stage_.trainings / key_of(*on, row, recipe, words + from);
    order.float_folder = stage_.trainings / key_of(*on, row, real, words + from);
    if (recipe.prune)
      order.whole_folder =
          stage_.trainings / key_of(*on, row, unpruned(recipe), whole_words(*recipe.prune) + from);
    order.about = on->about;
    order.about["arch"] = row.network.text;
    if (start) order.about["start"] = from;
    if (!stage_.device.is_cpu()) order.about["device"] = stage_.device.name;
    order.say = [this](const std::string& line) { say(line); };
    order.progress = [this](const EpochOutcome&, std::size_t) {
      stage_.progress(++done_, epochs_);
    };
    return order;
  }

  static std::string recipe_text(const Recipe& recipe) {
    return (recipe.medium == Medium::series ? "series\n" : "") + to_yaml(write_params(recipe));
  }

  /// Other arithmetic begins anew: half of an epoch's bits here and half there were nobody's.
  std::string key_of(const Study::TrainedOn& on, const TrainedRow& row, const Recipe& recipe,
                     const std::string& words) const {
    const std::string all = on.key + row.network.text + "\n" + words + recipe_text(recipe) +
                            std::to_string(row.seed) + own_arithmetic().bits + device_key();
    return hex(fingerprint(all));
  }

  /// GPUs are told apart where a training goes on: who plans it need not have one.
  std::string device_key() const { return stage_.device.is_cpu() ? "" : stage_.device.kind(); }

  std::vector<PointOutcome>& outcomes_;
  const LoadedExperiment& experiment_;
  const TrainStage& stage_;
  std::vector<std::optional<StartWeights>> starts_;  ///< by point
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

void require_starts(const LoadedExperiment& experiment) {
  for (const Study& study : experiment.studies)
    if (study.train) require_start(study);
}

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
