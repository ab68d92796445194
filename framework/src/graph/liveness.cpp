#include <thimble/graph/liveness.hpp>

#include <vector>

namespace thimble {

MemoryPeak peak_memory(const Graph& graph, std::int64_t element_bytes,
                       const std::function<std::int64_t(const Node&)>& scratch_bytes) {
  const NodeId count = graph.size();
  std::vector<NodeId> last_reader(static_cast<std::size_t>(count));
  for (NodeId id = 0; id < count; ++id) {
    last_reader[static_cast<std::size_t>(id)] = id;
    for (const NodeId input : graph.inputs(id)) last_reader[static_cast<std::size_t>(input)] = id;
  }
  last_reader[static_cast<std::size_t>(graph.output())] = count;  // the caller still reads it

  MemoryPeak peak;
  std::int64_t live = 0;
  const auto bytes = [&](NodeId id) { return graph.node(id).shape.elements() * element_bytes; };
  for (NodeId id = 0; id < count; ++id) {
    live += bytes(id);
    const std::int64_t now = live + scratch_bytes(graph.node(id));
    if (now > peak.bytes) peak = {now, id};
    const auto inputs = graph.inputs(id);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      bool is_repeated = false;  // a node may read the same tensor twice
      for (std::size_t j = 0; j < i; ++j) is_repeated |= inputs[j] == inputs[i];
      if (!is_repeated && last_reader[static_cast<std::size_t>(inputs[i])] == id)
        live -= bytes(inputs[i]);
    }
    if (last_reader[static_cast<std::size_t>(id)] == id) live -= bytes(id);
  }
  return peak;
}

}  // namespace thimble
