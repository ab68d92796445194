#include "layers.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace superblocks {

int multiplied(int width, double multiplier) {
  constexpr int kMultiple = 8;
  const double wanted = width * multiplier;
  const int nearest = kMultiple * static_cast<int>(std::floor(wanted / kMultiple + 0.5));
  const int filters = std::max(nearest, kMultiple);
  return filters < 0.9 * wanted ? filters + kMultiple : filters;
}

int Layers::filters(int width) {
  widths_.insert(width);
  return multiplied(width, settings_.multiplier);
}

Graph::Conv Layers::window(NodeId x, int kernel, int stride) const {
  const int half = kernel / 2;
  if (!settings_.is_series)
    return {.kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {half, half}};
  return {.kernel = {kernel, shape(x).width}, .stride = {stride, 1}, .padding = {half, 0}};
}

NodeId Layers::normalised(NodeId x, Activation activation) {
  const NodeId norm = graph_.batch_norm(x);
  return activation == Activation::none ? norm : graph_.relu(norm, activation);
}

NodeId Layers::bare_conv(NodeId x, const Conv& conv) {
  Graph::Conv made = window(x, conv.kernel, conv.stride);
  made.out = conv.out;
  return graph_.conv(x, made);
}

NodeId Layers::conv(NodeId x, const Conv& conv) {
  return normalised(bare_conv(x, conv), conv.activation);
}

NodeId Layers::depthwise(NodeId x, int kernel, int stride, Activation activation) {
  Graph::Conv made = window(x, kernel, stride);
  made.out = made.groups = shape(x).channels;
  return normalised(graph_.conv(x, made), activation);
}

NodeId Layers::max_pool(NodeId x, int kernel, int stride) {
  const int half = kernel / 2;
  if (settings_.is_series)
    return graph_.max_pool(x, {.kernel = {kernel, 1}, .stride = {stride, 1}, .padding = {half, 0}});
  return graph_.max_pool(
      x, {.kernel = {kernel, kernel}, .stride = {stride, stride}, .padding = {half, half}});
}

NodeId Layers::add(NodeId a, NodeId b) {
  const std::array terms{a, b};
  return graph_.add(terms);
}

NodeId no_stem(Layers&, NodeId x) { return x; }

NodeId classifier(Layers& layers, NodeId x) {
  Graph& graph = layers.graph();
  return graph.linear(graph.global_avg_pool(x), layers.classes());
}

NodeId map_head(Layers& layers, NodeId x, int channels) {
  return layers.graph().conv(x, {.out = channels, .bias = true});
}

NodeId depthwise_separable(Layers& layers, NodeId x, const Block& block) {
  x = layers.depthwise(x, block.kernel, block.stride, Activation::relu);
  return layers.conv(x, {.out = layers.filters(block.width), .activation = Activation::relu});
}

namespace {

/// The second half of an inverted residual that began at `from`.
NodeId projected(Layers& layers, NodeId from, NodeId x, const Block& block) {
  x = layers.depthwise(x, block.kernel, block.stride, Activation::relu6);
  x = layers.conv(x, {.out = layers.filters(block.width)});
  return layers.shape(x) == layers.shape(from) ? layers.add(x, from) : x;
}

}  // namespace

NodeId inverted_residual(Layers& layers, NodeId x, const Block& block) {
  // Six times what there is, so that the ratio is the same at every width multiplier.
  const int hidden = 6 * layers.shape(x).channels;
  const NodeId wide = layers.conv(x, {.out = hidden, .activation = Activation::relu6});
  return projected(layers, x, wide, block);
}

NodeId mobile_stem(Layers& layers, NodeId x) {
  const int stride = layers.stem_stride();
  x = layers.conv(
      x,
      {.out = layers.filters(32), .kernel = 3, .stride = stride, .activation = Activation::relu6});
  x = projected(layers, x, x, {.width = 16});
  x = inverted_residual(layers, x, {.width = 24, .stride = stride});
  return inverted_residual(layers, x, {.width = 24});
}

NodeId mobile_head(Layers& layers, NodeId x) {
  x = inverted_residual(layers, x, {.width = 320});
  x = layers.conv(x, {.out = layers.filters(1280), .activation = Activation::relu6});
  return classifier(layers, x);
}

}  // namespace superblocks
