#pragma once

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/graph/pruning.hpp>
#include <thimble/train/pruner.hpp>
#include <thimble/train/trainer.hpp>

#include "support/training.hpp"

/// Networks whose channels are masked, and what removal leaves of them.
namespace thimble {

/// A pruner that has masked what its criterion says, of weights as they are.
struct Masking {
  explicit Masking(Network& net, const Prune& how, std::int64_t steps = 1)
      : parameters{net}, pruner{net, how, 1, steps} {
    recipe.learning_rate = 0;
    Optimiser optimiser{recipe, parameters};
    pruner.after_update(parameters, optimiser, steps - 1);
  }

  Recipe recipe;
  FlatParameters parameters;
  Pruner pruner;
};

inline Network settled(const Graph& graph, std::uint64_t seed) {
  Network made = small_network(graph, seed);
  const Shape& shape = graph.node(0).shape;
  settle_statistics(made, {drawn({32, shape.channels, shape.height, shape.width}, 1), {}}, 16);
  return made;
}

/// The network that is left, with the weights of the one it was taken from.
inline Network left_of(const Network& masked, const Pruner& pruner) {
  const Removal removal = removed(masked, pruner.kept());
  Network made{removal.graph};
  std::vector<at::Tensor> all;
  for (const at::Tensor& parameter : masked.all_parameters()) all.push_back(parameter.reshape(-1));
  FlatParameters{made}.values().copy_(at::cat(all).index_select(0, removal.places));
  const Pruned pruned = pruned_to(masked.graph(), coupled_channels(masked.graph()), pruner.kept());
  for (NodeId id = 0; id < made.graph().size(); ++id) {
    const auto& [mean, variance] = masked.statistics(id);
    if (!mean.defined()) continue;
    const auto& own = pruned.kept[static_cast<std::size_t>(id)];
    const at::Tensor channels = at::tensor(std::vector<std::int64_t>{own.begin(), own.end()});
    made.statistics(id) = {mean.index_select(0, channels), variance.index_select(0, channels)};
  }
  return made;
}

/// Masks half of the channels, drawn, and expects the network without them to compute the same.
/// Returns its graph.
inline Graph expect_mask_is_removal(const Graph& graph, std::uint64_t seed) {
  Network net = settled(graph, seed);
  // A ReLU6 or a bias far from 0 must not hide anything.
  for (NodeId id = 0; id < graph.size(); ++id)
    if (at::Tensor& bias = net.parameters(id).bias; bias.defined())
      bias.copy_(drawn({bias.numel()}, seed + 7));
  const Masking masking{
      net, {.sparsity = 0.5, .criterion = PruneCriterion::random, .begin = 0, .end = 0.5}};
  const Network left = left_of(net, masking.pruner);
  const Shape& shape = graph.node(0).shape;
  const at::Tensor images = drawn({4, shape.channels, shape.height, shape.width}, 9);
  const at::Tensor truth = net.forward(images), found = left.forward(images);
  EXPECT_LT((truth - found).abs().max().item<double>(),
            1e-5 * std::max(1.0, truth.abs().max().item<double>()));
  return left.graph();
}

}  // namespace thimble
