// Known networks by name, so that whoever wants to compare with one has it for proxies, costs and C
// alike. README.md says where each is from.

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>

#include "network.hpp"

namespace zoo {

using thimble::Decision;
using thimble::Error;
using thimble::Genotype;

/// An index into all_networks(). Found by name lookup when parameters are described.
enum class Choice : std::uint8_t {};

const std::vector<std::pair<std::string, Choice>>& names_of(Choice) {
  static const auto kNames = [] {
    std::vector<std::pair<std::string, Choice>> made;
    for (std::size_t i = 0; i < all_networks().size(); ++i)
      made.emplace_back(all_networks()[i].name, static_cast<Choice>(i));
    return made;
  }();
  return kNames;
}

namespace {

/// What stands behind a network's last map.
enum class Head { classification, detection, points };

const std::vector<std::pair<std::string, Head>>& names_of(Head) {
  static const std::vector<std::pair<std::string, Head>> kNames{
      {"classification", Head::classification},
      {"detection", Head::detection},
      {"points", Head::points}};
  return kNames;
}

class Zoo final : public thimble::SearchSpace {
 public:
  struct Params {
    std::vector<Choice> networks{Choice{}};
    int channels = 0;
    int height = 0;
    int width = 0;
    int classes = 0;
    Head head = Head::classification;
    int anchors = 3;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::networks, "networks", "the networks to choose from");
      param(&Params::channels, "channels", "channels of the input; 0: the networks' own")
          .range(0, 4096);
      param(&Params::height, "height",
            "rows of an image, points in time of a time series; 0: the networks' own")
          .range(0, 4096);
      param(&Params::width, "width",
            "columns of an image, sensors of a time series; 0: the networks' own")
          .range(0, 4096);
      param(&Params::classes, "classes", "classes of the data; 0: the networks' own")
          .range(0, 100000);
      param(&Params::head, "head",
            "what stands behind a network's last map: its own classifier, or a map of boxes or of "
            "points");
      param(&Params::anchors, "anchors", "detection: boxes that each cell of the map tells of")
          .range(1, 16);
    }
  };

  explicit Zoo(Params params) : params_{std::move(params)} {
    if (params_.networks.empty()) throw Error{"'networks' names no network"};
    Decision& network = decisions_.emplace_back();
    network.name = "network";
    for (const Choice choice : params_.networks) {
      const std::string name = network_of(choice).name;
      if (std::ranges::count(params_.networks, choice) > 1)
        throw Error{thimble::in_quotes(name) + " stands twice in 'networks'"};
      network.options.push_back(name);
      require_like_the_first(network_of(choice));
    }
    for (std::size_t i = 0; params_.head != Head::classification && i < params_.networks.size();
         ++i)
      build({static_cast<double>(i)});  // throws for what has no map
  }

  std::vector<Decision> decisions() const override { return decisions_; }

  Graph build(const Genotype& genotype) const override {
    const Network& network = network_of(params_.networks.at(static_cast<std::size_t>(genotype[0])));
    Graph graph;
    const NodeId input = graph.input(input_of(network));
    graph.set_output(network.body(graph, input, outputs_of(network)));
    return params_.head == Head::classification ? graph : with_map(std::move(graph), network);
  }

  /// Reads a bare name, too.
  Genotype decode(std::string_view text) const override {
    const std::string word{thimble::trimmed(text)};
    return SearchSpace::decode(thimble::is_identifier(word) ? "network=" + word : word);
  }

 private:
  static const Network& network_of(Choice choice) {
    return all_networks()[static_cast<std::size_t>(choice)];
  }

  Shape input_of(const Network& network) const {
    const auto said_or = [](int said, int own) { return said > 0 ? said : own; };
    return {said_or(params_.channels, network.input.channels),
            said_or(params_.height, network.input.height),
            said_or(params_.width, network.input.width)};
  }

  int outputs_of(const Network& network) const {
    if (network.classes == 0) return static_cast<int>(input_of(network).elements());
    return params_.classes > 0 ? params_.classes : network.classes;
  }

  /// Boxes in place of classes (Redmon and Farhadi 2018, arXiv 1804.02767), or points, told of each
  /// cell of the map that the classifier takes the mean of.
  Graph with_map(Graph graph, const Network& network) const {
    const auto pool =
        std::ranges::find(graph.nodes(), thimble::Op::global_avg_pool, &thimble::Node::op);
    if (pool == graph.nodes().end())
      throw Error{thimble::in_quotes(network.name) + " has no map that could tell of boxes",
                  "take a network for images"};
    const int classes = params_.classes > 0 ? params_.classes : network.classes;
    const int of_boxes = params_.anchors * (5 + (classes > 1 ? classes : 0));
    const NodeId map = graph.inputs(*pool)[0];
    const Graph::Scope scope{graph, "boxes"};
    graph.set_output(
        graph.conv(map, {.out = params_.head == Head::points ? classes : of_boxes, .bias = true}));
    return live(graph);
  }

  /// All networks of a space take the same input and have as many outputs.
  void require_like_the_first(const Network& network) const {
    const Network& first = network_of(params_.networks.front());
    if (network.classes == 0 && params_.classes > 0)
      throw Error{
          thimble::in_quotes(network.name) + " puts out what it was given: it has no 'classes'",
          "leave 'classes' out"};
    const auto both = thimble::in_quotes(first.name) + " and " + thimble::in_quotes(network.name);
    if (input_of(network) != input_of(first))
      throw Error{both + " take inputs of " + to_string(input_of(first)) + " and " +
                      to_string(input_of(network)),
                  "say 'channels', 'height' and 'width' for both"};
    if (outputs_of(network) != outputs_of(first))
      throw Error{both + " have " + std::to_string(outputs_of(first)) + " and " +
                      std::to_string(outputs_of(network)) + " outputs",
                  "say 'classes' for both, or take networks of one kind"};
  }

  Params params_;
  std::vector<Decision> decisions_;
};

}  // namespace
}  // namespace zoo

THIMBLE_PLUGIN("zoo", "1.0.0") {
  plugin.provides<zoo::Zoo>("known networks by name: MLPerf Tiny, MCUNet, a plain 1-D CNN");
}
