// InceptionTime: Ismail Fawaz et al., "InceptionTime: Finding AlexNet for Time Series
// Classification", 2020, arXiv 1909.04939: six inception modules, a residual behind every third.
//
// A module: 1x1 bottleneck; three convolutions of it, with windows of 8k - 1, 4k - 1 and 2k - 1 for
// the kernel k (39, 19 and 9 for the published 5); a 1x1 convolution of the max-pooled input; all
// joined, batch norm, ReLU. Batch norm and ReLU stand before the joining here: the same function,
// and they fold into the convolutions. Windows of 39, not 40, have a middle; tsai's version has
// them, too.

#include "baseline.hpp"

namespace superblocks {
namespace {

constexpr std::size_t kModulesPerResidual = 3;

NodeId module(Layers& layers, NodeId x, const Block& block) {
  const int out = layers.filters(block.width);
  const NodeId bottleneck = layers.bare_conv(x, {.out = out});
  std::vector<NodeId> branches;
  for (const int times : {8, 4, 2})
    branches.push_back(layers.conv(bottleneck, {.out = out,
                                                .kernel = times * block.kernel - 1,
                                                .stride = block.stride,
                                                .activation = Activation::relu}));
  branches.push_back(layers.conv(layers.max_pool(x, 3, block.stride),
                                 {.out = out, .activation = Activation::relu}));
  return layers.graph().concat(branches);
}

/// Batch norm of `x`, with a 1x1 convolution before it where the shape must change.
NodeId shortcut(Layers& layers, NodeId x, NodeId to) {
  if (layers.shape(x) == layers.shape(to)) return layers.graph().batch_norm(x);
  // Lengths are rounded up by every stride in between; one stride of the ratio ends at the same.
  const int length = layers.shape(to).height;
  const int stride = (layers.shape(x).height + length - 1) / length;
  return layers.conv(x, {.out = layers.shape(to).channels, .stride = stride});
}

NodeId inception_modules(Layers& layers, NodeId x, const Block& block) {
  const NodeId y = module(layers, x, block);
  if (block.inputs.size() % kModulesPerResidual != 0) return y;
  const NodeId before = block.inputs[block.inputs.size() - kModulesPerResidual];
  return layers.graph().relu(layers.add(y, shortcut(layers, before, y)));
}

}  // namespace

const Baseline kInceptionTime{.name = "inception_time",
                              .data = Data::series,
                              .stem = no_stem,
                              .superblock = inception_modules,
                              .head = classifier,
                              .groups = {{{.width = 32, .depth = 2, .kernel = 5, .stride = 1},
                                          {.width = 32, .depth = 2, .kernel = 5, .stride = 1},
                                          {.width = 32, .depth = 1, .kernel = 5, .stride = 1},
                                          {.width = 32, .depth = 1, .kernel = 5, .stride = 1}}}};

}  // namespace superblocks
