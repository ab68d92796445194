// Losses against LibTorch's, and small trainings: what must be learnt is, what cannot is not, and
// the number of threads changes no bit.

#include <numeric>

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>
#include <thimble/core/random.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/loss.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

constexpr Shape kShape{3, 8, 8};
constexpr int kClasses = 4;

at::Tensor drawn(at::IntArrayRef sizes, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(sizes, generator, at::kFloat);
}

/// Noise about a picture a class; the labels can be anything.
class Pictures final : public Dataset {
 public:
  Pictures(std::int64_t samples, bool has_true_labels, float noise = 1)
      : labels_{at::zeros({samples}, at::kLong)} {
    const at::Tensor means = drawn({kClasses, kShape.channels, kShape.height, kShape.width}, 1);
    images_ = noise * drawn({2 * samples, kShape.channels, kShape.height, kShape.width}, 2);
    Random random = Random::stream(3, {"labels"});
    labels_ = at::arange(2 * samples) % kClasses;
    images_ += means.index_select(0, labels_);
    if (has_true_labels) return;
    for (std::int64_t i = 0; i < 2 * samples; ++i)
      labels_[i] = static_cast<std::int64_t>(random.below(kClasses));
  }

  DatasetInfo describe() const override {
    return {"pictures", kShape, kClasses, images_.size(0) / 2, images_.size(0) / 2, ""};
  }

  Samples batch(Split split, std::span<const std::int64_t> indices) const override {
    const std::int64_t first = split == Split::test ? images_.size(0) / 2 : 0;
    at::Tensor places = at::zeros({static_cast<std::int64_t>(indices.size())}, at::kLong);
    for (std::size_t i = 0; i < indices.size(); ++i)
      places[static_cast<std::int64_t>(i)] = first + indices[i];
    return {images_.index_select(0, places), labels_.index_select(0, places)};
  }

  Samples all(Split split) const {
    std::vector<std::int64_t> places(static_cast<std::size_t>(images_.size(0) / 2));
    std::iota(places.begin(), places.end(), 0);
    return batch(split, places);
  }

 private:
  at::Tensor images_;
  at::Tensor labels_;
};

Graph small_graph(int width = 8) {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.batch_norm(g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}})));
  const NodeId y = g.batch_norm(g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}}));
  x = g.relu(g.add({{x, y}}));
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
}

Network network(const Graph& graph = small_graph(), std::uint64_t seed = 1) {
  Network made{graph, at::kFloat};
  made.initialise(Init::kaiming_normal_fan_in, seed, "weights");
  return made;
}

Recipe short_recipe(int epochs) {
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.batch = 32;
  recipe.label_smoothing = 0;
  return recipe;
}

TEST(CrossEntropy, IsLibTorchsAndSoIsItsGradient) {
  for (const double smoothing : {0.0, 0.1, 0.7}) {
    const at::Tensor logits = drawn({6, 5}, 1).to(at::kDouble).requires_grad_();
    const at::Tensor labels = at::arange(6) % 5;
    const at::Tensor theirs = at::cross_entropy_loss(logits, labels, {}, 2, -100, smoothing);
    const at::Tensor gradient = torch::autograd::grad({theirs}, {logits})[0];
    const Loss ours = cross_entropy(logits.detach(), labels, smoothing);
    EXPECT_NEAR(ours.sum, theirs.item<double>(), 1e-12);
    EXPECT_TRUE(at::allclose(ours.gradient, gradient, 1e-10, 1e-12));
  }
}

TEST(CrossEntropy, CountsWhatIsRightAndRefusesWhatIsNoClass) {
  const at::Tensor logits = at::tensor({2.0, 1.0, 0.0, 5.0, 0.5, 0.5}).view({3, 2});
  EXPECT_EQ(cross_entropy(logits, at::tensor({0, 0, 0}).to(at::kLong), 0).right, 2);
  for (const int label : {-1, 2})
    EXPECT_THROW(cross_entropy(logits, at::tensor({0, label, 0}).to(at::kLong), 0), Error);
}

TEST(Trainer, FitsSixtyFourSamplesOfNoise) {
  const Pictures data{64, /*has_true_labels=*/false};
  for (const int width : {16, 64}) {  // the second lies channels last
    Network net = network(small_graph(width));
    Recipe recipe = short_recipe(100);  // two steps each
    recipe.weight_decay = 0;
    Trainer trainer{net, data, recipe, 1, 2};
    EpochOutcome last;
    for (int epoch = 0; epoch < recipe.epochs; ++epoch) last = trainer.run_epoch();
    EXPECT_EQ(last.accuracy, 1) << width << ": loss " << last.loss;
  }
}

