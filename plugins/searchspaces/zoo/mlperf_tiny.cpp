// The reference models of MLPerf Tiny (Banbury et al. 2021, arXiv 2106.07597): mlcommons/tiny,
// benchmark/training. Where TensorFlow pads more at the end, padding here is the same on both
// sides: sizes and multiply-accumulates do not change.

#include <utility>

#include "network.hpp"

namespace zoo {
namespace {

NodeId depthwise_separable(Graph& graph, NodeId x, int out, int stride) {
  const int channels = graph.node(x).shape.channels;
  x = convolution(graph, x, square(channels, 3, stride, channels));
  return convolution(graph, x, square(out, 1));
}

/// Image classification. The shortcut's convolution has a bias and no batch norm.
NodeId resnet8(Graph& graph, NodeId x, int outputs) {
  x = convolution(graph, x, square(16, 3));
  for (const int out : {16, 32, 64}) {
    const int stride = out == 16 ? 1 : 2;
    const NodeId y = convolution(graph, convolution(graph, x, square(out, 3, stride)),
                                 square(out, 3), Activation::none);
    if (stride > 1) x = graph.conv(x, {.out = out, .stride = {stride, stride}, .bias = true});
    x = graph.relu(graph.add({{x, y}}));
  }
  return classifier(graph, x, outputs);
}

/// Keyword spotting, on a spectrogram: time down, bands across.
NodeId ds_cnn(Graph& graph, NodeId x, int outputs) {
  x = convolution(graph, x, {.out = 64, .kernel = {10, 4}, .stride = {2, 2}, .padding = {5, 1}});
  for (int i = 0; i < 4; ++i) x = depthwise_separable(graph, x, 64, 1);
  return classifier(graph, x, outputs);
}

/// Visual wake words: MobileNetV1 (Howard et al. 2017, arXiv 1704.04861) at a quarter of its width.
NodeId mobilenet_v1_025(Graph& graph, NodeId x, int outputs) {
  using OutAndStride = std::pair<int, int>;
  x = convolution(graph, x, square(8, 3, 2));
  for (const auto& [out, stride] : {OutAndStride{16, 1},
                                    {32, 2},
                                    {32, 1},
                                    {64, 2},
                                    {64, 1},
                                    {128, 2},
                                    {128, 1},
                                    {128, 1},
                                    {128, 1},
                                    {128, 1},
                                    {128, 1},
                                    {256, 2},
                                    {256, 1}})
    x = depthwise_separable(graph, x, out, stride);
  return classifier(graph, x, outputs);
}

/// Anomaly detection, on five frames of 128 bands; its batch norms are folded, as on the device.
NodeId autoencoder(Graph& graph, NodeId x, int outputs) {
  for (const int out : {128, 128, 128, 128, 8, 128, 128, 128, 128})
    x = graph.relu(graph.linear(x, out));
  return graph.linear(x, outputs);
}

}  // namespace

std::vector<Network> mlperf_tiny_networks() {
  return {{"resnet8", {3, 32, 32}, 10, resnet8},
          {"ds_cnn", {1, 49, 10}, 12, ds_cnn},
          {"mobilenet_v1_025", {3, 96, 96}, 2, mobilenet_v1_025},
          {"autoencoder", {640, 1, 1}, 0, autoencoder}};
}

}  // namespace zoo
