// MCUNet's networks for ImageNet and the two that it is compared with: J. Lin et al., MCUNet: Tiny
// Deep Learning on IoT Devices, NeurIPS 2020 (arXiv 2007.10319), as their authors' declarations
// have them (mit-han-lab/mcunet, assets/configs, MIT licence).

#include <span>

#include "network.hpp"

namespace zoo {
namespace {

/// Pointwise convolution to `inner` channels, unless there are so many, depthwise convolution, each
/// with ReLU6, and pointwise convolution to `out`; the input is added where shapes agree (Sandler
/// et al. 2018, arXiv 1801.04381).
struct Block {
  int inner;
  int kernel;
  int stride;
  int out;
};

NodeId inverted_residual(Graph& graph, NodeId x, const Block& block) {
  NodeId y = x;
  if (graph.node(x).shape.channels != block.inner)
    y = convolution(graph, y, square(block.inner, 1), Activation::relu6);
  y = convolution(graph, y, square(block.inner, block.kernel, block.stride, block.inner),
                  Activation::relu6);
  y = convolution(graph, y, square(block.out, 1), Activation::none);
  return graph.node(x).shape == graph.node(y).shape ? graph.add({{x, y}}) : y;
}

/// `last`: channels of a pointwise convolution behind the blocks; 0: none.
NodeId blocks_of(Graph& graph, NodeId x, int outputs, int first, std::span<const Block> blocks,
                 int last) {
  x = convolution(graph, x, square(first, 3, 2), Activation::relu6);
  for (const Block& block : blocks) x = inverted_residual(graph, x, block);
  if (last > 0) x = convolution(graph, x, square(last, 1), Activation::relu6);
  return classifier(graph, x, outputs);
}

NodeId mcunet_in0(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{
      Block{24, 3, 1, 16},   Block{64, 5, 2, 16},   Block{48, 3, 1, 16},  Block{64, 3, 1, 16},
      Block{80, 7, 2, 24},   Block{96, 5, 1, 24},   Block{120, 5, 1, 24}, Block{120, 7, 2, 48},
      Block{192, 5, 1, 48},  Block{240, 3, 1, 56},  Block{224, 5, 1, 56}, Block{280, 3, 1, 56},
      Block{336, 3, 2, 112}, Block{448, 5, 1, 112}, Block{672, 3, 1, 192}};
  return blocks_of(graph, x, outputs, 24, kBlocks, 0);
}

NodeId mcunet_in1(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{Block{16, 3, 1, 8},   Block{32, 3, 2, 16},  Block{48, 3, 1, 16},
                                   Block{48, 7, 2, 24},  Block{120, 3, 1, 24}, Block{120, 3, 2, 40},
                                   Block{160, 7, 1, 40}, Block{160, 5, 1, 48}, Block{144, 3, 1, 48},
                                   Block{192, 3, 1, 48}, Block{240, 7, 2, 96}, Block{384, 5, 1, 96},
                                   Block{384, 5, 1, 96}, Block{576, 3, 1, 160}};
  return blocks_of(graph, x, outputs, 16, kBlocks, 0);
}

NodeId mcunet_in2(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{
      Block{16, 3, 1, 8},   Block{24, 5, 2, 16},  Block{96, 7, 1, 16},  Block{80, 3, 1, 16},
      Block{80, 5, 1, 16},  Block{80, 3, 2, 24},  Block{144, 7, 1, 24}, Block{144, 5, 1, 24},
      Block{96, 7, 2, 40},  Block{200, 5, 1, 40}, Block{200, 3, 1, 48}, Block{240, 5, 1, 48},
      Block{192, 3, 1, 48}, Block{288, 5, 2, 96}, Block{384, 5, 1, 96}, Block{288, 5, 1, 96},
      Block{384, 3, 1, 96}, Block{480, 5, 1, 160}};
  return blocks_of(graph, x, outputs, 16, kBlocks, 0);
}

NodeId mcunet_in3(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{
      Block{16, 3, 1, 8},   Block{24, 7, 2, 16},  Block{80, 3, 1, 16},  Block{80, 7, 1, 16},
      Block{64, 5, 1, 16},  Block{80, 5, 2, 24},  Block{120, 5, 1, 24}, Block{120, 5, 1, 24},
      Block{120, 3, 2, 40}, Block{240, 7, 1, 40}, Block{160, 5, 1, 40}, Block{200, 5, 1, 48},
      Block{240, 7, 1, 48}, Block{240, 3, 1, 48}, Block{288, 3, 2, 96}, Block{480, 7, 1, 96},
      Block{384, 3, 1, 96}, Block{480, 7, 1, 160}};
  return blocks_of(graph, x, outputs, 16, kBlocks, 0);
}

NodeId mcunet_in4(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{
      Block{32, 3, 1, 16},  Block{48, 7, 2, 24},   Block{120, 3, 1, 24},  Block{96, 5, 1, 24},
      Block{120, 7, 2, 40}, Block{160, 3, 1, 40},  Block{160, 7, 1, 40},  Block{120, 7, 2, 80},
      Block{240, 3, 1, 80}, Block{240, 7, 1, 80},  Block{320, 3, 1, 96},  Block{288, 5, 1, 96},
      Block{288, 5, 1, 96}, Block{384, 7, 2, 192}, Block{576, 7, 1, 192}, Block{576, 5, 1, 192},
      Block{768, 5, 1, 320}};
  return blocks_of(graph, x, outputs, 32, kBlocks, 0);
}

NodeId mobilenet_v2_035(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{Block{16, 3, 1, 8},   Block{48, 3, 2, 8},   Block{48, 3, 1, 8},
                                   Block{48, 3, 2, 16},  Block{96, 3, 1, 16},  Block{96, 3, 1, 16},
                                   Block{96, 3, 2, 24},  Block{144, 3, 1, 24}, Block{144, 3, 1, 24},
                                   Block{144, 3, 1, 24}, Block{144, 3, 1, 32}, Block{192, 3, 1, 32},
                                   Block{192, 3, 1, 32}, Block{192, 3, 2, 56}, Block{336, 3, 1, 56},
                                   Block{336, 3, 1, 56}, Block{336, 3, 1, 112}};
  return blocks_of(graph, x, outputs, 16, kBlocks, 448);
}

NodeId proxyless_03(Graph& graph, NodeId x, int outputs) {
  static constexpr Block kBlocks[]{
      Block{16, 3, 1, 8},   Block{24, 5, 2, 16},  Block{48, 3, 1, 16},  Block{48, 7, 2, 16},
      Block{48, 3, 1, 16},  Block{48, 5, 1, 16},  Block{48, 5, 1, 16},  Block{96, 7, 2, 24},
      Block{72, 5, 1, 24},  Block{72, 5, 1, 24},  Block{72, 5, 1, 24},  Block{144, 5, 1, 32},
      Block{96, 5, 1, 32},  Block{96, 5, 1, 32},  Block{96, 5, 1, 32},  Block{192, 7, 2, 64},
      Block{384, 7, 1, 64}, Block{192, 7, 1, 64}, Block{192, 7, 1, 64}, Block{384, 7, 1, 96}};
  return blocks_of(graph, x, outputs, 16, kBlocks, 384);
}

}  // namespace

std::vector<Network> mcunet_networks() {
  return {{"mcunet_in0", {3, 48, 48}, 1000, mcunet_in0},
          {"mcunet_in1", {3, 96, 96}, 1000, mcunet_in1},
          {"mcunet_in2", {3, 160, 160}, 1000, mcunet_in2},
          {"mcunet_in3", {3, 176, 176}, 1000, mcunet_in3},
          {"mcunet_in4", {3, 160, 160}, 1000, mcunet_in4},
          {"mobilenet_v2_035", {3, 144, 144}, 1000, mobilenet_v2_035},
          {"proxyless_03", {3, 176, 176}, 1000, proxyless_03}};
}

}  // namespace zoo
