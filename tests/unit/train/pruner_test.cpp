// Channels that are masked while a network learns, and removed.

#include <cmath>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/train/pruner.hpp>

#include <ATen/ATen.h>

#include "support/random_networks.hpp"
#include "support/training.hpp"

namespace thimble {
namespace {

const Telling kTelling;

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

Network settled(const Graph& graph, std::uint64_t seed) {
  Network made = small_network(graph, seed);
  const Shape& shape = graph.node(0).shape;
  settle_statistics(made, {drawn({32, shape.channels, shape.height, shape.width}, 1), {}}, 16);
  return made;
}

/// The network that is left, with the weights of the one it was taken from.
Network left_of(const Network& masked, const Pruner& pruner) {
  const Removal removal = removed(masked, pruner.kept());
  Network made{removal.graph};
  std::vector<at::Tensor> all;
  for (const at::Tensor& parameter : masked.all_parameters()) all.push_back(parameter.reshape(-1));
  FlatParameters{made}.values().copy_(at::cat(all).index_select(0, removal.places));
  const Coupling coupling = coupled_channels(masked.graph());
  std::vector<double> none(coupling.groups.size());
  const auto kept = pruner.kept();
  for (std::size_t g = 0; g < none.size(); ++g)
    none[g] = 1 - std::accumulate(kept[g].begin(), kept[g].end(), 0.0) /
                      static_cast<double>(kept[g].size());
  const Pruned pruned = thimble::pruned(masked.graph(), coupling, none, kept, 1);
  for (NodeId id = 0; id < made.graph().size(); ++id) {
    const auto& [mean, variance] = masked.statistics(id);
    if (!mean.defined()) continue;
    const auto& own = pruned.kept[static_cast<std::size_t>(id)];
    const at::Tensor channels = at::tensor(std::vector<std::int64_t>{own.begin(), own.end()});
    made.statistics(id) = {mean.index_select(0, channels), variance.index_select(0, channels)};
  }
  return made;
}

TEST(Pruner, MasksWhatRemovalThenLeavesOut) {
  std::vector<Graph> graphs{small_graph(16)};
  for (std::uint64_t seed = 0; seed < 200; ++seed) graphs.push_back(test::AnyGraph{seed}.draw());
  int changed = 0;
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    SCOPED_TRACE(i);
    const Graph graph = live(graphs[i]);
    Network net = settled(graph, i);
    // A ReLU6 or a bias far from 0 must not hide anything.
    for (NodeId id = 0; id < graph.size(); ++id)
      if (at::Tensor& bias = net.parameters(id).bias; bias.defined())
        bias.copy_(drawn({bias.numel()}, i + 7));
    Masking masking{net,
                    {.sparsity = 0.5, .criterion = PruneCriterion::random, .begin = 0, .end = 0.5}};
    const Network left = left_of(net, masking.pruner);
    changed += params(left.graph()) < params(graph) ? 1 : 0;
    const Shape& shape = graph.node(0).shape;
    const at::Tensor images = drawn({4, shape.channels, shape.height, shape.width}, 9);
    const at::Tensor truth = net.forward(images), found = left.forward(images);
    EXPECT_LT((truth - found).abs().max().item<double>(),
              1e-5 * std::max(1.0, truth.abs().max().item<double>()));
  }
  EXPECT_GT(changed, 100);
}

/// Half of the channels twins of the others, of almost no weight.
TEST(Pruner, TakesChannelsThatHardlyCount) {
  for (const auto criterion : {PruneCriterion::taylor, PruneCriterion::scale}) {
    Graph g;
    NodeId x = g.input(kShape);
    x = g.relu(g.batch_norm(g.conv(x, {.out = 16, .kernel = {3, 3}, .padding = {1, 1}})));
    g.linear(g.global_avg_pool(x), kClasses);
    Network net = small_network(g);
    for (int c = 0; c < 16; c += 2) {
      net.parameters(1).weight[c].copy_(net.parameters(1).weight[c + 1]);
      net.parameters(2).weight[c].fill_(1e-3);
    }
    const Pictures data{64, true};
    const TrainingData part{data, kShape, 0, 1};
    FloatLearner learner{net};
    Recipe recipe = short_recipe(4);
    recipe.learning_rate = 1e-4;
    Trainer trainer{learner, kTelling, part, recipe, 1, 1};
    Pruner pruner{net,
                  {.sparsity = 0.5, .criterion = criterion, .begin = 0.1, .end = 0.9},
                  1,
                  4 * trainer.steps_of_epoch()};
    trainer.hook(pruner);
    while (!trainer.is_done()) trainer.run_epoch();
    for (std::size_t c = 0; c < 16; ++c) EXPECT_EQ(pruner.kept()[0][c], c % 2) << c;
  }
}

/// Batch norm takes the scale of a filter away; so must a criterion.
TEST(Pruner, IsIndifferentToTheScaleInFrontOfABatchNorm) {
  const auto kept = [](PruneCriterion criterion, float scale) {
    Network net = small_network(small_graph(16));
    const at::Tensor factors = at::pow(scale, at::arange(16).to(at::kFloat) / 16);
    net.parameters(1).weight.mul_(factors.view({16, 1, 1, 1}));
    return Masking{net, {.criterion = criterion, .begin = 0, .end = 0.5}}.pruner.kept();
  };
  EXPECT_EQ(kept(PruneCriterion::scale, 1), kept(PruneCriterion::scale, 100));
  EXPECT_NE(kept(PruneCriterion::l1, 1), kept(PruneCriterion::l1, 100));
}

TEST(Pruner, RampsAsItSays) {
  const Prune how{.begin = 0.2, .end = 0.6};
  EXPECT_EQ(masked_share(how, 0), 0);
  EXPECT_EQ(masked_share(how, 0.19), 0);
  EXPECT_EQ(masked_share(how, 0.2), 0);
  EXPECT_NEAR(masked_share(how, 0.4), 1 - 0.125, 1e-12);
  EXPECT_EQ(masked_share(how, 0.6), 1);
  EXPECT_EQ(masked_share(how, 1), 1);
  const Prune at_once{.schedule = PruneSchedule::one_shot, .begin = 0.2, .end = 0.6};
  EXPECT_EQ(masked_share(at_once, 0.1), 0);
  EXPECT_EQ(masked_share(at_once, 0.2), 1);
}

TEST(Pruner, LeavesAMultipleOfFourAndFourAtLeast) {
  for (const auto& [width, sparsity, left] :
       {std::tuple{16, 0.5, 8}, {16, 0.6, 8}, {12, 0.9, 4}, {8, 1.0, 4}, {3, 0.9, 3}}) {
    Network net = small_network(small_graph(width));
    const Masking masking{net, {.sparsity = sparsity, .begin = 0, .end = 0.5}};
    for (const auto& group : masking.pruner.kept())
      EXPECT_EQ(std::accumulate(group.begin(), group.end(), 0.0), left) << width << ' ' << sparsity;
  }
}

at::Tensor weights_after(const Prune* how, int epochs, int jobs = 1) {
  const Pictures data{100, true};
  const TrainingData part{data, kShape, 0, 1};
  Network net = small_network(small_graph(16));
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, short_recipe(epochs), 1, jobs};
  std::optional<Pruner> pruner;
  if (how != nullptr) {
    pruner.emplace(net, *how, 1, epochs * trainer.steps_of_epoch());
    trainer.hook(*pruner);
  }
  while (!trainer.is_done()) trainer.run_epoch();
  return trainer.state().at("values").clone();
}

