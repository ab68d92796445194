// Channels that are masked while a network learns, and removed.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>

#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/train/pruner.hpp>

#include <ATen/ATen.h>

#include "support/pruning.hpp"
#include "support/random_networks.hpp"
#include "support/training.hpp"

namespace thimble::pruner_test {
namespace {

const Telling kTelling;

TEST(Pruner, MasksWhatRemovalThenLeavesOut) {
  std::vector<Graph> graphs{small_graph(16)};
  for (std::uint64_t seed = 0; seed < 200; ++seed) graphs.push_back(test::AnyGraph{seed}.draw());
  int changed = 0;
  for (std::size_t i = 0; i < graphs.size(); ++i) {
    SCOPED_TRACE(i);
    const Graph graph = live(graphs[i]);
    changed += params(expect_mask_is_removal(graph, i)) < params(graph) ? 1 : 0;
  }
  EXPECT_GT(changed, 100);
}

/// One convolution of 16 channels.
Graph one_layer() {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.batch_norm(g.conv(x, {.out = 16, .kernel = {3, 3}, .padding = {1, 1}})));
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
}

/// The half that is kept where weights hardly move: what is judged is the network as it came.
KeptChannels kept_of(Network& net, PruneCriterion criterion) {
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
  return pruner.kept();
}

/// Half of the channels twins of the others, of almost no weight.
TEST(Pruner, TakesChannelsThatHardlyCount) {
  for (const auto criterion : {PruneCriterion::taylor, PruneCriterion::scale}) {
    Network net = small_network(one_layer());
    for (int c = 0; c < 16; c += 2) {
      net.parameters(1).weight[c].copy_(net.parameters(1).weight[c + 1]);
      net.parameters(2).weight[c].fill_(1e-3);
    }
    const KeptChannels kept = kept_of(net, criterion);
    for (std::size_t c = 0; c < 16; ++c) EXPECT_EQ(kept[0][c], c % 2 == 1) << c;
  }
}

/// Batch norm takes the scale of a filter away, but for its epsilon; so must a criterion.
TEST(Pruner, IsIndifferentToTheScaleInFrontOfABatchNorm) {
  const auto kept = [](PruneCriterion criterion, int most) {
    Network net = small_network(small_graph(16));
    const at::Tensor factors = at::pow(2, at::remainder(at::arange(16) * 5, most + 1));
    net.parameters(1).weight.mul_(factors.view({16, 1, 1, 1}));
    return kept_of(net, criterion);
  };
  for (const auto criterion : {PruneCriterion::taylor, PruneCriterion::scale})
    EXPECT_EQ(kept(criterion, 0), kept(criterion, 6));
  EXPECT_NE(kept(PruneCriterion::taylor, 0), kept(PruneCriterion::scale, 0)) << "two criteria";
  EXPECT_NE(kept(PruneCriterion::l1, 0), kept(PruneCriterion::l1, 6));
}

TEST(Pruner, KeepsTheLargestFiltersByL1) {
  Network net = small_network(one_layer());
  const auto size = [](int c) { return c * 7 % 16; };
  for (int c = 0; c < 16; ++c)
    net.parameters(1).weight[c].fill_((c % 2 == 0 ? -0.1 : 0.1) * (1 + size(c)));
  const KeptChannels kept = kept_of(net, PruneCriterion::l1);
  for (int c = 0; c < 16; ++c) EXPECT_EQ(kept[0][static_cast<std::size_t>(c)], size(c) >= 8) << c;
}

/// Parameters of a graph's network that these numbers are.
Network holding(const Graph& graph, const at::Tensor& numbers) {
  Network made{graph};
  FlatParameters{made}.values().copy_(numbers);
  return made;
}

/// A number's moments and mean go where it goes: told from the channels that are kept.
TEST(Pruner, HandsOnTheStateOfTheChannelsThatAreKept) {
  const Pictures data{100, true};
  const TrainingData part{data, kShape, 0, 1};
  Recipe recipe = Recipe::series();
  recipe.epochs = 4;
  recipe.batch = 32;
  recipe.averaging = 0.9;
  const Graph graph = small_graph(16);
  Network dense = small_network(graph);
  FloatLearner all{dense};
  Trainer before{all, kTelling, part, recipe, 1, 1};
  Pruner pruner{dense, {.begin = 0, .end = 0.5}, 1, 4 * before.steps_of_epoch()};
  before.hook(pruner);
  before.run_epoch();
  before.run_epoch();
  const Removal removal = removed(dense, pruner.kept());
  Network narrow = small_network(removal.graph, 9);
  FloatLearner learner{narrow};
  Trainer behind{learner, kTelling, part, recipe, 1, 1};
  behind.take_over(before.state(), removal.places);
  const auto kept = pruned_to(graph, coupled_channels(graph), pruner.kept()).kept;
  const auto of_node = [&](NodeId id) {
    const auto& channels = kept[static_cast<std::size_t>(id)];
    return at::tensor(std::vector<std::int64_t>{channels.begin(), channels.end()});
  };
  for (const char* const what : {"values", "mean", "first_moment", "second_moment"}) {
    SCOPED_TRACE(what);
    const Network whole = holding(graph, before.state().at(what));
    const Network left = holding(removal.graph, behind.state().at(what));
    for (NodeId id = 0; id < graph.size(); ++id) {
      const auto& [weight, bias] = whole.parameters(id);
      if (!weight.defined()) continue;
      SCOPED_TRACE(graph.name(id));
      at::Tensor expected = weight.index_select(0, of_node(id));
      if (weight.dim() > 1 && graph.node(id).groups == 1)
        expected = expected.index_select(1, of_node(graph.inputs(id)[0]));
      EXPECT_TRUE(at::equal(left.parameters(id).weight, expected));
      EXPECT_GT(expected.abs().sum().item<double>(), 0);
      if (!bias.defined()) continue;
      EXPECT_TRUE(at::equal(left.parameters(id).bias, bias.index_select(0, of_node(id))));
    }
  }
}

TEST(Pruner, MasksAllAtOnceInATraining) {
  const Pictures data{128, true};
  const TrainingData part{data, kShape, 0, 1};
  Network net = small_network(one_layer());
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, short_recipe(8), 1, 1};
  Pruner pruner{net,
                {.schedule = PruneSchedule::one_shot, .begin = 0.5, .end = 0.75},
                1,
                8 * trainer.steps_of_epoch()};
  trainer.hook(pruner);
  std::vector<std::ptrdiff_t> left;
  while (!trainer.is_done()) {
    trainer.run_epoch();
    const KeptChannels kept = pruner.kept();
    left.push_back(std::count(kept[0].begin(), kept[0].end(), true));
  }
  EXPECT_THAT(left, ::testing::ElementsAre(16, 16, 16, 8, 8, 8, 8, 8));
  EXPECT_LT(trainer.epochs().back().loss, trainer.epochs()[3].loss) << "it learns on";
}

