#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/training_data.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

constexpr std::array kPicks{"selected", "front", "best", "all"};

class TrainReader {
 public:
  explicit TrainReader(Reading& reading)
      : reading_{reading}, study_{reading.study}, given_{reading.settings.train} {}

  void read() {
    remark_on_objectives();
    if (given_.is_null()) return read_for_search();
    if (!given_.is_map())
      return error(given_, "'train' must be a map, found " + given_.found(),
                   "write train: {epochs: 30, ...}");
    if (study_.dataset == nullptr) {
      if (reading_.settings.dataset.is_null())
        error(given_, "training needs a 'dataset'", "add dataset: {use: cifar10}");
      return;
    }
    TrainSettings settings;
    settings.recipe = Recipe::for_medium(profile());
    shorten_shift(settings.recipe);
    read_fields(given_, schema_of(settings), "'train'", reading_.problems);
    settings.profile = profile();
    read_task(settings);
    read_networks(settings);
    check_seeds(settings);
    check_recipe(settings.recipe);
    check_network(settings, given_);
    reading_.resolved.set("train", resolved(settings));
    study_.train = std::move(settings);
  }

 private:
  /// With all that is in force, and nothing else.
  static Value resolved(const TrainSettings& settings) {
    Value all = write_params(settings);
    const auto& prune = settings.recipe.prune;
    if (prune && prune->from == PruneFrom::decisions) all.find("prune")->erase("sparsity");
    return all;
  }

  void remark_on_objectives() {
    if (study_.searcher == nullptr || !study_.searcher->needs_relaxation()) return;
    if (!study_.objectives.empty())
      study_.remarks.push_back(
          fmt::format("searcher '{}' follows what networks learn within the limits: objectives are "
                      "told, not searched for",
                      reading_.settings.searcher.find("use")->text()));
  }

  /// A search whose networks learn needs data and what their outputs mean.
  void read_for_search() {
    if (study_.searcher == nullptr || !study_.searcher->needs_relaxation()) return;
    const Value& searcher = reading_.settings.searcher;
    if (study_.dataset == nullptr) {
      if (reading_.settings.dataset.is_null())
        error(searcher, "networks learn in this search, which needs a 'dataset'",
              "add dataset: {use: NAME}; thimble plugins dataset lists them");
      return;
    }
    TrainSettings settings;
    read_task(settings);
    check_network(settings, searcher);
  }

  void error(const Value& where, const std::string& message, const std::string& note) {
    reading_.problems.error(where.where(), message, note);
  }

  /// The value of a key that is written, or all of the section.
  const Value& at_key(const char* key) const {
    const Value* const found = given_.find(key);
    return found != nullptr ? *found : given_;
  }

  Medium profile() const {
    if (const Value* const named = given_.find("profile"))
      for (const auto& [name, medium] : names_of(Medium{}))
        if (named->is_scalar() && named->text() == name) return medium;
    return study_.dataset->describe().medium;
  }

  /// Of a window of the data.
  int steps_of_window() const {
    const Shape shape = study_.dataset->describe().shape;
    return shape.height == 1 ? shape.width : shape.height;
  }

  /// Windows may be as short as the default shift. One that is written is refused instead.
  void shorten_shift(Recipe& recipe) {
    int& shift = recipe.augmentation.time_shift;
    const int steps = steps_of_window();
    if (recipe.medium != Medium::series || shift < steps) return;
    shift = (steps - 1) / 4;
    const Value* const written = given_.find("augmentation");
    if (written == nullptr || written->find("time_shift") == nullptr)
      study_.remarks.push_back(
          fmt::format("windows have {}: training shifts them by at most {}, not by {}",
                      count_text(steps, "step"), shift, Augmentation{}.time_shift));
  }

  void read_task(TrainSettings& settings) {
    if (settings.task.is_null()) {
      settings.task = Value::map();
      settings.task.set("use", Value::scalar("classification"));
    }
    PluginUse use = reading_.plugins.read(Kind::task, settings.task, "'task'");
    const Value* const name = settings.task.find("use");
    if (use.type == nullptr) return;
    reading_.plugins.resolve(use, name->where());
    if (use.type == nullptr) return;
    study_.task = reading_.plugins.make<Task>(use, name);
    settings.task = reading_.with_use(use);
    study_.training_key = reading_.space.text + reading_.dataset.text + use.text +
                          hex(kernel_fingerprint()) + THIMBLE_BUILD;
  }