TEST(Pruner, ChangesNoBitWhereNothingIsToGo) {
  const Prune nothing{.sparsity = 0};
  EXPECT_TRUE(at::equal(weights_after(nullptr, 3), weights_after(&nothing, 3)));
}

TEST(Pruner, ChoosesTheSameWithAnyNumberOfThreads) {
  const Prune half{};
  const at::Tensor one = weights_after(&half, 3, 1);
  EXPECT_TRUE(at::equal(one, weights_after(&half, 3, 2)));
  EXPECT_TRUE(at::equal(one, weights_after(&half, 3, 4)));
}

/// Masked under scores of one kind, a channel whose scores rise comes back as it was.
TEST(Pruner, LetsChannelsComeBack) {
  Network net = small_network(small_graph(16));
  FlatParameters parameters{net};
  const at::Tensor before = parameters.values().clone();
  Recipe recipe;
  Optimiser optimiser{recipe, parameters};
  Pruner pruner{net, {.begin = 0, .end = 0.9}, 1, 100};
  at::Tensor gradient = at::zeros_like(before);
  const auto mask_by = [&](std::int64_t first, std::int64_t step) {
    // Scales of the first batch norm: node 2's weight lies behind node 1's.
    gradient.zero_();
    const std::int64_t begin = net.parameters(1).weight.numel();
    gradient.slice(0, begin + first, begin + first + 8).fill_(1);
    for (int i = 0; i < 60; ++i) pruner.before_update(parameters, gradient);
    pruner.after_update(parameters, optimiser, step);
    return pruner.kept()[0];
  };
  const auto first = mask_by(0, 32);
  const auto second = mask_by(8, 64);
  double came_back = 0;
  for (std::size_t c = 8; c < 16; ++c) {
    EXPECT_EQ(second[c], 1) << c;
    came_back += second[c] - first[c];
  }
  EXPECT_GT(came_back, 0);
  const std::int64_t begin = net.parameters(1).weight.numel();
  EXPECT_TRUE(at::equal(parameters.values().slice(0, begin + 8, begin + 16),
                        before.slice(0, begin + 8, begin + 16)));
}

}  // namespace
}  // namespace thimble
