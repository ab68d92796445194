#include "unmasked.hpp"

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

#include "reach.hpp"
#include "rewriter.hpp"

namespace thimble {
namespace {

using Channels = std::vector<bool>;

/// Which channels of each node are to stay: those that can be other than zero, and that are read.
class Hiding {
 public:
  explicit Hiding(const Graph& graph)
      : graph_{graph}, reach_{reach(graph)}, alive_(at(graph.size())), kept_(at(graph.size())) {}

  std::vector<std::vector<int>> kept() {
    for (NodeId id = 0; id < graph_.size(); ++id) alive_[at(id)] = alive(id);
    for (NodeId id = 0; id < graph_.size(); ++id) kept_[at(id)].resize(alive_[at(id)].size());
    for (NodeId id = graph_.size() - 1; id >= 0; --id) {
      const bool is_read = std::ranges::count(kept_[at(id)], true) > 0;
      if (!is_read) kept_[at(id)] = alive_[at(id)];  // the output, and what is left over
      ask_inputs(id);
    }
    for (NodeId id = 0; id < graph_.size(); ++id) require_agreement(id);
    std::vector<std::vector<int>> places;
    for (const Channels& channels : kept_) places.push_back(places_of(channels));
    return places;
  }

 private:
  /// A constant, which is zero, is as wide as is wanted of it.
  bool is_constant(NodeId id) const { return !reach_.from_input[at(id)]; }

  /// Whether its channels are its input's, one for one or several for one.
  bool passes_channels(const Node& node) const {
    return (node.op != Op::conv && node.op != Op::linear && node.op != Op::concat) ||
           is_depthwise(node);
  }
  bool is_depthwise(const Node& node) const {
    return node.op == Op::conv && node.groups > 1 &&
           node.groups == graph_.input_shape(node).channels;
  }

  Channels alive(NodeId id) const {
    const Node& node = graph_.node(id);
    if (node.op == Op::concat) return joined(node);
    Channels made(at(node.shape.channels), true);
    if (node.op == Op::input || is_constant(id) || !passes_channels(node)) return made;
    for (std::size_t c = 0; c < made.size(); ++c)
      made[c] = std::ranges::any_of(graph_.inputs(node), [&](NodeId input) {
        const Channels& channels = alive_[at(input)];
        return !is_constant(input) && channels[c * channels.size() / made.size()];
      });
    if (node.op == Op::mask) std::fill(made.begin() + node.first_channels, made.end(), false);
    return made;
  }

  Channels joined(const Node& concat) const {
    Channels made;
    for (const NodeId input : graph_.inputs(concat))
      made.insert(made.end(), alive_[at(input)].begin(), alive_[at(input)].end());
    return made;
  }

  /// What of its inputs a node with these channels reads.
  void ask_inputs(NodeId id) {
    const Node& node = graph_.node(id);
    std::size_t first = 0;
    for (const NodeId input : graph_.inputs(node)) {
      Channels& wanted = kept_[at(input)];
      for (std::size_t c = 0; c < wanted.size(); ++c)
        if (alive_[at(input)][c] && reads(id, first + c, wanted.size())) wanted[c] = true;
      if (node.op == Op::concat) first += wanted.size();
    }
  }

  bool reads(NodeId id, std::size_t channel, std::size_t channels) const {
    const Node& node = graph_.node(id);
    const Channels& own = kept_[at(id)];
    if (node.op == Op::concat) return own[channel];
    if (!passes_channels(node)) return true;
    const std::size_t several = own.size() / channels;
    return own[channel * several];
  }

  void require_agreement(NodeId id) const {
    const Node& node = graph_.node(id);
    const auto refuse = [&](const char* why) {
      throw Error{fmt::format("the width of what '{}' reads: {}", graph_.name(id), why)};
    };
    for (const NodeId input : graph_.inputs(node)) {
      const bool is_whole = alive_[at(input)] == Channels(alive_[at(input)].size(), true);
      if (!is_whole && (node.op == Op::batch_norm || node.op == Op::softmax))
        refuse("it would make something of channels that are hidden");
      if (node.op == Op::conv && node.groups > 1 && !is_depthwise(node) && !is_whole)
        refuse("groups cannot be told apart");
      if (node.op == Op::mask || (passes_channels(node) && !is_depthwise(node)))
        if (kept_[at(input)] != kept_[at(id)])
          refuse("it is read elsewhere by more of its channels, or is narrower than other terms");
    }
  }

  static std::vector<int> places_of(const Channels& channels) {
    std::vector<int> places;
    for (std::size_t c = 0; c < channels.size(); ++c)
      if (channels[c]) places.push_back(static_cast<int>(c));
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
    if (node.groups > 1 && node.groups == graph.input_shape(node).channels)
      changed.groups = static_cast<int>(kept[at(graph.inputs(id)[0])].size());
    changed.shape.channels = static_cast<int>(kept[at(id)].size());
    made.kept.push_back(kept[at(id)]);
  }
  made.graph = out.finish();
  return made;
}

}  // namespace thimble
