#pragma once

#include <string>
#include <vector>

#include <thimble/graph/graph.hpp>

/// The four networks of MLPerf Tiny (C. Banbury et al., arXiv:2106.07597) as its reference models
/// have them, batch norm folded: mlcommons/tiny, benchmark/training. Padding is symmetric where
/// TensorFlow's SAME puts more at the end; sizes and multiply-accumulates are the same.
namespace thimble::test {

inline NodeId conv_relu(Graph& g, NodeId x, const Graph::Conv& conv) {
  return g.relu(g.conv(x, conv));
}

inline Graph::Conv conv3x3(int out, int stride = 1) {
  return {
      .out = out, .kernel = {3, 3}, .stride = {stride, stride}, .padding = {1, 1}, .bias = true};
}

inline NodeId depthwise_pointwise(Graph& g, NodeId x, int out, int stride = 1) {
  const int channels = g.node(x).shape.channels;
  Graph::Conv depthwise = conv3x3(channels, stride);
  depthwise.groups = channels;
  return conv_relu(g, conv_relu(g, x, depthwise), {.out = out, .bias = true});
}

inline void classifier(Graph& g, NodeId x, int classes) {
  g.softmax(g.linear(g.global_avg_pool(x), classes));
}

/// Image classification: CIFAR-10.
inline Graph resnet8() {
  Graph g;
  NodeId x = conv_relu(g, g.input({3, 32, 32}), conv3x3(16));
  for (const int out : {16, 32, 64}) {
    const int stride = out == 16 ? 1 : 2;
    const NodeId y = g.conv(conv_relu(g, x, conv3x3(out, stride)), conv3x3(out));
    if (stride > 1) x = g.conv(x, {.out = out, .stride = {stride, stride}, .bias = true});
    x = g.relu(g.add({{x, y}}));
  }
  classifier(g, x, 10);
  return g;
}

/// Keyword spotting: a spectrogram of 49 steps and 10 bands.
inline Graph ds_cnn() {
  Graph g;
  NodeId x =
      conv_relu(g, g.input({1, 49, 10}),
                {.out = 64, .kernel = {10, 4}, .stride = {2, 2}, .padding = {5, 1}, .bias = true});
  for (int i = 0; i < 4; ++i) x = depthwise_pointwise(g, x, 64);
  classifier(g, x, 12);
  return g;
}

/// Visual wake words: MobileNetV1 of a quarter of the width.
inline Graph mobilenet_v1() {
  Graph g;
  NodeId x = conv_relu(g, g.input({3, 96, 96}), conv3x3(8, 2));
  struct Block {
    int out;
    int stride;
  };
  for (const auto& [out, stride] : {Block{16, 1},
                                    {32, 2},
                                    {32, 1},
                                    {64, 2},
                                    {64, 1},
                                    {128, 2},
                                    {128, 1},
                                    Block{128, 1},
                                    {128, 1},
                                    {128, 1},
                                    {128, 1},
                                    {256, 2},
                                    {256, 1}})
    x = depthwise_pointwise(g, x, out, stride);
  classifier(g, x, 2);
  return g;
}

/// Anomaly detection: an autoencoder of five frames with 128 bands.
inline Graph autoencoder() {
  Graph g;
  NodeId x = g.input({640, 1, 1});
  for (const int out : {128, 128, 128, 128, 8, 128, 128, 128, 128}) x = g.relu(g.linear(x, out));
  g.linear(x, 640);
  return g;
}

struct PublishedNetwork {
  std::string name;   ///< a C identifier
  std::string title;  ///< as the tables of measurements call it
  Graph graph;
  std::int64_t macs;  ///< of the reference models' convolutions and fully connected layers
};

inline std::vector<PublishedNetwork> mlperf_tiny() {
  return {{"resnet8", "mlperf_tiny_ic_resnet8", resnet8(), 12'501'632},
          {"ds_cnn", "mlperf_tiny_kws_dscnn", ds_cnn(), 2'656'768},
          {"mobilenet_v1", "mlperf_tiny_vww_mobilenetv1_0.25_96", mobilenet_v1(), 7'489'664},
          {"autoencoder", "mlperf_tiny_ad_autoencoder", autoencoder(), 264'192}};
}

}  // namespace thimble::test
