#include <algorithm>
#include <array>
#include <set>

#include <fmt/format.h>

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/input_source.hpp>
#include <thimble/nn/proxy.hpp>

#include "reading.hpp"

namespace thimble {
namespace {

bool has_profile(const PluginType& type, const std::string& name) {
  return std::ranges::any_of(type.profiles, [&](const auto& p) { return p.first == name; });
}

class ProxyReader {
 public:
  explicit ProxyReader(Reading& reading) : reading_{reading}, study_{reading.study} {}

  void read() {
    check_common_pass();
    Value shown = Value::sequence();
    for (const Value& value : reading_.settings.proxies)
      if (auto entry = read_entry(value)) shown.items().push_back(std::move(*entry));
    if (!shown.items().empty()) reading_.resolved.set("proxies", std::move(shown));
    note_what_nobody_takes();
  }

 private:
  const Value& common() const { return reading_.settings.pass; }

  /// Said once for all proxies; its places are checked here, whoever takes them.
  void check_common_pass() {
    if (common().is_null()) return;
    if (!common().is_map())
      return reading_.problems.error(common().where(),
                                     "'pass' must be a map, found " + common().found(),
                                     "write pass: {batch: 64, ...}");
    const auto before = reading_.problems.size();
    read_params<Pass>(common(), "'pass'", reading_.problems);
    if (reading_.problems.size() != before) reading_.settings.pass = Value{};
  }

  /// For what the experiment leaves open; a proxy lacks the keys that its formula fixes.
  void add_common_pass(PluginUse& use) {
    if (!common().is_map()) return;
    for (const auto& entry : common().entries()) {
      const bool is_open = std::ranges::any_of(
          use.type->schema, [&](const Field& field) { return field.name == entry.key; });
      if (!is_open || use.given.find(entry.key) != nullptr) continue;
      use.given.set(entry.key, entry.value);
      taken_.insert(entry.key);
    }
  }

  /// An ablation over a key that changes nothing should not look like a finding.
  void note_what_nobody_takes() {
    if (!common().is_map()) return;
    for (const auto& entry : common().entries())
      if (!taken_.contains(entry.key))
        study_.remarks.push_back(
            fmt::format("'pass' sets '{}', which no proxy here leaves open", entry.key));
  }

  PluginUse read_use(const Value& value) {
    PluginUse use = reading_.plugins.read(Kind::proxy, value, "an entry of 'proxies'");
    if (use.type == nullptr) return use;
    use.given.erase("as");
    add_common_pass(use);
    reading_.plugins.resolve(use, value.find("use")->where());
    return use;
  }

  /// The proxy as it stands in the resolved experiment; nothing when it cannot be made.
  std::optional<Value> read_entry(const Value& value) {
    const PluginUse use = read_use(value);
    const Value* const named = name_of_metric(value);
    const std::string name = named != nullptr ? named->text() : "";
    const bool is_named = use.type != nullptr && require_metric_name(reading_, *named);
    const auto proxy = reading_.plugins.make<Proxy>(use, value.find("use"));
    if (proxy == nullptr || !is_named) {
      reading_.broken_metrics.push_back(name);
      return std::nullopt;
    }
    require_dataset(value);
    try {
      add(name, proxy, use, value);
    } catch (...) {
      reading_.problems.error(value.find("use")->where(),
                              fmt::format("proxy '{}' failed while it was asked what it needs: {}",
                                          use.type->name, what_was_thrown()),
                              "this is a fault of the plugin, not of the experiment");
    }
    Value entry = reading_.with_use(use);
    entry.set("as", Value::scalar(name));
    return entry;
  }

  void require_dataset(const Value& proxy) {
    if (!reading_.settings.dataset.is_null() || is_dataset_missing_) return;
    is_dataset_missing_ = true;
    reading_.problems.error(
        proxy.where(), "proxies need a 'dataset'",
        "add dataset: {use: cifar10}, or {use: synthetic} for generated images");
  }

  void add(const std::string& name, std::shared_ptr<const Proxy> proxy, const PluginUse& use,
           const Value& value) {
    const Pass pass = proxy->pass();
    const bool is_net_named =
        value.find("net") != nullptr || (common().is_map() && common().find("net") != nullptr);
    std::string net_key;
    const auto space = net_for(pass.net, is_net_named, name, net_key);
    if (space != nullptr && study_.dataset != nullptr) check_input(*space, *proxy, name, value);
    const std::string key = use.text + net_key + reading_.dataset.text +
                            std::to_string(study_.seed) + "\n" + hex(kernel_fingerprint()) +
                            THIMBLE_BUILD;
    study_.proxies.push_back(
        {name, std::move(proxy), space, use.type->name + "-" + hex(fingerprint(key))});
  }

