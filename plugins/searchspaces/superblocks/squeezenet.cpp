// SqueezeNet 1.1: Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters",
// 2016, arXiv 1602.07360; version 1.1 of github.com/forresti/SqueezeNet, with 2.4 times less work.
// Convolutions with biases and no batch norm. A superblock is a Fire module: 1x1 convolution to an
// eighth of its width, then a 1x1 and a 3x3 convolution to half of it each, joined. The kernel is
// that of the larger window, the stride that of a max-pool before the module.

#include <array>

#include "baseline.hpp"

namespace superblocks {
namespace {

/// Windows of 3 with stride 2 are not padded, as published, unless the map is smaller than they
/// are.
Extent padding(const thimble::Shape& map) {
  return {map.height < 3 ? 1 : 0, map.width < 3 ? 1 : 0};
}

NodeId conv_relu(Layers& layers, NodeId x, int width, int kernel) {
  const int half = kernel / 2;
  return layers.graph().relu(layers.graph().conv(x, {.out = layers.filters(width),
                                                     .kernel = {kernel, kernel},
                                                     .padding = {half, half},
                                                     .bias = true}));
}

NodeId halved(Layers& layers, NodeId x) {
  return layers.graph().max_pool(
      x, {.kernel = {3, 3}, .stride = {2, 2}, .padding = padding(layers.shape(x))});
}

NodeId pooled_stem(Layers& layers, NodeId x) {
  if (layers.is_input_small()) return conv_relu(layers, x, 64, 3);
  Graph& graph = layers.graph();
  x = graph.conv(x, {.out = layers.filters(64),
                     .kernel = {3, 3},
                     .stride = {2, 2},
                     .padding = padding(layers.shape(x)),
                     .bias = true});
  return halved(layers, graph.relu(x));
}

NodeId fire_module(Layers& layers, NodeId x, const Block& block) {
  if (block.stride > 1) x = halved(layers, x);
  const NodeId squeezed = conv_relu(layers, x, block.width / 8, 1);
  const std::array branches{conv_relu(layers, squeezed, block.width / 2, 1),
                            conv_relu(layers, squeezed, block.width / 2, block.kernel)};
  return layers.graph().concat(branches);
}

NodeId head(Layers& layers, NodeId x) {
  Graph& graph = layers.graph();
  return graph.global_avg_pool(graph.relu(graph.conv(x, {.out = layers.classes(), .bias = true})));
}

}  // namespace

const Baseline kSqueezeNet{.name = "squeezenet",
                           .data = Data::images,
                           .stem = pooled_stem,
                           .superblock = fire_module,
                           .head = head,
                           .groups = {{{.width = 128, .depth = 2, .kernel = 3, .stride = 1},
                                       {.width = 256, .depth = 2, .kernel = 3, .stride = 2},
                                       {.width = 384, .depth = 2, .kernel = 3, .stride = 2},
                                       {.width = 512, .depth = 2, .kernel = 3, .stride = 1}}}};

}  // namespace superblocks
