#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/hardware/extra_code.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/proxy.hpp>
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
    if (given_.is_null()) {
      read_for_search();
      return require_loss();
    }
    if (!given_.is_map())
      return error(given_, "'train' must be a map, found " + given_.found(),
                   "write train: {epochs: 30, ...}");
    Value datasets = read_datasets();
    if (study_.trained_on.empty()) return;
    TrainSettings settings;
    settings.recipe = Recipe::for_medium(profile());
    read_fields(given_, schema_of(settings), "'train'", reading_.problems);
    settings.datasets = std::move(datasets);
    settings.profile = profile();
    read_task(settings);
    read_networks(settings);
    check_seeds(settings);
    check_start(settings);
    read_recipes(reading_, settings.recipe);
    if (settings.datasets.is_null()) settings.recipe = study_.trained_on.front().recipe;
    for (const Study::TrainedOn& on : study_.trained_on) check_network(on, settings.seeds);
    if (!settings.datasets.is_null()) check_search();
    reading_.resolved.set("train", resolved(settings));
    study_.train = std::move(settings);
  }

 private:
  /// With all that is in force, and nothing else.
  static Value resolved(const TrainSettings& settings) {
    Value all = write_params(settings);
    if (settings.datasets.is_null()) all.erase("datasets");
    const auto& prune = settings.recipe.prune;
    if (prune && prune->from == PruneFrom::decisions) all.find("prune")->erase("sparsity");
    return all;
  }

  bool learns_in_search() const {
    return study_.searcher != nullptr && study_.searcher->needs_relaxation();
  }

  void remark_on_objectives() {
    if (learns_in_search() && !study_.objectives.empty())
      study_.remarks.push_back(
          fmt::format("searcher '{}' follows what networks learn within the limits: objectives are "
                      "told, not searched for",
                      reading_.settings.searcher.find("use")->text()));
  }

  /// The list as it stands in the resolved experiment, where there is one.
  Value read_datasets() {
    const Value* const listed = given_.find("datasets");
    Value datasets = listed != nullptr ? *listed : Value{};
    if (datasets.is_null() && reading_.settings.dataset.is_null())
      error(given_, "training needs a 'dataset'", "add dataset: {use: cifar10}");
    else
      read_trained_on(reading_, datasets);
    for (const Study::TrainedOn& on : study_.trained_on)
      if (on.dataset->describe().medium != study_.trained_on.front().dataset->describe().medium)
        reading_.problems.error(on.where, "images and series cannot be trained on by one recipe",
                                "write an experiment for each");
    return datasets;
  }

  /// A search whose networks learn needs data and what their outputs mean, whatever is trained
  /// then.
  void read_for_search() {
    if (!learns_in_search()) return;
    TrainSettings settings;
    read_task(settings);
    check_search();
  }

  void check_search() {
    if (!learns_in_search()) return;
    const Value& searcher = reading_.settings.searcher;
    if (reading_.settings.dataset.is_null())
      return error(searcher, "networks learn in this search, which needs a 'dataset'",
                   "add dataset: {use: NAME}; thimble plugins dataset lists them");
    if (study_.dataset == nullptr || study_.space == nullptr) return;
    Study::TrainedOn own;
    own.dataset = study_.dataset;
    own.space = study_.space;
    own.task = study_.task;
    own.key = reading_.space.text + reading_.dataset.text;
    own.where = searcher.where();
    check_network(own, TrainSettings{}.seeds);
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
    return study_.trained_on.front().dataset->describe().medium;
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
    if (study_.task == nullptr) return;
    const auto plain = study_.task;
    for (Study::TrainedOn& on : study_.trained_on) {
      on.key += use.text + hex(kernel_fingerprint()) + THIMBLE_BUILD;
      on.task = fitted(plain, use, *on.dataset, on.data);
    }
    if (study_.dataset != nullptr) study_.task = fitted(plain, use, *study_.dataset, study_.data);
    count_box_finder();
    for (Study::NamedProxy& named : study_.proxies)
      if (looks_at_loss_of_boxes(named)) named.key += "-" + hex(fingerprint(use.text));
  }

  /// A network that tells of boxes brings the code along that finds them. Counted for a Cortex-M7;
  /// of other cores, whose code differs by some instructions, it is an estimate.
  void count_box_finder() {
    constexpr ExtraCode kBoxFinder{.ram_bytes = 1280, .rom_bytes = 3168, .relative_error = 0.1};
    if (study_.hardware == nullptr || study_.dataset == nullptr) return;
    if (!study_.task->box_decoder(study_.dataset->describe())) return;
    study_.hardware = with_extra_code(study_.hardware, kBoxFinder);
    study_.costs += "-boxes";
  }

  /// A task may take something from data, such as the sizes of boxes.
  std::shared_ptr<const Task> fitted(const std::shared_ptr<const Task>& task, const PluginUse& use,
                                     const Dataset& data, const std::string& fingerprint) {
    return reading_.plugins.once("task " + use.text + " on " + fingerprint, [&] {
      auto made = attempted(*task, data);
      return made == nullptr ? task : made;
    });
  }

  /// Of data that is not of the task something is said when networks are checked.
  static std::shared_ptr<const Task> attempted(const Task& task, const Dataset& data) {
    try {
      return task.fitted_to(data);
    } catch (const InputError&) {
      throw;
    } catch (const Error&) {
      return nullptr;
    }
  }

  bool looks_at_loss_of_boxes(const Study::NamedProxy& named) const {
    const Reads reads = named.proxy->reads();
    return study_.dataset != nullptr && study_.dataset->describe().labels == LabelKind::boxes &&
           (reads.loss_gradients || reads.output_gradients);
  }

  /// Classes have a loss of their own, boxes that of a task.
  void require_loss() {
    if (study_.task != nullptr) return;
    for (const Study::NamedProxy& named : study_.proxies)
      if (looks_at_loss_of_boxes(named))
        return error(
            reading_.settings.dataset,
            fmt::format("proxy '{}' looks at the loss on boxes, and no task says what that "
                        "is",
                        named.name),
            "add train: {task: {use: detection}}");
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

  /// Files are looked at when there is something to train.
  void check_start(const TrainSettings& settings) {
    const Value& start = at_key("start");
    study_.start_where = start.where();
    if (settings.start != kSearchedWeights) return;
    const Value& searcher = reading_.settings.searcher;
    if (!settings.datasets.is_null())
      error(start, "the networks of a search learn from the experiment's own 'dataset'",
            "leave 'datasets' out, or take start: new");
    else if (searcher.is_null())
      error(start, "there is no searcher that leaves weights to start with",
            "add searcher: {use: dnas}, or take start: new");
    else if (study_.searcher != nullptr && !study_.searcher->hands_on_weights())
      error(start,
            fmt::format("searcher '{}' leaves no weights to start with",
                        searcher.find("use")->text()),
            "take one that does, such as dnas, or start: new");
  }

  /// The network must have the data's channels and the task's outputs, and the data enough samples;
  /// said now, not hours later.
  void check_network(const Study::TrainedOn& on, const std::vector<std::int64_t>& seeds) {
    if (study_.task == nullptr) return;
    const DatasetInfo info = on.dataset->describe();
    const auto error = [&](const std::string& message, const std::string& note) {
      reading_.problems.error(on.where, message, note);
    };
    try {
      const Graph graph = some_network(*on.space);
      const Shape& last = graph.node(graph.output()).shape;
      const Shape& input = graph.node(0).shape;
      if (!fits(last, *on.task, info))
        error(fmt::format("networks have {}, dataset '{}' needs {}", outputs_text(last), info.name,
                          wanted_outputs_text(*on.task, info)),
              on.task->has_maps()
                  ? fmt::format(
                        "a search space may have such networks: head: detection, classes: {}, "
                        "and as many anchors as the task; or head: points for points",
                        info.classes)
                  : advice(on, "classes", fmt::format("classes: {}", on.task->outputs(info))));
      if (input.channels != info.shape.channels)
        error(fmt::format("networks read {}, dataset '{}' has {}", to_string(input), info.name,
                          to_string(info.shape)),
              advice(on, "input channels", fmt::format("channels: {}", info.shape.channels)));
      else if (info.medium == Medium::series && info.shape.height > 1 &&
               input.width != info.shape.width)
        error(fmt::format("networks read {}, dataset '{}' has {}: sensors are not resized",
                          to_string(input), info.name, to_string(info.shape)),
              advice(on, "sensors", fmt::format("width: {}", info.shape.width)));
      else if (!(input == info.shape))
        study_.remarks.push_back(fmt::format("training resizes the {} of dataset '{}' to {}",
                                             to_string(info.shape), info.name, to_string(input)));
      if (reading_.problems.empty()) try_data(on, static_cast<std::uint64_t>(seeds.front()), input);
    } catch (const Error& problem) {
      error(problem.diagnostics().front().message, problem.diagnostics().front().note);
    }
  }

  /// `example` is for search spaces that call it so.
  static std::string advice(const Study::TrainedOn& on, const char* what,
                            const std::string& example) {
    return fmt::format("give {} as many {} as the data has{}",
                       on.name.empty() ? "the search space" : "its 'net'", what,
                       on.name.empty() ? "" : ", such as net: {" + example + "}");
  }

  /// All labels are read for that.
  void try_data(const Study::TrainedOn& on, std::uint64_t seed, const Shape& input) {
    const double validation = on.recipe.validation;
    const std::string what =
        fmt::format("parts of {} {} {} {}", on.key, to_string(input), validation, seed);
    const auto counts = reading_.plugins.once(what, [&] {
      return TrainingData{*on.dataset, input, validation, seed}.counts();
    });
    remark_on_one_class(counts);
    if (const DatasetInfo info = on.dataset->describe(); info.test_samples == 0)
      study_.remarks.push_back(fmt::format(
          "dataset '{}' has no test samples: what is trained is not measured", info.name));
    if (validation > 0) remark_on_one_group(reading_, *on.dataset);
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
