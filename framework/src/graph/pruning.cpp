#include <thimble/graph/pruning.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <numeric>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

#include "depthwise.hpp"
#include "rewriter.hpp"

namespace thimble {
namespace {

constexpr int kFewestChannels = 4;

bool is_producer(const Graph& graph, const Node& node) {
  return node.op == Op::linear || (node.op == Op::conv && !reads_single_channels(graph, node));
}

/// The channels of all nodes as disjoint sets: what shares one is removed together. The first
/// channel of a set stands for it.
class ChannelSets {
 public:
  explicit ChannelSets(const Graph& graph) : graph_{graph} {
    for (const Node& node : graph.nodes()) {
      starts_.push_back(parents_.size());
      parents_.resize(parents_.size() + at(node.shape.channels));
    }
    std::iota(parents_.begin(), parents_.end(), std::size_t{0});
    must_stay_.resize(parents_.size());
    for (NodeId id = 0; id < graph.size(); ++id) join(id);
    pin(graph.output());
  }

  std::size_t count() const { return parents_.size(); }
  std::size_t channel(NodeId id, int c) const { return starts_[at(id)] + at(c); }
  bool must_stay(std::size_t root) const { return must_stay_[root]; }

  std::size_t root(std::size_t channel) {
    while (parents_[channel] != channel) channel = parents_[channel] = parents_[parents_[channel]];
    return channel;
  }

 private:
  void unite(std::size_t a, std::size_t b) {
    const auto [first, second] = std::minmax({root(a), root(b)});
    parents_[second] = first;
    must_stay_[first] = must_stay_[first] || must_stay_[second];
  }

  void pin(NodeId id) {
    for (int c = 0; c < graph_.node(id).shape.channels; ++c)
      must_stay_[root(channel(id, c))] = true;
  }

  /// Channel c of an input becomes channels first + c * fan_out, ... of the node.
  void pass_on(NodeId input, NodeId id, int first = 0, int fan_out = 1) {
    const int channels = graph_.node(input).shape.channels * fan_out;
    for (int c = 0; c < channels; ++c) unite(channel(input, c / fan_out), channel(id, first + c));
  }

  void join_conv(NodeId id, const Node& node) {
    const NodeId input = graph_.inputs(node)[0];
    if (reads_single_channels(graph_, node)) {
      pass_on(input, id, 0, node.shape.channels / node.groups);
    } else if (node.groups > 1) {
      pin(input);
      pin(id);
    }
  }

  void join(NodeId id) {
    const Node& node = graph_.node(id);
    switch (node.op) {
      case Op::input: return pin(id);
      case Op::conv: return join_conv(id, node);
      case Op::zero:
      case Op::linear: return;
      case Op::batch_norm:
      case Op::relu:
      case Op::avg_pool:
      case Op::max_pool:
      case Op::global_avg_pool:
      case Op::softmax:
      case Op::add:
        for (const NodeId input : graph_.inputs(node)) pass_on(input, id);
        return;
      case Op::concat: {
        int first = 0;
        for (const NodeId input : graph_.inputs(node)) {
          pass_on(input, id, first);
          first += graph_.node(input).shape.channels;
        }
        return;
      }
      case Op::mask:
      case Op::choice: break;
    }
    throw Error{"a network with open choices cannot be pruned"};
  }

  const Graph& graph_;
  std::vector<std::size_t> starts_;
  std::vector<std::size_t> parents_;
  std::vector<bool> must_stay_;
};

/// The producers of the sets. Sets of the same producers share a list, and there are few lists.
class ProducersOfSets {
 public:
  ProducersOfSets(const Graph& graph, ChannelSets& sets) : list_of_(sets.count()) {
    for (NodeId id = 0; id < graph.size(); ++id) {
      if (!is_producer(graph, graph.node(id))) continue;
      for (int c = 0; c < graph.node(id).shape.channels; ++c)
        add(sets.root(sets.channel(id, c)), id);
    }
  }

  std::size_t list(std::size_t root) const { return list_of_[root]; }
  std::size_t lists() const { return lists_.size(); }
  const std::vector<NodeId>& producers(std::size_t list) const { return lists_[list]; }

 private:
  void add(std::size_t root, NodeId id) {
    const std::size_t before = list_of_[root];
    if (!lists_[before].empty() && lists_[before].back() == id) return;
    const auto [found, is_new] = longer_.emplace(std::pair{before, id}, lists_.size());
    if (is_new) {
      auto longer = lists_[before];
      longer.push_back(id);
      lists_.push_back(std::move(longer));
    }
    list_of_[root] = found->second;
  }