/// Each group by a share of its own.
TEST(Pruner, LeavesWhatWasDecided) {
  Graph g;
  NodeId x = g.input(kShape);
  for (const int width : {16, 12})
    x = g.relu(g.batch_norm(g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}})));
  g.linear(g.global_avg_pool(x), kClasses);
  Network net = small_network(g);
  const Prune how{.from = PruneFrom::decisions, .decided = {0.25, 0.6}, .begin = 0, .end = 0.5};
  const Masking masking{net, how};
  const auto left = [](const std::vector<bool>& group) {
    return std::count(group.begin(), group.end(), true);
  };
  const KeptChannels kept = masking.pruner.kept();
  EXPECT_EQ(left(kept[0]), 12);
  EXPECT_EQ(left(kept[1]), 8);
  const Graph graph = removed(net, kept).graph;
  const Graph expected = pruned_graph(g, how);
  for (NodeId id = 0; id < g.size(); ++id)
    EXPECT_EQ(graph.node(id).shape, expected.node(id).shape) << id;
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
  int came_back = 0;
  for (std::size_t c = 8; c < 16; ++c) {
    EXPECT_TRUE(second[c]) << c;
    came_back += first[c] ? 0 : 1;
  }
  EXPECT_GT(came_back, 0);
  const std::int64_t begin = net.parameters(1).weight.numel();
  EXPECT_TRUE(at::equal(parameters.values().slice(0, begin + 8, begin + 16),
                        before.slice(0, begin + 8, begin + 16)));
}

}  // namespace
}  // namespace thimble::pruner_test
