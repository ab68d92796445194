// Networks of every search space learn 64 samples of noise by heart, and can be pruned.

#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <support/comparison.hpp>
#include <support/pruning.hpp>
#include <support/training.hpp>
#include <support/world.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/search_space.hpp>
#include <thimble/train/quantise.hpp>
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

/// Batch norm behind the ReLU, where no convolution before it takes it in, and scores that go
/// through a ReLU: what learned is what the integers are made of, and the C computes these.
TEST(NetworksOfThePaper, ComputeInCWhatTheyLearned) {
  PluginLoader loader = testing::plugins();
  const auto space = testing::make<SearchSpace>(
      loader, "time_series_cells",
      "{steps: 32, sensors: 6, classes: 4, norm: paper, head_relu: true}");
  test::Comparison program;
  Random random{1};
  const Telling task;
  for (int i = 0; i < 3; ++i) {
    Graph graph = live(space->build(random_genotype(space->decisions(), random)));
    const Shape shape = graph.node(0).shape;
    const Pictures data{64, true, 0.3F, shape};
    const TrainingData part{data, shape, 0, 1};
    Network network = small_network(graph);
    FloatLearner learner{network};
    Trainer trainer{learner, task, part, short_recipe(6), 1, 1};
    while (!trainer.is_done()) trainer.run_epoch();
    trainer.finish();
    EXPECT_LT(trainer.epochs().back().loss, 0.8 * trainer.epochs().front().loss);

    const at::Tensor images = data.all(Split::train).images;
    Int8Network integers = lower(folded(calibrated(network, images)));
    integers.name = fmt::format("paper{}", i);
    const at::Tensor told = IntegerNetwork{integers}.forward(images);
    EXPECT_GE(told.argmax(1).eq(network.forward(images).argmax(1)).sum().item<std::int64_t>(), 58)
        << "of 64, as in float";
    std::vector<std::int8_t> input;
    for (std::int64_t n = 0; n < integers.tensor(0).shape.elements(); ++n)
      input.push_back(static_cast<std::int8_t>(static_cast<int>(random.below(256)) - 128));
    program.add(integers, input);
  }
  program.expect_equal(test::kPortable);
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
        of_family("mobilenet_v2"), of_family("resnet18"), of_family("squeezenet"),
        of_family("mbednet"), of_family("mobilenet_v1"), of_family("efficientnet_lite0"),
        Case{"inception_time", "superblocks",
             "{families: [inception_time], channels: 1, height: 32, width: 4, classes: 4}"},
        Case{"time_series_cells", "time_series_cells", "{steps: 32, sensors: 6, classes: 4}"},
        Case{"time_series_cells_of_the_paper", "time_series_cells",
             "{steps: 32, sensors: 6, classes: 4, norm: paper}"},
        Case{"mbednet_1d", "superblocks",
             "{families: [mbednet_1d], channels: 1, height: 32, width: 4, classes: 4}"},
        Case{"cnn_1d_of_superblocks", "superblocks",
             "{families: [cnn_1d], channels: 1, height: 32, width: 4, classes: 4}"}),
    [](const auto& tried) { return tried.param.name; });

}  // namespace
}  // namespace thimble::trainable_spaces_test
