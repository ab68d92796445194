#include <thimble/page/network_plan.hpp>

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/hardware.hpp>

namespace thimble {
namespace {

/// "conv 3x3 / 2": window and stride where they say something.
std::string kernel_text(const Int8Layer& layer) {
  std::string text = name_of(layer.kernel);
  const bool has_window = layer.kernel == Kernel::conv || layer.kernel == Kernel::depthwise ||
                          layer.kernel == Kernel::avg_pool || layer.kernel == Kernel::max_pool;
  if (!has_window) return text;
  text += fmt::format(" {}x{}", layer.window.height, layer.window.width);
  const auto [down, right] = layer.stride;
  if (down != right) return text + fmt::format(" / {}x{}", down, right);
  return down > 1 ? text + fmt::format(" / {}", down) : text;
}

/// When each tensor is in use. What overwrites its input takes its place over.
std::vector<NetworkPlan::Block> blocks_of(const Int8Network& network, const MemoryPlan& plan) {
  const int layers = static_cast<int>(network.layers.size());
  std::vector<NetworkPlan::Block> blocks;
  for (std::size_t i = 0; i < network.tensors.size(); ++i)
    blocks.push_back(
        {static_cast<int>(i), 0, 0, plan.tensor_offsets[i], network.tensors[i].shape.elements()});
  const auto of = [&](int tensor) -> NetworkPlan::Block& {
    return blocks[static_cast<std::size_t>(tensor)];
  };
  for (int i = 0; i < layers; ++i) {
    const Int8Layer& layer = network.layers[static_cast<std::size_t>(i)];
    of(layer.output).first = of(layer.output).last = i;
    for (const int input : layer.inputs) of(input).last = i;
  }
  of(network.output).last = std::max(0, layers - 1);
  for (const Int8Layer& layer : network.layers)
    for (const int input : layer.inputs)
      if (of(input).offset == of(layer.output).offset && of(input).last == of(layer.output).first)
        of(input).last = std::max(of(input).first, of(input).last - 1);
  return blocks;
}

void add_scratch(const Int8Network& network, const MemoryPlan& plan, NetworkPlan& made) {
  for (std::size_t i = 0; i < network.layers.size(); ++i)
    if (plan.scratch_offsets[i] >= 0)
      made.blocks.push_back({-1, static_cast<int>(i), static_cast<int>(i), plan.scratch_offsets[i],
                             scratch_bytes(network, network.layers[i])});
}

/// What is in use while each layer runs.
void add_alive(NetworkPlan& made) {
  for (const NetworkPlan::Block& block : made.blocks)
    for (int i = block.first; i <= block.last && i < std::ssize(made.layers); ++i)
      made.layers[static_cast<std::size_t>(i)].alive_bytes += block.bytes;
  const auto most = std::ranges::max_element(made.layers, {}, &NetworkPlan::Layer::alive_bytes);
  if (most != made.layers.end())
    made.peak_layer = static_cast<std::size_t>(most - made.layers.begin());
}

}  // namespace

NetworkPlan plan_of(const Graph& network, const Hardware* hardware) {
  const Graph graph = deployed(network);
  const Int8Network lowered = skeleton(graph);
  const MemoryPlan plan = plan_memory(lowered, scratch_bytes);
  NetworkPlan made;
  made.input = graph.node(0).shape;
  for (const Int8Layer& layer : lowered.layers) {
    const Node& node = graph.node(static_cast<NodeId>(layer.output));
    NetworkPlan::Layer& own = made.layers.emplace_back();
    own.name = layer.name;
    own.kernel = kernel_text(layer);
    own.shape = node.shape;
    own.inputs = layer.inputs;
    own.macs = macs(graph, node);
    own.latency_ms = std::numeric_limits<double>::quiet_NaN();
    if (hardware == nullptr) continue;
    const OpCost cost = hardware->op_cost(graph, node);
    own.latency_ms = cost.latency_ms;
    own.rom_bytes = cost.rom_bytes;
  }
  made.blocks = blocks_of(lowered, plan);
  add_scratch(lowered, plan, made);
  made.arena_bytes = plan.arena_bytes;
  made.lower_bound_bytes = plan.lower_bound_bytes;
  add_alive(made);
  return made;
}

}  // namespace thimble
