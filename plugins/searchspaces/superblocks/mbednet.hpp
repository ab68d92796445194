#pragma once

#include "baseline.hpp"

/// MbedNet is thimble's own. The paper that this search space is from (PrototypeNAS, arXiv
/// 2603.15106) names a network so and does not publish it; this one takes its name and its intent,
/// a MobileNet for microcontrollers, and no number of it can be compared.
///
/// Blocks are depthwise separable convolutions; the input is added where shapes agree. Nothing is
/// expanded: a block holds no tensor with more channels than it takes or gives.
namespace superblocks::mbednet {

NodeId stem(Layers& layers, NodeId x);
NodeId superblock(Layers& layers, NodeId x, const Block& block);

inline constexpr std::array<Group, kGroups> kWidths{
    {{.width = 32, .depth = 1, .kernel = 3, .stride = 1},
     {.width = 64, .depth = 2, .kernel = 3, .stride = 2},
     {.width = 128, .depth = 2, .kernel = 3, .stride = 2},
     {.width = 256, .depth = 2, .kernel = 3, .stride = 2}}};

}  // namespace superblocks::mbednet
