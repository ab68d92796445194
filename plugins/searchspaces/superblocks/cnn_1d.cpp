// The plain network of time series: convolutions along time that read all channels, each with batch
// norm and ReLU, and a global average; as in Wang, Yan and Oates, "Time Series Classification from
// Scratch with Deep Neural Networks: A Strong Baseline", 2017, arXiv 1611.06455 ("FCN"), in widths
// of our own. At a width of 0.5 its first three groups are the zoo's cnn_1d.

#include "baseline.hpp"

namespace superblocks {
namespace {

NodeId convolution(Layers& layers, NodeId x, const Block& block) {
  return layers.conv(x, {.out = layers.filters(block.width),
                         .kernel = block.kernel,
                         .stride = block.stride,
                         .activation = Activation::relu});
}

}  // namespace

const Baseline kCnn1d{.name = "cnn_1d",
                      .data = Data::series,
                      .stem = no_stem,
                      .superblock = convolution,
                      .head = classifier,
                      .groups = {{{.width = 32, .depth = 1, .kernel = 5, .stride = 2},
                                  {.width = 64, .depth = 1, .kernel = 5, .stride = 2},
                                  {.width = 128, .depth = 1, .kernel = 5, .stride = 2},
                                  {.width = 128, .depth = 1, .kernel = 5, .stride = 1}}}};

}  // namespace superblocks
