#pragma once

#include <set>
#include <span>

#include <thimble/graph/graph.hpp>

/// What baselines are built with.
namespace superblocks {

using thimble::Activation;
using thimble::Extent;
using thimble::Graph;
using thimble::NodeId;

/// A width multiplied: rounded to a multiple of 8, at least 8, and no less than 90 % of what it
/// should be, as the authors of MobileNet do.
int multiplied(int width, double multiplier);

/// Layers of one network under construction.
///
/// A window of 3 is 3x3 on an image. A time series is 1 x T x S, time down and sensors across; its
/// windows of 3 are 3 points long. Convolutions with filters read all sensors at once, so the map
/// is one column wide behind the first: from there on these are the 1-D convolutions of the papers.
class Layers {
 public:
  struct Settings {
    bool is_series = false;
    bool is_input_small = false;  ///< stems keep the map as large as the input
    double multiplier = 1.0;      ///< of widths
    int classes = 0;
  };

  /// `graph` outlives this object.
  Layers(Graph& graph, const Settings& settings) : graph_{graph}, settings_{settings} {}

  struct Conv {
    int out = 0;
    int kernel = 1;
    int stride = 1;
    Activation activation = Activation::none;  ///< not of a bare one
  };

  Graph& graph() { return graph_; }
  const thimble::Shape& shape(NodeId x) const { return graph_.node(x).shape; }
  int classes() const { return settings_.classes; }
  bool is_input_small() const { return settings_.is_input_small; }
  /// What a stem that is published with a stride of two strides by.
  int stem_stride() const { return is_input_small() ? 1 : 2; }

  /// A width of the baseline times the multiplier: how many filters a convolution gets.
  int filters(int width);

  /// A convolution without bias. Padded, as all below, so that only strides make maps smaller.
  NodeId bare_conv(NodeId x, const Conv& conv);
  /// The same, batch norm, and the activation.
  NodeId conv(NodeId x, const Conv& conv);
  /// A filter for each channel, batch norm, and the activation.
  NodeId depthwise(NodeId x, int kernel, int stride, Activation activation);
  NodeId max_pool(NodeId x, int kernel, int stride);
  NodeId add(NodeId a, NodeId b);

  /// All that filters() was asked about.
  const std::set<int>& widths() const { return widths_; }

 private:
  Graph::Conv window(NodeId x, int kernel, int stride) const;
  NodeId normalised(NodeId x, Activation activation);

  Graph& graph_;
  Settings settings_;
  std::set<int> widths_;
};

/// One superblock to be built.
struct Block {
  int width = 0;
  int kernel = 3;
  int stride = 1;
  /// What the superblocks of the network read so far, this one last.
  std::span<const NodeId> inputs = {};
};

/// The input as it is.
NodeId no_stem(Layers& layers, NodeId x);

/// Global average pool and fully connected layer.
NodeId classifier(Layers& layers, NodeId x);

/// What each cell tells, by a pointwise convolution.
NodeId map_head(Layers& layers, NodeId x, int channels);

/// Depthwise, then pointwise convolution, each with batch norm and ReLU (Howard et al. 2017, arXiv
/// 1704.04861).
NodeId depthwise_separable(Layers& layers, NodeId x, const Block& block);

/// Pointwise convolution to six times the channels, depthwise convolution, each with batch norm and
/// ReLU6, and pointwise convolution with batch norm; the input is added where shapes agree (Sandler
/// et al. 2018, arXiv 1801.04381).
NodeId inverted_residual(Layers& layers, NodeId x, const Block& block);

/// What MobileNetV2 and the EfficientNets begin with, down to a quarter of a large input's size.
NodeId mobile_stem(Layers& layers, NodeId x);
/// Their last block, convolution to 1,280 channels, and classifier.
NodeId mobile_head(Layers& layers, NodeId x);

}  // namespace superblocks