  void read_networks(TrainSettings& settings) {
    if (settings.networks.is_null())
      settings.networks = Value::scalar(reading_.study.select ? "selected" : "best");
    const Value& networks = settings.networks;
    if (networks.is_sequence()) return read_list(settings.networks);
    const std::string name = networks.is_scalar() ? networks.text() : "";
    if (std::ranges::find(kPicks, name) == kPicks.end()) return refuse_pick(networks, name);
    if (name == "selected" && !study_.select)
      error(networks, "nothing is selected to be trained",
            "add select: {k: 5}, or train networks: best");
    if (study_.searcher == nullptr && reading_.settings.searcher.is_null())
      study_.remarks.emplace_back(
          "there is no searcher: 'train' holds for what `thimble train` names");
  }

  void refuse_pick(const Value& networks, const std::string& name) {
    const std::vector<std::string> known{kPicks.begin(), kPicks.end()};
    error(networks,
          name.empty() ? "'networks' cannot be " + networks.found()
                       : "no networks " + in_quotes(name) + did_you_mean(name, known),
          "networks are " + join(known) + ", or a list of architectures");
  }

  /// Each as the search space writes it itself, so that it is found again.
  void read_list(Value& networks) {
    if (networks.items().empty())
      error(networks, "an empty list of networks", "name one, or leave 'networks' out");
    std::vector<std::string> seen;
    for (Value& network : networks.items()) {
      if (study_.space == nullptr) return;
      if (!network.is_scalar()) {
        error(network, "a network must be text, found " + network.found(),
              "write its architecture, as the search space writes it");
        continue;
      }
      try {
        const Genotype genotype = study_.space->decode(network.text());
        require_fit(genotype, network);
        const std::string text = study_.space->encode(genotype);
        if (std::ranges::count(seen, text) > 0)
          error(network, in_quotes(text) + " stands twice in 'networks'", "name it once");
        seen.push_back(text);
        network = Value::scalar(text, true, network.where());
      } catch (const Error& problem) {
        error(network, problem.diagnostics().front().message, problem.diagnostics().front().note);
      }
    }
  }

  /// Nobody should wait for the training of a network that cannot be used.
  void require_fit(const Genotype& genotype, const Value& network) {
    if (!reading_.problems.empty()) return;
    const Scoring scoring{study_.scoring()};
    const Evaluation evaluation = scoring.cost(genotype);
    if (!evaluation.is_valid())
      error(network, "this network cannot be trained: " + evaluation.invalid, "name another");
    else if (!evaluation.is_feasible())
      error(network, "this network is beyond the limits: " + evaluation.excess,
            "name another, or raise them; limits: {board: false} leaves the board's out");
  }

  void check_seeds(const TrainSettings& settings) {
    if (settings.seeds.empty())
      error(at_key("seeds"), "no seed to train with", "write seeds: [1, 2, 3]");
    if (std::set(settings.seeds.begin(), settings.seeds.end()).size() != settings.seeds.size())
      error(at_key("seeds"), "a seed stands twice in 'seeds'",
            "equal seeds give equal networks, and a spread that is too small");
  }

  void check_recipe(const Recipe& recipe) {
    if (recipe.keep == Keep::best && recipe.validation == 0)
      error(at_key("keep"), "the best epoch is told by a validation part, and there is none",
            "set some aside: validation: 0.1");
    if (recipe.micro_batches > recipe.batch)
      error(at_key("micro_batches"),
            fmt::format("{} micro-batches of a batch of {}", recipe.micro_batches, recipe.batch),
            fmt::format("a micro-batch has a sample at least: micro_batches: {}", recipe.batch));
    if (recipe.prune) check_prune(*recipe.prune);
    if (recipe.quantise) remark_on_quantise(*recipe.quantise);
    const int shift = recipe.augmentation.time_shift, steps = steps_of_window();
    if (recipe.medium == Medium::series && shift >= steps)
      error(at_key("augmentation"),
            fmt::format("a shift of {} samples, and windows of {}", shift, steps),
            fmt::format("shift by fewer: augmentation: {{time_shift: {}}}", (steps - 1) / 4));
  }

