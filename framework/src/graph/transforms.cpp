#include <thimble/graph/transforms.hpp>

#include <algorithm>
#include <bit>
#include <unordered_map>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

#include "reach.hpp"
#include "rewriter.hpp"
#include "unmasked.hpp"

namespace thimble {
namespace {

bool same_work(const Graph& graph, NodeId a, NodeId b) {
  const Node& x = graph.node(a);
  const Node& y = graph.node(b);
  return x.op == y.op && x.shape == y.shape && x.kernel == y.kernel && x.stride == y.stride &&
         x.padding == y.padding && x.activation == y.activation &&
         std::ranges::equal(graph.inputs(a), graph.inputs(b));
}

/// Nodes without weights that do the same to the same inputs become one.
Graph merged(const Graph& graph) {
  Rewriter out{graph};
  // Of the new graph: chains of nodes whose first input is one, from the latest to those before.
  std::vector<NodeId> latest(at(graph.size()), -1);
  std::vector<NodeId> before = latest;
  std::vector<NodeId> inputs;
  for (NodeId id = 0; id < graph.size(); ++id) {
    inputs.clear();
    for (const NodeId input : graph.inputs(id)) inputs.push_back(out[input]);
    const Op op = graph.node(id).op;
    out.keep(id, inputs);
    if (op != Op::relu && op != Op::avg_pool && op != Op::max_pool) continue;
    NodeId& sibling = latest[at(inputs[0])];
    NodeId equal = sibling;
    while (equal >= 0 && !same_work(out.graph(), equal, out[id])) equal = before[at(equal)];
    if (equal >= 0) {
      out.replace(id, equal);
    } else {
      before[at(out[id])] = std::exchange(sibling, out[id]);
    }
  }
  return live(out.finish());
}

std::vector<int> reader_counts(const Graph& graph) {
  std::vector<int> readers(at(graph.size()));
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId input : graph.inputs(id)) ++readers[at(input)];
  ++readers[at(graph.output())];
  return readers;
}

bool has_activation(const Node& node) { return node.activation != Activation::none; }

bool can_fuse_relu(Op op) {
  return op == Op::conv || op == Op::linear || op == Op::add || op == Op::avg_pool ||
         op == Op::max_pool;
}

}  // namespace

AliveOptions all_alive(const Graph& supernet) {
  AliveOptions alive;
  for (const ChoiceDecision& decision : supernet.decisions())
    alive.push_back(~std::uint64_t{0} >> (64 - decision.options.size()));
  return alive;
}

std::vector<int> options_in(std::uint64_t alive) {
  std::vector<int> options;
  for (; alive != 0; alive &= alive - 1) options.push_back(std::countr_zero(alive));
  return options;
}

AliveOptions without(AliveOptions alive, std::size_t decision, int option) {
  alive[decision] &= ~(std::uint64_t{1} << option);
  return alive;
}

namespace {

Graph still_masked(const Graph& supernet, const AliveOptions& alive) {
  const auto& decisions = supernet.decisions();
  if (alive.size() != decisions.size())
    throw Error{fmt::format("{} masks for {} decisions", alive.size(), decisions.size())};
  for (std::size_t i = 0; i < alive.size(); ++i)
    if (alive[i] == 0 ||
        static_cast<std::size_t>(std::bit_width(alive[i])) > decisions[i].options.size())
      throw Error{
          fmt::format("decision '{}' cannot have the options {:#b}", decisions[i].name, alive[i])};
  const auto is_alive = Rewriter::alive_nodes(supernet, alive);
  Rewriter out{supernet};
  const auto left_of = [&](NodeId original) {
    if (out[original] >= 0) return out[original];
    throw Error{fmt::format("nothing is left of '{}': its decision was taken otherwise",
                            supernet.name(original))};
  };
  std::vector<NodeId> inputs;
  for (NodeId id = 0; id < supernet.size(); ++id) {
    const Node& node = supernet.node(id);
    if (node.option >= 0 && !is_alive[at(node.option)]) continue;
    inputs.clear();
    if (node.op != Op::choice) {
      for (const NodeId original : supernet.inputs(node)) inputs.push_back(left_of(original));
      out.keep(id, inputs);
      continue;
    }
    const std::uint64_t left = node.alive & alive[at(node.decision)];
    std::uint64_t options = node.alive;
    for (const NodeId original : supernet.inputs(node)) {
      if (((left >> std::countr_zero(options)) & 1U) != 0) inputs.push_back(left_of(original));
      options &= options - 1;
    }
    if (inputs.empty())
      throw Error{fmt::format("nothing is left of '{}': its decision was taken otherwise",
                              supernet.name(id))};
    if (inputs.size() == 1) {
      out.replace(id, inputs[0]);
    } else {
      out.keep(id, inputs);
      out.made(out[id]).alive = left;
    }
  }
  left_of(supernet.output());
  return out.finish();
}

AliveOptions only(std::span<const int> options) {
  AliveOptions alive;
  for (const int option : options) alive.push_back(std::uint64_t{1} << option);
  return alive;
}

bool has_masks(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.op == Op::mask; });
}

}  // namespace

