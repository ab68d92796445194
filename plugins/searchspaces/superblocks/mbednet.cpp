// MbedNet for images: mbednet.hpp says what it is.

#include "mbednet.hpp"

namespace superblocks {
namespace mbednet {

NodeId stem(Layers& layers, NodeId x) {
  return layers.conv(x, {.out = layers.filters(16),
                         .kernel = 3,
                         .stride = layers.stem_stride(),
                         .activation = Activation::relu});
}

NodeId superblock(Layers& layers, NodeId x, const Block& block) {
  const NodeId y = depthwise_separable(layers, x, block);
  return layers.shape(y) == layers.shape(x) ? layers.add(y, x) : y;
}

}  // namespace mbednet

const Baseline kMbedNet{.name = "mbednet",
                        .data = Data::images,
                        .stem = mbednet::stem,
                        .superblock = mbednet::superblock,
                        .head = classifier,
                        .groups = mbednet::kWidths};

}  // namespace superblocks
