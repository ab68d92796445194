// The data of an experiment: what proxies see, and what networks are trained on.

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/train/training_data.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

void remark_once(Reading& reading, const std::string& remark) {
  if (std::ranges::find(reading.study.remarks, remark) == reading.study.remarks.end())
    reading.study.remarks.push_back(remark);
}

/// Values and weights hang on what the files of data hold, too. Empty where they cannot be read.
std::string fingerprint_of(const Dataset& dataset, PluginUse& use, const Value& where,
                           Reading& reading) {
  std::string data;
  try {
    data = hex(reading.plugins.once("data of " + use.text, [&] { return dataset.fingerprint(); }));
  } catch (const InputError& error) {
    reading.plugins.report(error, &where);
    return data;
  }
  use.text += data + "\n";
  if (const DatasetInfo info = dataset.describe(); !info.remark.empty())
    remark_once(reading, fmt::format("dataset {}: {}", info.name, info.remark));
  return data;
}

class DatasetsReader {
 public:
  explicit DatasetsReader(Reading& reading) : reading_{reading}, study_{reading.study} {}

  void read_own() {
    if (study_.dataset == nullptr || study_.space == nullptr) return;
    Study::TrainedOn own;
    own.dataset = study_.dataset;
    own.data = study_.data;
    own.space = study_.space;
    own.limits = study_.limits;
    own.key = reading_.space.text + reading_.dataset.text;
    describe(own, *reading_.resolved.find("search_space"), *reading_.resolved.find("dataset"));
    own.where = reading_.settings.train.where();
    study_.trained_on.push_back(std::move(own));
  }

  void read_list(Value& list) {
    if (!list.is_sequence() || list.items().empty())
      return error(list,
                   list.is_sequence()
                       ? "an empty list of datasets"
                       : "'datasets' must be a list of data to train on, found " + list.found(),
                   "write datasets: [{use: NAME}, {use: NAME, net: {classes: 43}}]");
    for (Value& entry : list.items()) read_entry(entry);
  }

 private:
  void error(const Value& where, const std::string& message, const std::string& note) {
    reading_.problems.error(where.where(), message, note);
  }

  /// What stands with the weights.
  static void describe(Study::TrainedOn& on, const Value& space, const Value& dataset) {
    on.about = {{"search_space", detail::one_line(space)},
                {"dataset", detail::one_line(dataset)},
                {"data", on.data}};
  }

  /// Leaves the entry as it stands in the resolved experiment.
  void read_entry(Value& entry) {
    PluginUse use = reading_.plugins.read(Kind::dataset, entry, "an entry of 'datasets'");
    if (use.type == nullptr) return;
    for (const char* const key : {"as", "net", "recipe", "limits"}) use.given.erase(key);
    const Value* const use_name = entry.find("use");
    reading_.plugins.resolve(use, use_name->where());
    Study::TrainedOn on;
    on.dataset = reading_.plugins.make<Dataset>(use, use_name);
    if (on.dataset == nullptr) return;
    on.data = fingerprint_of(*on.dataset, use, entry, reading_);
    const Value* const net = entry.find("net");
    PluginUse space = reading_.space;
    if (!take_name(entry, on) || on.data.empty() || study_.space == nullptr) return;
    if (net != nullptr && !reading_.override_space(*net, space)) return;
    on.space = net == nullptr ? study_.space : space_of(space, *net);
    if (on.space == nullptr) return;
    on.key = space.text + use.text;
    if (const Value* const changes = entry.find("recipe")) on.changes = *changes;
    const Value* const limits = entry.find("limits");
    on.limits = limits == nullptr ? study_.limits : limits_on(on, *limits);
    on.where = entry.where();
    Value resolved = reading_.with_use(use);
    Value whole = Value::map();
    whole.set("use", Value::scalar(space.type->name));
    for (const auto& [key, where, value] : space.resolved.entries()) whole.set(key, value);
    describe(on, whole, resolved);
    resolved.set("as", Value::scalar(on.name));
    if (net != nullptr) resolved.set("net", *net);
    if (!on.changes.is_null()) resolved.set("recipe", on.changes);
    if (limits != nullptr) resolved.set("limits", *limits);
    entry = std::move(resolved);
    study_.trained_on.push_back(std::move(on));
  }

  /// The experiment's, but for those that are written here: windows of this data may be longer.
  std::vector<Limit> limits_on(const Study::TrainedOn& on, const Value& written) {
    LimitSettings settings = reading_.settings.limits;
    if (!written.is_map()) {
      error(written, "'limits' must be a map, found " + written.found(),
            "write limits: {ram_bytes: 64 KiB}");
      return {};
    }
    read_fields(written, schema_of(settings), "'limits'", reading_.problems);
    return limits_of(reading_, settings, &written, on.space.get());
  }

  /// Tables and files call it so.
  bool take_name(const Value& entry, Study::TrainedOn& on) {
    const Value* const as = entry.find("as");
    on.name = as != nullptr && as->is_scalar() ? as->text() : on.dataset->describe().name;
    const Value& where = as != nullptr ? *as : entry;
    if (!is_identifier(on.name)) {
      error(where, in_quotes(on.name) + " cannot be what tables and files call this data",
            "say another name, of letters, digits and _: as: NAME");
      return false;
    }
    if (std::ranges::find(study_.trained_on, on.name, &Study::TrainedOn::name) ==
        study_.trained_on.end())
      return true;
    error(where, in_quotes(on.name) + " stands in 'datasets' twice",
          "name it otherwise: as: NAME, or leave it out");
    return false;
  }

  /// The search space as this data needs it: other parameters, the same decisions.
  std::shared_ptr<const SearchSpace> space_of(PluginUse& use, const Value& net) {
    reading_.plugins.resolve(use, net.where());
    auto space = reading_.plugins.make<SearchSpace>(use, &net);
    if (space == nullptr || space->decisions() == study_.space->decisions()) return space;
    error(net, "with this 'net' the search space has other decisions than the one that is searched",
          "change what data says: classes, channels, height and width of the input");
    return nullptr;
  }

  Reading& reading_;
  Study& study_;
};

}  // namespace

void remark_on_one_group(Reading& reading, const Dataset& data) {
  if (!is_of_one_group(data)) return;
  remark_once(
      reading,
      fmt::format("dataset {}: all samples to learn from are of one person or recording, so "
                  "networks are validated on its last ones, which are like the others: what "
                  "they do for other people is not known",
                  data.describe().name));
}

void read_dataset(Reading& reading) {
  Study& study = reading.study;
  study.dataset = reading.make<Dataset>(reading.settings.dataset, "dataset", reading.dataset);
  if (study.dataset == nullptr) return;
  study.data = fingerprint_of(*study.dataset, reading.dataset, reading.settings.dataset, reading);
  if (study.data.empty()) study.dataset.reset();
}

void read_trained_on(Reading& reading, Value& datasets) {
  DatasetsReader reader{reading};
  if (datasets.is_null())
    reader.read_own();
  else
    reader.read_list(datasets);
}

}  // namespace thimble