  /// The search space as a pass wants it: other parameters, the same decisions.
  std::shared_ptr<const SearchSpace> net_for(const Value& net, bool is_explicit,
                                             const std::string& proxy, std::string& key) {
    if (reading_.space.type == nullptr || study_.space == nullptr) return nullptr;
    PluginUse use = reading_.space;
    if (!add_overrides(net, is_explicit, proxy, use)) return nullptr;
    reading_.plugins.resolve(use, net.where());
    key = use.text;
    return use.type == nullptr ? study_.space : reading_.plugins.make<SearchSpace>(use, &net);
  }

  bool add_overrides(const Value& net, bool is_explicit, const std::string& proxy, PluginUse& use) {
    if (net.is_scalar() && net.text() == "full") return true;
    if (net.is_scalar() && !has_profile(*use.type, net.text()) && !is_explicit) {
      study_.remarks.push_back(
          fmt::format("search space '{}' has no profile '{}'; proxy '{}' looks at the full network",
                      use.type->name, net.text(), proxy));
      return true;
    }
    return reading_.override_space(net, use);
  }

  /// The data must be able to feed the network; said now, not with the first candidate.
  void check_input(const SearchSpace& space, const Proxy& proxy, const std::string& name,
                   const Value& value) {
    const Pass pass = proxy.pass();
    try {
      const Graph graph = some_network(space);
      const DatasetInfo info = study_.dataset->describe();
      require_classes(graph.node(graph.output()).shape.channels, info, proxy, name, value);
      require_fit(info, pass, graph.node(0).shape);
      note_stretching(info, pass, graph.node(0).shape);
    } catch (const Error& error) {
      const Diagnostic& problem = error.diagnostics().front();
      const std::string note =
          problem.note.empty() ? "change batch, fit or net, or the dataset" : problem.note;
      if (is_left_to_common_pass(value))
        reading_.problems.error(common().where(), problem.message, note);
      else
        reading_.problems.error(value.where(), fmt::format("proxy '{}': {}", name, problem.message),
                                note);
    }
  }

  /// Fewer outputs than classes cannot be trained; more mean another problem than the data's.
  void require_classes(int classes, const DatasetInfo& info, const Proxy& proxy,
                       const std::string& name, const Value& value) {
    const Reads reads = proxy.reads();
    if (info.labels == LabelKind::boxes) {
      if (reads.classes)
        reading_.problems.error(
            value.where(),
            fmt::format("proxy '{}' reads a class of each sample, dataset '{}' has boxes", name,
                        info.name),
            "take another proxy");
      return;
    }
    if (proxy.pass().input != InputKind::data && !reads.loss_gradients && !reads.output_gradients)
      return;
    if (classes < info.classes)
      reading_.problems.error(
          value.where(),
          fmt::format("proxy '{}' looks at a network of {} classes, dataset '{}' has {}", name,
                      classes, info.name, info.classes),
          "give the search space or the proxy's 'net' as many classes");
    if (classes > info.classes)
      remark_once(
          fmt::format("the networks that proxies look at have {} classes, dataset '{}' has "
                      "{}: {} outputs never are the right one",
                      classes, info.name, info.classes, classes - info.classes));
  }

  /// True where the common pass, not the proxy's entry, says what is fed to which network.
  bool is_left_to_common_pass(const Value& proxy) const {
    return common().is_map() &&
           std::ranges::none_of(std::array{"batch", "batches", "fit", "net", "profile"},
                                [&](const char* key) { return proxy.find(key) != nullptr; });
  }

  /// Images stand it; columns that are sensors are mixed by it.
  void note_stretching(const DatasetInfo& info, const Pass& pass, const Shape& input) {
    const bool keeps_ratio = info.shape.height * input.width == info.shape.width * input.height;
    if (pass.input != InputKind::data || pass.fit != Fit::resize || keeps_ratio) return;
    remark_once(fmt::format(
        "dataset '{}' of {} is stretched to the networks' {}: rows and columns are interpolated",
        info.name, to_string(info.shape), to_string(input)));
  }

  void remark_once(const std::string& remark) {
    if (std::ranges::find(study_.remarks, remark) == study_.remarks.end())
      study_.remarks.push_back(remark);
  }

  Reading& reading_;
  Study& study_;
  bool is_dataset_missing_ = false;
  std::set<std::string> taken_;  ///< keys of the common pass
};

}  // namespace

void read_proxies(Reading& reading) { ProxyReader{reading}.read(); }

}  // namespace thimble
