// MobileNetV1: Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile
// Vision Applications", 2017, arXiv 1704.04861, table 1. The same blocks are the DS-CNN of keyword
// spotting (Zhang, Suda, Lai and Chandra, "Hello Edge", 2017, arXiv 1711.07128). The six blocks of
// 512 are two groups; what is narrower than 256 is the stem's.

#include "baseline.hpp"

namespace superblocks {
namespace {

NodeId conv_stem(Layers& layers, NodeId x) {
  const int stride = layers.stem_stride();
  x = layers.conv(
      x,
      {.out = layers.filters(32), .kernel = 3, .stride = stride, .activation = Activation::relu});
  x = depthwise_separable(layers, x, {.width = 64});
  x = depthwise_separable(layers, x, {.width = 128, .stride = stride});
  return depthwise_separable(layers, x, {.width = 128});
}

}  // namespace

const Baseline kMobileNetV1{.name = "mobilenet_v1",
                            .data = Data::images,
                            .stem = conv_stem,
                            .superblock = depthwise_separable,
                            .head = classifier,
                            .groups = {{{.width = 256, .depth = 2, .kernel = 3, .stride = 2},
                                        {.width = 512, .depth = 3, .kernel = 3, .stride = 2},
                                        {.width = 512, .depth = 3, .kernel = 3, .stride = 1},
                                        {.width = 1024, .depth = 2, .kernel = 3, .stride = 2}}}};

}  // namespace superblocks
