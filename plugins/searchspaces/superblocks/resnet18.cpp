// ResNet18: He, Zhang, Ren and Sun, "Deep Residual Learning for Image Recognition", CVPR 2016,
// arXiv 1512.03385, table 1, with projections where shapes change (option B).

#include "baseline.hpp"

namespace superblocks {
namespace {

/// Of a small input as the same authors have it for CIFAR-10 (section 4.2): 3x3 and no pool.
NodeId resnet_stem(Layers& layers, NodeId x) {
  if (layers.is_input_small())
    return layers.conv(x, {.out = layers.filters(64), .kernel = 3, .activation = Activation::relu});
  x = layers.conv(
      x, {.out = layers.filters(64), .kernel = 7, .stride = 2, .activation = Activation::relu});
  return layers.max_pool(x, 3, 2);
}

NodeId residual_block(Layers& layers, NodeId x, const Block& block) {
  const int out = layers.filters(block.width);
  NodeId y = layers.conv(
      x,
      {.out = out, .kernel = block.kernel, .stride = block.stride, .activation = Activation::relu});
  y = layers.conv(y, {.out = out, .kernel = 3});
  if (layers.shape(x).channels != out || block.stride > 1)
    x = layers.conv(x, {.out = out, .stride = block.stride});
  return layers.graph().relu(layers.add(y, x));
}

}  // namespace

const Baseline kResNet18{.name = "resnet18",
                         .data = Data::images,
                         .stem = resnet_stem,
                         .superblock = residual_block,
                         .head = classifier,
                         .groups = {{{.width = 64, .depth = 2, .kernel = 3, .stride = 1},
                                     {.width = 128, .depth = 2, .kernel = 3, .stride = 2},
                                     {.width = 256, .depth = 2, .kernel = 3, .stride = 2},
                                     {.width = 512, .depth = 2, .kernel = 3, .stride = 2}}}};

}  // namespace superblocks
