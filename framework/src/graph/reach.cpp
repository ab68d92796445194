#include "reach.hpp"

namespace thimble {

Reach reach(const Graph& graph) {
  const auto count = static_cast<std::size_t>(graph.size());
  Reach reach{std::vector<bool>(count), std::vector<bool>(count)};
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    bool depends = node.op == Op::input;
    for (const NodeId input : graph.inputs(node))
      depends = depends || reach.from_input[static_cast<std::size_t>(input)];
    reach.from_input[static_cast<std::size_t>(id)] = depends;
  }
  reach.to_output[static_cast<std::size_t>(graph.output())] = true;
  for (NodeId id = graph.size() - 1; id >= 0; --id) {
    if (!reach.to_output[static_cast<std::size_t>(id)]) continue;
    for (const NodeId input : graph.inputs(id))
      reach.to_output[static_cast<std::size_t>(input)] = true;
  }
  return reach;
}

}  // namespace thimble