  void check_prune(const Prune& prune) {
    const Value& given = at_key("prune");
    if (prune.begin >= prune.end)
      error(
          given,
          fmt::format("masking begins at {} and ends at {} of the epochs", prune.begin, prune.end),
          "let it begin before: prune: {begin: 0.1, end: 0.6}");
    if (prune.from == PruneFrom::sparsity) {
      if (prune.sparsity == 0)
        study_.remarks.emplace_back("'prune' takes no channels: its 'sparsity' is 0");
      return;
    }
    if (given.is_map() && given.find("sparsity") != nullptr)
      error(given, "decisions say what share of the channels goes, and 'sparsity' says another",
            "leave one of them out: prune: {from: decisions}, or prune: {sparsity: 0.5}");
    if (study_.space == nullptr) return;
    Genotype first;
    for (const Decision& decision : study_.space->decisions()) first.push_back(decision.first());
    if (!study_.space->unpruned(first))
      error(given,
            fmt::format("no decision of search space '{}' prunes",
                        reading_.settings.search_space.find("use")->text()),
            "say the share here: prune: {sparsity: 0.5}");
  }

  void remark_on_quantise(const Quantise& quantise) {
    const auto remark = [&](std::initializer_list<const char*> keys, const char* why) {
      for (const std::string& key : changed(quantise, keys))
        study_.remarks.push_back(fmt::format("'{}' of 'quantise' changes nothing: {}", key, why));
    };
    if (quantise.method == QuantiseMethod::ptq)
      remark({"epochs", "learning_rate", "scales", "frozen_from"}, "it is for method: qat");
    else if (quantise.scales == ScaleRule::learned)
      remark({"frozen_from"}, "scales are learned to the end");
    if (quantise.ranges != RangeRule::percentile)
      remark({"percentile"}, "it is for ranges: percentile");
  }

  /// Those of the keys that do not have their default values.
  template <class T>
  static std::vector<std::string> changed(const T& given, std::initializer_list<const char*> keys) {
    const Value own = write_params(given), plain = write_params(T{});
    std::vector<std::string> made;
    for (const char* const key : keys)
      if (detail::one_line(*own.find(key)) != detail::one_line(*plain.find(key)))
        made.emplace_back(key);
    return made;
  }

  /// The network must have the data's channels and the task's outputs, and the data enough samples;
  /// said now, not hours later.
  void check_network(const TrainSettings& settings, const Value& section) {
    if (study_.space == nullptr || study_.task == nullptr) return;
    const DatasetInfo info = study_.dataset->describe();
    try {
      const Graph graph = some_network(*study_.space);
      const int outputs = study_.task->outputs(info);
      const std::int64_t found = graph.node(graph.output()).shape.elements();
      const Shape& input = graph.node(0).shape;
      if (found != outputs)
        error(section,
              fmt::format("networks have {}, dataset '{}' needs {}", count_text(found, "output"),
                          info.name, outputs),
              "give the search space as many classes as the data has");
      if (input.channels != info.shape.channels)
        error(section,
              fmt::format("networks read {}, dataset '{}' has {}", to_string(input), info.name,
                          to_string(info.shape)),
              "give the search space as many input channels as the data has");
      else if (info.medium == Medium::series && info.shape.height > 1 &&
               input.width != info.shape.width)
        error(section,
              fmt::format("networks read {}, dataset '{}' has {}: sensors are not resized",
                          to_string(input), info.name, to_string(info.shape)),
              "give the search space as many sensors as the data has");
      else if (!(input == info.shape))
        study_.remarks.push_back(fmt::format("training resizes the {} of dataset '{}' to {}",
                                             to_string(info.shape), info.name, to_string(input)));
      if (reading_.problems.empty()) try_data(settings, input);
    } catch (const Error& problem) {
      error(section, problem.diagnostics().front().message, problem.diagnostics().front().note);
    }
  }

  /// All labels are read for that.
  void try_data(const TrainSettings& settings, const Shape& input) {
    const double validation = settings.recipe.validation;
    const auto seed = static_cast<std::uint64_t>(settings.seeds.front());
    const std::string what = fmt::format("parts of {} {} {} {}", reading_.dataset.text,
                                         to_string(input), validation, seed);
    const auto counts = reading_.plugins.once(what, [&] {
      return TrainingData{*study_.dataset, input, validation, seed}.counts();
    });
    remark_on_one_class(counts);
  }

  void remark_on_one_class(const std::vector<std::int64_t>& counts) {
    const auto present = [](std::int64_t count) { return count > 0; };
    if (counts.size() > 1 && std::ranges::count_if(counts, present) == 1)
      study_.remarks.push_back(
          fmt::format("all samples to learn from are of class {}: nothing can be learned, in float "
                      "nor in int8",
                      std::ranges::find_if(counts, present) - counts.begin()));
  }

  Reading& reading_;
  Study& study_;
  const Value& given_;
};

}  // namespace

void read_train(Reading& reading) { TrainReader{reading}.read(); }

}  // namespace thimble