Graph restricted(const Graph& supernet, const AliveOptions& alive) {
  Graph left = still_masked(supernet, alive);
  return left.is_supernet() || !has_masks(left) ? left : unmasked(left).graph;
}

Graph resolved(const Graph& supernet, std::span<const int> options) {
  return restricted(supernet, only(options));
}

Extracted extracted(const Graph& supernet, std::span<const int> options) {
  return unmasked(still_masked(supernet, only(options)));
}

bool is_connected(const Graph& graph) { return reach(graph).from_input[at(graph.output())]; }

Graph live(const Graph& graph) {
  const Reach found = reach(graph);
  if (!found.is_live(graph.output())) throw Error{"no path from the input to the output"};
  Rewriter out{graph};
  std::vector<NodeId> inputs;
  // A mean over options counts its constant options, and a concatenation their channels, as zeros.
  const auto zero_in_place_of = [&](NodeId constant) {
    if (out[constant] < 0) {
      out.keep(constant, {});
      Node& made = out.made(out[constant]);
      Node zero;
      zero.op = Op::zero;
      zero.shape = made.shape;
      zero.option = made.option;
      zero.name = made.name;
      zero.first_input = made.first_input;
      made = zero;
    }
    return out[constant];
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!found.is_live(id)) continue;
    const Node& node = graph.node(id);
    inputs.clear();
    for (const NodeId input : graph.inputs(node)) {
      if (found.is_live(input)) {
        inputs.push_back(out[input]);
      } else if (node.op == Op::choice || node.op == Op::concat) {
        inputs.push_back(zero_in_place_of(input));
      }
    }
    if (node.op == Op::add && inputs.size() == 1) {
      out.replace(id, inputs[0]);
    } else {
      out.keep(id, inputs);
    }
  }
  return out.finish();
}

Graph without_batch_norm(const Graph& graph) {
  Rewriter out{graph};
  std::vector<NodeId> inputs;
  for (NodeId id = 0; id < graph.size(); ++id) {
    inputs.clear();
    for (const NodeId input : graph.inputs(id)) inputs.push_back(out[input]);
    if (graph.node(id).op == Op::batch_norm) {
      out.replace(id, inputs[0]);
    } else {
      out.keep(id, inputs);
    }
  }
  return out.finish();
}

namespace {

/// Calls note(id in the deployed graph, node of the plain one that became it, or part of it).
template <class Note>
Graph deployed(const Graph& plain, Note note) {
  const auto readers = reader_counts(plain);
  Rewriter out{plain};
  std::vector<NodeId> inputs;
  for (NodeId id = 0; id < plain.size(); ++id) {
    const Node& node = plain.node(id);
    inputs.clear();
    for (const NodeId input : plain.inputs(node)) inputs.push_back(out[input]);
    const NodeId source = inputs.empty() ? -1 : plain.inputs(node)[0];
    const bool is_only_reader = source >= 0 && readers[at(source)] == 1;
    if (node.op == Op::batch_norm && is_only_reader && out.made(inputs[0]).op == Op::conv &&
        !has_activation(out.made(inputs[0]))) {
      out.made(inputs[0]).has_bias = true;
      out.replace(id, inputs[0]);
    } else if (node.op == Op::relu && is_only_reader && can_fuse_relu(out.made(inputs[0]).op) &&
               !has_activation(out.made(inputs[0]))) {
      out.made(inputs[0]).activation = node.activation;
      out.replace(id, inputs[0]);
    } else {
      out.keep(id, inputs);
    }
    note(out[id], node);
  }
  return out.finish();
}

Graph plain_graph(const Graph& graph) {
  if (graph.is_supernet()) throw Error{"a network with open choices cannot be deployed"};
  return merged(live(graph));
}

}  // namespace

Graph as_filters(const Graph& graph) {
  Rewriter out{graph};
  for (NodeId id = 0; id < graph.size(); ++id) {
    out.keep(id, graph.inputs(id));  // node for node: ids stay
    Node& node = out.made(id);
    if (node.op == Op::batch_norm) {
      node.op = Op::conv;
      node.groups = node.shape.channels;
    }
    if (node.op == Op::conv) node.has_bias = true;
  }
  return out.finish();
}

Graph deployed(const Graph& graph) {
  return deployed(plain_graph(graph), [](NodeId, const Node&) {});
}

Deployment deployment(const Graph& graph) {
  const Graph plain = plain_graph(graph);
  std::unordered_map<std::int32_t, NodeId> originals;  // by name, which both graphs share
  for (NodeId id = 0; id < graph.size(); ++id) originals[graph.node(id).name] = id;
  Deployment made;
  made.deployed = deployed(plain, [&](NodeId id, const Node& node) {
    made.made_of.resize(std::max(made.made_of.size(), at(id) + 1));
    made.made_of[at(id)].push_back(originals.at(node.name));
  });
  return made;
}

}  // namespace thimble