  std::vector<std::vector<NodeId>> lists_{{}};
  std::map<std::pair<std::size_t, NodeId>, std::size_t> longer_;  // a list and the next producer
  std::vector<std::size_t> list_of_;                              // by root
};

/// The places of the `count` highest scores, ascending.
std::vector<int> best(const std::vector<double>& scores, int count) {
  std::vector<int> places(scores.size());
  std::iota(places.begin(), places.end(), 0);
  std::stable_sort(places.begin(), places.end(),
                   [&](int a, int b) { return scores[at(a)] > scores[at(b)]; });
  places.resize(at(count));
  std::sort(places.begin(), places.end());
  return places;
}

KeptChannels survivors(const Coupling& coupling, std::span<const double> sparsity,
                       const std::vector<std::vector<double>>& scores) {
  KeptChannels stays;
  for (std::size_t i = 0; i < coupling.groups.size(); ++i) {
    const int channels = coupling.groups[i].channels;
    const auto scored = scores.empty() ? std::vector<double>(at(channels)) : scores[i];
    if (scored.size() != at(channels))
      throw Error{fmt::format("{} scores for {} channels", scored.size(), channels)};
    stays.emplace_back(at(channels));
    for (const int place : best(scored, remaining_channels(channels, sparsity[i])))
      stays.back()[at(place)] = true;
  }
  return stays;
}

void require_one_a_group(std::size_t count, const char* what, const Coupling& coupling) {
  if (count != coupling.groups.size())
    throw Error{fmt::format("{} {} for {} channel groups", count, what, coupling.groups.size())};
}

}  // namespace

Coupling coupled_channels(const Graph& graph) {
  ChannelSets sets{graph};
  const ProducersOfSets producers{graph, sets};
  // Sets of the same producers are alike: any of them may go.
  Coupling made;
  std::vector<std::int32_t> group_of(producers.lists(), -1);
  std::vector<Coupling::Place> places(sets.count());
  for (std::size_t root = 0; root < sets.count(); ++root) {
    const std::size_t list = producers.list(root);
    if (sets.root(root) != root || sets.must_stay(root) || producers.producers(list).empty())
      continue;
    if (group_of[list] < 0) {
      group_of[list] = static_cast<std::int32_t>(made.groups.size());
      made.groups.push_back({producers.producers(list), 0});
    }
    places[root] = {group_of[list], made.groups[at(group_of[list])].channels++};
  }
  for (NodeId id = 0; id < graph.size(); ++id) {
    const int channels = graph.node(id).shape.channels;
    auto& own = made.places.emplace_back();
    own.reserve(at(channels));
    for (int c = 0; c < channels; ++c) own.push_back(places[sets.root(sets.channel(id, c))]);
  }
  return made;
}

int remaining_channels(int channels, double sparsity, int multiple) {
  if (!(sparsity >= 0 && sparsity <= 1) || multiple < 1)
    throw Error{fmt::format("cannot remove a share of {} in multiples of {}", sparsity, multiple)};
  // 10 channels less 0.6 of them are 4, whatever the last digit says.
  constexpr double kTolerance = 1e-9;
  const double wanted = (1.0 - sparsity) * channels / multiple;
  const int rounded = multiple * static_cast<int>(std::ceil(wanted - kTolerance));
  return std::min(channels, std::max(rounded, kFewestChannels));
}

Pruned pruned(const Graph& graph, const Coupling& coupling, std::span<const double> sparsity,
              const std::vector<std::vector<double>>& scores) {
  require_one_a_group(sparsity.size(), "sparsities", coupling);
  if (!scores.empty()) require_one_a_group(scores.size(), "lists of scores", coupling);
  return pruned_to(graph, coupling, survivors(coupling, sparsity, scores));
}

Pruned pruned_to(const Graph& graph, const Coupling& coupling, const KeptChannels& stays) {
  require_one_a_group(stays.size(), "lists of channels", coupling);
  for (std::size_t i = 0; i < stays.size(); ++i)
    if (stays[i].size() != at(coupling.groups[i].channels))
      throw Error{fmt::format("a list of {} channels for a group of {}", stays[i].size(),
                              coupling.groups[i].channels)};
  Pruned made;
  Rewriter out{graph};
  for (NodeId id = 0; id < graph.size(); ++id) {
    auto& kept = made.kept.emplace_back();
    const auto& places = coupling.places.at(at(id));
    for (std::size_t c = 0; c < places.size(); ++c)
      if (places[c].group < 0 || stays[at(places[c].group)][at(places[c].index)])
        kept.push_back(static_cast<int>(c));
    out.keep(id, graph.inputs(id));
    Node& node = out.made(id);
    node.shape.channels = static_cast<int>(kept.size());
    if (reads_single_channels(graph, graph.node(id)))
      node.groups = static_cast<int>(made.kept[at(graph.inputs(id)[0])].size());
  }
  made.graph = out.finish();
  return made;
}

}  // namespace thimble