TEST(Trainer, LearnsWhatThereIsToLearnAndNothingElse) {
  for (const bool has_true_labels : {true, false}) {
    const Pictures data{512, has_true_labels, /*noise=*/1};
    Network net = network();
    Trainer trainer{net, data, short_recipe(10), 1, 2};
    for (int epoch = 0; epoch < 10; ++epoch) trainer.run_epoch();
    settle_statistics(net, data.all(Split::train), 64);
    const double found = accuracy(net, data, Split::test, 512, 2);
    if (has_true_labels) {
      EXPECT_GT(found, 0.9);
    } else {
      EXPECT_NEAR(found, 1.0 / kClasses, 0.08);
    }
  }
}

TEST(Trainer, GivesTheSameWeightsAtAnyNumberOfThreads) {
  const Pictures data{100, true};  // the last batch has four, too few
  std::vector<at::Tensor> first;
  for (const int jobs : {1, 2, 4}) {
    Network net = network();
    Recipe recipe = short_recipe(3);
    recipe.micro_batches = 4;
    Trainer trainer{net, data, recipe, 5, jobs};
    EXPECT_EQ(trainer.steps_of_epoch(), 3);
    for (int epoch = 0; epoch < 3; ++epoch) trainer.run_epoch();
    const auto weights = net.clone().all_parameters();
    if (first.empty()) first = weights;
    for (std::size_t i = 0; i < weights.size(); ++i) EXPECT_TRUE(at::equal(weights[i], first[i]));
  }
}

TEST(Trainer, StepsDownTheGradientOfLibTorchsTape) {
  const Pictures data{32, true};
  Recipe recipe = short_recipe(1);
  recipe.micro_batches = 1;
  recipe.momentum = 0;
  recipe.weight_decay = 0;
  recipe.schedule = Schedule::constant;
  recipe.warm_up = 0;
  Network net = network();
  const Network taped = net.clone();
  std::vector<at::Tensor> leaves = taped.all_parameters();
  for (at::Tensor& leaf : leaves) leaf.requires_grad_();
  const Samples all = data.all(Split::train);
  const at::Tensor loss = at::cross_entropy_loss(taped.forward(all.images), all.labels);
  const auto gradients = torch::autograd::grad({loss}, leaves);
  Trainer trainer{net, data, recipe, 1, 1};
  EXPECT_NEAR(trainer.run_epoch().loss, loss.item<double>(), 1e-5);
  const auto weights = net.all_parameters();
  for (std::size_t i = 0; i < weights.size(); ++i)
    EXPECT_TRUE(at::allclose(weights[i], leaves[i].detach() - recipe.learning_rate * gradients[i],
                             1e-3, 1e-5));
}

TEST(Statistics, AreThoseOfAllSamples) {
  const Pictures data{96, true};
  Network net = network();
  const Samples all = data.all(Split::train);
  settle_statistics(net, all, 32);
  // The first batch norm reads the same numbers whatever the batches are.
  const at::Tensor x = at::conv2d(all.images, net.parameters(1).weight, {}, 1, 1);
  EXPECT_TRUE(at::allclose(net.statistics(2).mean, x.mean({0, 2, 3}), 1e-4, 1e-5));
  EXPECT_TRUE(
      at::allclose(net.statistics(2).variance, x.var({0, 2, 3}, /*unbiased=*/false), 1e-4, 1e-5));
  // With them, a sample's logits do not depend on its company.
  const at::Tensor together = net.forward(all.images.slice(0, 0, 2));
  EXPECT_TRUE(at::allclose(together[0], net.forward(all.images.slice(0, 0, 1))[0], 1e-4, 1e-5));
  EXPECT_TRUE(net.clone().statistics(2).mean.defined());
}

TEST(Trainer, SaysWhenItDiverges) {
  const Pictures data{64, true};
  Network net = network();
  Recipe recipe = short_recipe(50);
  recipe.learning_rate = 1e3;
  recipe.weight_decay = 1;
  recipe.warm_up = 0;
  Trainer trainer{net, data, recipe, 1, 1};
  const auto train = [&] {
    for (int epoch = 0; epoch < 50; ++epoch) trainer.run_epoch();
  };
  EXPECT_THAT(train, ::testing::ThrowsMessage<Error>(::testing::HasSubstr("not finite")));
}

TEST(Trainer, TakesAllSamplesWhereABatchIsLargerThanTheData) {
  const Pictures data{20, true};
  Network net = network();
  Recipe recipe = short_recipe(1);
  recipe.batch = 512;
  EXPECT_EQ((Trainer{net, data, recipe, 1, 1}.steps_of_epoch()), 1);
}

}  // namespace
}  // namespace thimble
