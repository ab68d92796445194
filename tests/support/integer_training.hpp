#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include <thimble/nn/calibration.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/quantise.hpp>
#include <thimble/train/trainer.hpp>

#include "training.hpp"

/// Networks that are ready to become integers, and such as learn.
namespace thimble {

/// With batch norms that have statistics, and drawn weights.
inline Network settled_network(const Graph& graph = small_graph()) {
  Network made = small_network(graph);
  settle_statistics(made, Pictures{64, true}.all(Split::train), 32);
  return made;
}

inline FloatNetwork folded_network(const Graph& graph = small_graph()) {
  return folded(calibrated(settled_network(graph), Pictures{64, true}.all(Split::train).images));
}

/// A sum, a concatenation that gives its scale to its parts, and pools that have their input's.
inline Graph graph_of_all_scales() {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .bias = true}));
  const NodeId y = g.conv(x, {.out = 8, .kernel = {1, 1}, .bias = true});
  const NodeId z =
      g.conv(x, {.out = 8, .kernel = {3, 3}, .padding = {1, 1}, .groups = 8, .bias = true});
  x = g.max_pool(g.add({{x, g.concat({{y}}), z}}), {});
  const NodeId a = g.conv(x, {.out = 4, .kernel = {1, 1}, .bias = true});
  const NodeId b = g.conv(x, {.out = 6, .kernel = {1, 1}, .bias = true});
  x = g.avg_pool(g.concat({{a, b}}), {});
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
}

/// What a node of a folded graph makes of its inputs, by LibTorch's ordinary operators; without its
/// activation.
inline at::Tensor ordinarily(const Node& node, const std::vector<at::Tensor>& in,
                             const at::Tensor& weight, const at::Tensor& bias) {
  const auto pair = [](const Extent& extent) {
    return std::array<std::int64_t, 2>{extent.height, extent.width};
  };
  const std::array<std::int64_t, 2> pixels{2, 3};
  switch (node.op) {
    case Op::conv:
      return at::conv2d(in[0], weight, bias, pair(node.stride), pair(node.padding),
                        at::IntArrayRef{1, 1}, node.groups);
    case Op::linear: return at::linear(in[0].flatten(1), weight, bias);
    case Op::max_pool:
      return at::max_pool2d(in[0], pair(node.kernel), pair(node.stride), pair(node.padding));
    case Op::avg_pool:
      return at::avg_pool2d(in[0], pair(node.kernel), pair(node.stride), pair(node.padding),
                            /*ceil_mode=*/false, /*count_include_pad=*/false);
    case Op::global_avg_pool: return in[0].mean(at::IntArrayRef{pixels}, true);
    case Op::concat: return at::cat(in, 1);
    case Op::add: {
      at::Tensor sum = in[0];
      for (std::size_t i = 1; i < in.size(); ++i) sum = sum + in[i];
      return sum;
    }
    default: return in[0];
  }
}

/// Trains integers for an epoch or more.
inline FloatNetwork learned_integers(int epochs, std::int64_t frozen_from, int jobs,
                                     double rate = 0.01, ScaleRule scales = ScaleRule::seen) {
  const Pictures data{160, true};
  const TrainingData part{data, kShape, 0, 1};
  IntegerLearner learner{folded_network(), frozen_from, scales};
  Recipe recipe = short_recipe(epochs);
  recipe.learning_rate = rate;
  const Telling telling;
  Trainer trainer{learner, telling, part, recipe, 1, jobs};
  while (!trainer.is_done()) trainer.run_epoch();
  trainer.finish();
  return learner.real();
}

}  // namespace thimble
