#include <thimble/graph/blocks.hpp>

#include <algorithm>
#include <string>

#include <thimble/core/text.hpp>

#include "reach.hpp"

namespace thimble {
namespace {

/// Behind the input, what every path to the output goes through: no edge leads past such a node.
std::vector<NodeId> bottlenecks(const Graph& graph) {
  const Reach found = reach(graph);
  std::vector<NodeId> last_reader(static_cast<std::size_t>(graph.size()));
  for (NodeId id = 0; id < graph.size(); ++id)
    if (found.is_live(id))
      for (const NodeId input : graph.inputs(id)) last_reader[static_cast<std::size_t>(input)] = id;
  std::vector<NodeId> passed;
  NodeId furthest = 0;
  for (NodeId id = 0; id < graph.size(); ++id) {
    if (!found.is_live(id)) continue;
    if (id > 0 && furthest <= id) passed.push_back(id);
    furthest = std::max(furthest, last_reader[static_cast<std::size_t>(id)]);
  }
  return passed;
}

/// The scopes around a node that no choice has opened; a choice opens one of its decision's name,
/// and within it one of each option's label.
std::string scope_of(const Graph& graph, NodeId id) {
  const auto words = split(graph.name(id), '/');
  const auto is_choice = [&](std::size_t i) {
    const bool is_last = i + 2 == words.size() && graph.node(id).op == Op::choice;
    return std::ranges::any_of(graph.decisions(), [&](const ChoiceDecision& decision) {
      return decision.name == words[i] &&
             (is_last || std::ranges::count(decision.options, words[i + 1]) > 0);
    });
  };
  std::string scope;
  for (std::size_t i = 0; i + 1 < words.size() && !is_choice(i); ++i) scope += words[i] + "/";
  return scope;
}

}  // namespace

std::vector<NodeId> block_outputs(const Graph& graph) {
  const std::vector<NodeId> passed = bottlenecks(graph);
  std::vector<NodeId> outputs;
  for (std::size_t i = 0; i < passed.size(); ++i) {
    const std::string scope = scope_of(graph, passed[i]);
    const bool goes_on = i + 1 < passed.size() && scope_of(graph, passed[i + 1]) == scope;
    if (!scope.empty() && !goes_on) outputs.push_back(passed[i]);
  }
  if (!outputs.empty()) return outputs;
  for (const NodeId id : passed) {
    const Op op = graph.node(id).op;
    if (op == Op::global_avg_pool || op == Op::linear) break;
    outputs.push_back(id);
  }
  return outputs;
}

}  // namespace thimble
