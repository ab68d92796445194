// Networks of every search space learn 64 samples of noise by heart, and can be pruned.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <support/pruning.hpp>
#include <support/training.hpp>
#include <support/world.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble::trainable_spaces_test {
namespace {

struct Case {
  std::string name;
  std::string space;
  std::string parameters;
};

void PrintTo(const Case& tried, std::ostream* out) { *out << tried.name; }

/// A network of the space, drawn; none whose training would take minutes.
Graph drawn_network(const SearchSpace& space) {
  constexpr std::int64_t kMostMacs = 5'000'000;
  for (Random random{1};;) {
    Graph graph = space.build(random_genotype(space.decisions(), random));
    if (is_connected(graph) && macs(graph) <= kMostMacs) return graph;
  }
}

bool has_batch_norm(const Graph& graph) {
  return std::ranges::any_of(graph.nodes(),
                             [](const Node& node) { return node.op == Op::batch_norm; });
}

class EverySpace : public ::testing::TestWithParam<Case> {};

/// Noise has no structure that a network could use in place of memory.
TEST_P(EverySpace, HasNetworksThatFitSixtyFourSamplesOfNoise) {
  PluginLoader loader = testing::plugins();
  const auto space = testing::make<SearchSpace>(loader, GetParam().space, GetParam().parameters);
  const Graph graph = drawn_network(*space);
  const Shape shape = graph.node(0).shape;
  const Pictures data{64, /*has_true_labels=*/false, 1, shape};
  Recipe recipe = short_recipe(200);
  recipe.batch = 64;
  recipe.micro_batches = 1;
  recipe.weight_decay = 0;
  if (!has_batch_norm(graph)) {  // the usual rate would kill all its ReLUs
    recipe.optimiser = OptimiserKind::adamw;
    recipe.learning_rate = 2e-3;
    recipe.gradient_clip = 0.5;
  }
  Network network = small_network(graph);
  const Telling task;
  const TrainingData part{data, shape, 0, 1};
  FloatLearner learner{network};
  Trainer trainer{learner, task, part, recipe, 1, 1};
  double best = 0;
  while (!trainer.is_done() && best < 1) best = std::max(best, trainer.run_epoch().train_metric);
  EXPECT_EQ(best, 1) << "loss " << trainer.epochs().back().loss;
}

TEST_P(EverySpace, MasksWhatRemovalLeavesOut) {
  PluginLoader loader = testing::plugins();
  const auto space = testing::make<SearchSpace>(loader, GetParam().space, GetParam().parameters);
  const Graph graph = live(drawn_network(*space));
  EXPECT_LT(params(expect_mask_is_removal(graph, 1)), params(graph));
}

Case of_zoo(const std::string& network) {
  return {network, "zoo",
          "{networks: [" + network + "], channels: 3, height: 16, width: 16, classes: 4}"};
}

Case of_family(const std::string& family) {
  return {family, "superblocks",
          "{families: [" + family + "], channels: 3, height: 32, width: 32, classes: 4}"};
}

INSTANTIATE_TEST_SUITE_P(
    Spaces, EverySpace,
    ::testing::Values(
        Case{"nasbench201", "nasbench201", "{image: 8, classes: 4, cells: 1}"}, of_zoo("resnet8"),
        of_zoo("ds_cnn"), of_zoo("mobilenet_v1_025"), of_zoo("cnn_1d"), of_zoo("mcunet_in0"),
        Case{"time_series_cells", "time_series_cells", "{steps: 32, sensors: 6, classes: 4}"},
        of_family("mobilenet_v2"), of_family("resnet18"), of_family("squeezenet"),
        of_family("mbednet"), of_family("mobilenet_v1"), of_family("efficientnet_lite0"),
        Case{"inception_time", "superblocks",
             "{families: [inception_time], channels: 1, height: 32, width: 4, classes: 4}"},
        Case{"mbednet_1d", "superblocks",
             "{families: [mbednet_1d], channels: 1, height: 32, width: 4, classes: 4}"}),
    [](const auto& tried) { return tried.param.name; });

}  // namespace
}  // namespace thimble::trainable_spaces_test
