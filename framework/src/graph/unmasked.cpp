#include "unmasked.hpp"

#include <fmt/format.h>
#include <boost/dynamic_bitset.hpp>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

#include "depthwise.hpp"
#include "reach.hpp"
#include "rewriter.hpp"

namespace thimble {
namespace {

using Channels = boost::dynamic_bitset<>;

Channels all(int count) { return Channels(at(count)).set(); }

/// Which channels of each node are to stay: those that can be other than zero, and that are read.
class Hiding {
 public:
  explicit Hiding(const Graph& graph)
      : graph_{graph}, reach_{reach(graph)}, alive_(at(graph.size())), kept_(at(graph.size())) {}

  std::vector<std::vector<int>> kept() {
    for (NodeId id = 0; id < graph_.size(); ++id) {
      alive_[at(id)] = alive(id);
      kept_[at(id)].resize(alive_[at(id)].size());
    }
    for (NodeId id = graph_.size() - 1; id >= 0; --id) {
      if (kept_[at(id)].none())
        kept_[at(id)] = alive_[at(id)];  // the output, and what is left over
      ask_inputs(id);
    }
    std::vector<std::vector<int>> places;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      require_agreement(id);
      places.push_back(places_of(kept_[at(id)]));
    }
    return places;
  }

 private:
  /// A constant, which is zero, is as wide as is wanted of it.
  bool is_constant(NodeId id) const { return !reach_.from_input[at(id)]; }

  /// Whether its channels are its input's, one for one or several for one.
  bool passes_channels(const Node& node) const {
    return (node.op != Op::conv && node.op != Op::linear && node.op != Op::concat) ||
           reads_single_channels(graph_, node);
  }

  Channels alive(NodeId id) const {
    const Node& node = graph_.node(id);
    if (node.op == Op::concat) return joined(node);
    if (node.op == Op::input || is_constant(id) || !passes_channels(node))
      return all(node.shape.channels);
    Channels made(at(node.shape.channels));
    for (const NodeId input : graph_.inputs(node))
      if (!is_constant(input)) made |= resized(alive_[at(input)], made.size());
    if (node.op == Op::mask)
      made &= all(node.shape.channels) >> at(node.shape.channels - node.first_channels);
    return made;
  }

  Channels joined(const Node& concat) const {
    Channels made;
    for (const NodeId input : graph_.inputs(concat))
      for (std::size_t c = 0; c < alive_[at(input)].size(); ++c)
        made.push_back(alive_[at(input)][c]);
    return made;
  }

  /// Each channel several times, as depthwise convolutions with a multiplier have it, or each of
  /// several once.
  static Channels resized(const Channels& channels, std::size_t size) {
    if (channels.size() == size) return channels;
    Channels made(size);
    for (std::size_t c = 0; c < size; ++c) made[c] = channels[c * channels.size() / size];
    return made;
  }

  /// What of its inputs a node with these channels reads.
  void ask_inputs(NodeId id) {
    const Node& node = graph_.node(id);
    std::size_t first = 0;
    for (const NodeId input : graph_.inputs(node)) {
      const Channels& there = alive_[at(input)];
      if (node.op == Op::concat) {
        for (std::size_t c = 0; c < there.size(); ++c)
          if (there[c] && kept_[at(id)][first + c]) kept_[at(input)].set(c);
        first += there.size();
      } else {
        kept_[at(input)] |=
            passes_channels(node) ? there & resized(kept_[at(id)], there.size()) : there;
      }
    }
  }

  void require_agreement(NodeId id) const {
    const Node& node = graph_.node(id);
    const auto refuse = [&](const char* why) {
      throw Error{fmt::format("the width of what '{}' reads: {}", graph_.name(id), why)};
    };
    for (const NodeId input : graph_.inputs(node)) {
      const bool is_whole = alive_[at(input)].all();
      if (!is_whole && (node.op == Op::batch_norm || node.op == Op::softmax))
        refuse("it would make something of channels that are hidden");
      if (node.op == Op::conv && node.groups > 1 && !reads_single_channels(graph_, node) &&
          !is_whole)
        refuse("groups cannot be told apart");
      if (passes_channels(node) && !reads_single_channels(graph_, node) &&
          kept_[at(input)] != kept_[at(id)])
        refuse("it is read elsewhere by more of its channels, or is narrower than other terms");
    }
  }

  static std::vector<int> places_of(const Channels& channels) {
    std::vector<int> places;
    places.reserve(channels.count());
    for (auto c = channels.find_first(); c != Channels::npos; c = channels.find_next(c))
      places.push_back(static_cast<int>(c));
    return places;
  }

  const Graph& graph_;
  Reach reach_;
  std::vector<Channels> alive_;
  std::vector<Channels> kept_;
};

}  // namespace

Extracted unmasked(const Graph& graph) {
  const auto kept = Hiding{graph}.kept();
  Extracted made;
  Rewriter out{graph};
  std::vector<NodeId> inputs;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    inputs.clear();
    for (const NodeId input : graph.inputs(node)) inputs.push_back(out[input]);
    if (node.op == Op::mask) {
      out.replace(id, inputs[0]);
      continue;
    }
    out.keep(id, inputs);
    Node& changed = out.made(out[id]);
    if (reads_single_channels(graph, node))
      changed.groups = static_cast<int>(kept[at(graph.inputs(id)[0])].size());
    changed.shape.channels = static_cast<int>(kept[at(id)].size());
    made.kept.push_back(kept[at(id)]);
  }
  made.graph = out.finish();
  return made;
}

}  // namespace thimble
