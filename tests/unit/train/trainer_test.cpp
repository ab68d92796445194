// Losses against LibTorch's, and small trainings: what must be learnt is, what cannot is not, and
// the number of threads changes no bit.

#include <algorithm>
#include <set>

#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/loss.hpp>
#include <thimble/train/trainer.hpp>

#include "support/training.hpp"

namespace thimble::trainer_test {
namespace {

const Telling kTelling;

/// Of the test part.
double share_right(const Network& net, const TrainingData& part, const Pictures& data) {
  const auto [outputs, labels] = answers(outputs_of(net), part, Split::test, data.all(), 2);
  return kTelling.measure(outputs, labels).front();
}

TEST(TrainingData, OfOnePersonSetsTheLastSamplesAside) {
  Pictures pictures{40, true};
  pictures.people.assign(40, 7);
  const TrainingData data{pictures, kShape, 0.25, 1};
  ASSERT_EQ(data.validated().size(), 10U);
  for (std::size_t i = 0; i < 10; ++i)
    EXPECT_EQ(data.validated()[i], static_cast<std::int64_t>(30 + i));
  EXPECT_EQ(data.learned().size(), 30U);
  EXPECT_TRUE(is_of_one_group(pictures));
  pictures.people[5] = 8;
  EXPECT_FALSE(is_of_one_group(pictures));
  EXPECT_FALSE(is_of_one_group(Pictures(40, true))) << "without groups nothing is known of them";
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

TEST(CrossEntropy, WeighsClassesAsLibTorchDoes) {
  const at::Tensor logits = drawn({6, 3}, 1).to(at::kDouble).requires_grad_();
  const at::Tensor labels = at::arange(6) % 3;
  const std::vector<double> weights{0.5, 2, 3};
  const at::Tensor theirs = at::cross_entropy_loss(logits, labels, at::tensor(weights), 2);
  const at::Tensor gradient = torch::autograd::grad({theirs}, {logits})[0];
  const Loss ours = cross_entropy(logits.detach(), labels, 0, weights);
  EXPECT_NEAR(ours.sum, theirs.item<double>(), 1e-12);
  EXPECT_TRUE(at::allclose(ours.gradient, gradient, 1e-10, 1e-12));
}

TEST(CrossEntropy, RefusesWhatIsNoClass) {
  const at::Tensor logits = at::tensor({2.0, 1.0, 0.0, 5.0, 0.5, 0.5}).view({3, 2});
  for (const int label : {-1, 2})
    EXPECT_THROW(cross_entropy(logits, at::tensor({0, label, 0}).to(at::kLong), 0), Error);
}

TEST(Trainer, FitsSixtyFourSamplesOfNoise) {
  const Pictures data{64, /*has_true_labels=*/false};
  for (const int width : {16, 64}) {  // the second lies channels last
    Network net = small_network(small_graph(width));
    Recipe recipe = short_recipe(100);  // two steps each
    recipe.weight_decay = 0;
    const TrainingData part{data, kShape, 0, 1};
    FloatLearner learner{net};
    Trainer trainer{learner, kTelling, part, recipe, 1, 2};
    while (!trainer.is_done()) trainer.run_epoch();
    EXPECT_EQ(trainer.epochs().back().train_metric, 1)
        << width << ": loss " << trainer.epochs().back().loss;
  }
}

TEST(Trainer, LearnsWhatThereIsToLearnAndNothingElse) {
  for (const bool has_true_labels : {true, false}) {
    const Pictures data{512, has_true_labels, /*noise=*/1};
    Network net = small_network();
    const TrainingData part{data, kShape, 0, 1};
    FloatLearner learner{net};
    Trainer trainer{learner, kTelling, part, short_recipe(10), 1, 2};
    while (!trainer.is_done()) trainer.run_epoch();
    trainer.finish();
    const double found = share_right(net, part, data);
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
    Network net = small_network();
    Recipe recipe = short_recipe(3);
    recipe.micro_batches = 4;
    const TrainingData part{data, kShape, 0, 1};
    FloatLearner learner{net};
    Trainer trainer{learner, kTelling, part, recipe, 5, jobs};
    EXPECT_EQ(trainer.steps_of_epoch(), 3);
    for (int epoch = 0; epoch < 3; ++epoch) trainer.run_epoch();
    const auto weights = net.clone().all_parameters();
    if (first.empty()) first = weights;
    for (std::size_t i = 0; i < weights.size(); ++i) EXPECT_TRUE(at::equal(weights[i], first[i]));
  }
}

/// The copy that a GPU would run has the weights of each step, and gives back what was settled.
TEST(Trainer, LearnsTheSameOnADevice) {
  const Pictures data{100, true};
  const TrainingData part{data, kShape, 0.2, 1};
  Recipe recipe = short_recipe(4);
  recipe.dropout = 0.2;
  recipe.averaging = 0.9;
  for (const int width : {16, 64}) {
    std::vector<Network> learned;
    std::vector<EpochOutcome> last;
    for (const auto& [device, jobs] :
         {std::pair{Device{}, 1}, {Device{"plain"}, 1}, {Device{"plain"}, 4}}) {
      learned.push_back(small_network(small_graph(width)));
      FloatLearner learner{learned.back(), device};
      Trainer trainer{learner, kTelling, part, recipe, 5, jobs};
      while (!trainer.is_done()) trainer.run_epoch();
      trainer.finish();
      last.push_back(trainer.epochs().back());
      learned.back() = learned.back().clone();
    }
    EXPECT_NEAR(last[1].loss, last[0].loss, 1e-3);
    EXPECT_EQ(last[2].loss, last[1].loss);
    EXPECT_EQ(last[2].validation_metric, last[1].validation_metric);
    const Samples all = data.all(Split::train);
    const auto answers = [&](std::size_t i) { return learned[i].forward(all.images); };
    EXPECT_TRUE(at::allclose(answers(1), answers(0), 1e-2, 1e-2));
    EXPECT_TRUE(at::equal(answers(2), answers(1)));
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
  Network net = small_network();
  const Network taped = net.clone();
  std::vector<at::Tensor> leaves = taped.all_parameters();
  for (at::Tensor& leaf : leaves) leaf.requires_grad_();
  const Samples all = data.all(Split::train);
  const at::Tensor loss = at::cross_entropy_loss(taped.forward(all.images), all.labels);
  const auto gradients = torch::autograd::grad({loss}, leaves);
  const TrainingData part{data, kShape, 0, 1};
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, recipe, 1, 1};
  EXPECT_NEAR(trainer.run_epoch().loss, loss.item<double>(), 1e-5);
  const auto weights = net.all_parameters();
  for (std::size_t i = 0; i < weights.size(); ++i)
    EXPECT_TRUE(at::allclose(weights[i], leaves[i].detach() - recipe.learning_rate * gradients[i],
                             1e-3, 1e-5));
}

TEST(Statistics, AreThoseOfAllSamples) {
  const Pictures data{96, true};
  Network net = small_network();
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

/// Not the data: a series may lie as images do.
TEST(Trainer, AltersSamplesAsTheRecipeSays) {
  const Pictures data{32, true};
  const auto weights_with = [&](Medium medium, int crop, double noise) {
    Network net = small_network();
    Recipe recipe = short_recipe(1);
    recipe.medium = medium;
    recipe.augmentation.crop = crop;
    recipe.augmentation.time_shift = 0;
    recipe.augmentation.scale = 0;
    recipe.augmentation.noise = noise;
    const TrainingData part{data, kShape, 0, 1};
    FloatLearner learner{net};
    Trainer trainer{learner, kTelling, part, recipe, 1, 1};
    trainer.run_epoch();
    return net.all_parameters().front().clone();
  };
  const at::Tensor plain = weights_with(Medium::images, 0, 0);
  EXPECT_TRUE(at::equal(weights_with(Medium::images, 0, 1), plain));
  EXPECT_FALSE(at::equal(weights_with(Medium::images, 2, 0), plain));
  EXPECT_TRUE(at::equal(weights_with(Medium::series, 2, 0), plain));
  EXPECT_FALSE(at::equal(weights_with(Medium::series, 0, 1), plain));
}

TEST(Trainer, SaysWhenItDiverges) {
  const Pictures data{1024, true};  // 32 steps, and weights grow a thousandfold in each
  Network net = small_network();
  Recipe recipe = short_recipe(1);
  recipe.learning_rate = 1e3;
  recipe.weight_decay = 1;
  recipe.warm_up = 0;
  const TrainingData part{data, kShape, 0, 1};
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, recipe, 1, 1};
  EXPECT_THAT([&] { trainer.run_epoch(); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("not finite")));
}

TEST(Trainer, SaysWhenTheNetworkIsDead) {
  const Pictures data{64, true};
  Graph graph;
  const NodeId conv = graph.conv(graph.input(kShape), {.out = 8, .bias = true});
  graph.linear(graph.global_avg_pool(graph.relu(conv)), kClasses);
  Network net = small_network(graph);
  const TrainingData part{data, kShape, 0, 1};
  FloatLearner alive_learner{net};
  Trainer alive{alive_learner, kTelling, part, short_recipe(3), 1, 1};
  EXPECT_NO_THROW(alive.run_epoch());
  net.parameters(conv).bias.fill_(-1e6);
  EXPECT_THAT([&] { alive.run_epoch(); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("the same outputs in epoch 2")));
}

TEST(Trainer, TakesAllSamplesWhereABatchIsLargerThanTheData) {
  const Pictures data{20, true};
  Network net = small_network();
  Recipe recipe = short_recipe(1);
  recipe.batch = 512;
  const TrainingData part{data, kShape, 0, 1};
  FloatLearner learner{net};
  EXPECT_EQ((Trainer{learner, kTelling, part, recipe, 1, 1}.steps_of_epoch()), 1);
}

TEST(Trainer, GoesOnFromAStateBitForBit) {
  const Pictures data{100, true};
  const TrainingData part{data, kShape, 0.2, 1};
  for (const OptimiserKind optimiser : {OptimiserKind::sgd, OptimiserKind::adamw}) {
    Recipe recipe = short_recipe(4);
    recipe.optimiser = optimiser;
    recipe.learning_rate = 0.01;
    recipe.averaging = 0.99;
    recipe.dropout = 0.2;
    recipe.keep = Keep::best;
    recipe.augmentation = {};
    Network whole = small_network();
    FloatLearner unbroken_learner{whole};
    Trainer unbroken{unbroken_learner, kTelling, part, recipe, 5, 1};
    while (!unbroken.is_done()) unbroken.run_epoch();
    unbroken.finish();
    Network first = small_network();
    FloatLearner begun_learner{first};
    Trainer begun{begun_learner, kTelling, part, recipe, 5, 2};
    begun.run_epoch();
    begun.run_epoch();
    Network second = small_network(small_graph(), 77);  // its weights are taken over
    FloatLearner resumed_learner{second};
    Trainer resumed{resumed_learner, kTelling, part, recipe, 5, 2};
    resumed.restore(begun.state());
    EXPECT_EQ(resumed.epochs().size(), 2U);
    while (!resumed.is_done()) resumed.run_epoch();
    resumed.finish();
    const auto expected = whole.all_parameters(), found = second.all_parameters();
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_TRUE(at::equal(expected[i], found[i]));
    EXPECT_TRUE(at::equal(whole.statistics(2).mean, second.statistics(2).mean));
    EXPECT_TRUE(at::equal(tensor_of(unbroken.epochs()), tensor_of(resumed.epochs())));
  }
}

TEST(Trainer, RefusesTheStateOfAnotherTraining) {
  const Pictures data{64, true};
  const TrainingData part{data, kShape, 0, 1};
  Network net = small_network(), wide = small_network(small_graph(16));
  FloatLearner other_learner{wide};
  const Trainer other{other_learner, kTelling, part, short_recipe(1), 1, 1};
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, short_recipe(1), 1, 1};
  EXPECT_THROW(trainer.restore(other.state()), Error);
  EXPECT_THROW(trainer.restore({}), Error);
}

/// In a mean, half of a classifier's inputs count twice as much as all of them, and their gradient
/// is the tape's.
TEST(Trainer, LeavesOutSomeOfTheClassifiersInputs) {
  const Pictures data{64, true};
  const TrainingData part{data, kShape, 0, 1};
  Recipe recipe = short_recipe(30);
  recipe.dropout = 0.5;
  Network net = small_network(small_graph(32));
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, recipe, 1, 2};
  while (!trainer.is_done()) trainer.run_epoch();
  trainer.finish();
  EXPECT_GT(share_right(net, part, data), 0.8);
  // Another seed leaves out others.
  Network again = small_network(small_graph(32));
  FloatLearner other_learner{again};
  Trainer other{other_learner, kTelling, part, recipe, 2, 2};
  EXPECT_NE(other.run_epoch().loss, trainer.epochs().front().loss);
}

TEST(Trainer, HandsOnTheMeanOfItsWeightsWhereAsked) {
  const Pictures data{64, true};
  const TrainingData part{data, kShape, 0, 1};
  Recipe recipe = short_recipe(1);
  recipe.averaging = 0.5;
  Network net = small_network();
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, recipe, 1, 1};
  const at::Tensor begun = trainer.state().at("values").clone();
  trainer.run_epoch();  // two steps: the first keeps 2/11 of the mean, the second 3/12
  const at::Tensor mean = trainer.state().at("mean").clone();
  const at::Tensor last = trainer.state().at("values").clone();
  EXPECT_FALSE(at::allclose(mean, last));
  const at::Tensor first = (mean - last * (9.0 / 12)) * (12.0 / 3);  // the mean after one step
  EXPECT_FALSE(at::allclose(first, begun));
  trainer.finish();
  EXPECT_TRUE(at::equal(net.parameters(1).weight.reshape(-1), mean.slice(0, 0, 3 * 8 * 9)));
}

TEST(Trainer, KeepsTheBestEpochOfTheValidationPart) {
  const Pictures data{200, true, /*noise=*/4};
  const TrainingData part{data, kShape, 0.3, 1};
  Recipe recipe = short_recipe(12);
  recipe.keep = Keep::best;
  Network net = small_network();
  FloatLearner learner{net};
  Trainer trainer{learner, kTelling, part, recipe, 1, 2};
  double best = 0;
  while (!trainer.is_done()) best = std::max(best, *trainer.run_epoch().validation_metric);
  trainer.finish();
  const auto [outputs, labels] = answers(outputs_of(net), part, Split::train, part.validated(), 1);
  EXPECT_EQ(kTelling.measure(outputs, labels).front(), best);
}

TEST(TrainingDataParts, KeepGroupsTogether) {
  Pictures data{120, true};
  for (std::int64_t i = 0; i < 120; ++i) data.people.push_back(i % 7);
  const TrainingData part{data, kShape, 0.3, 9};
  std::set<std::int64_t> learned, validated;
  for (const std::int64_t place : part.learned()) learned.insert(place % 7);
  for (const std::int64_t place : part.validated()) validated.insert(place % 7);
  EXPECT_EQ(validated.size(), 2U);
  EXPECT_EQ(learned.size(), 5U);
  EXPECT_EQ(part.learned().size() + part.validated().size(), 120U);
  EXPECT_NE(part.validated(), (TrainingData{data, kShape, 0.3, 10}.validated()));
}

TEST(TrainingDataParts, HaveAFingerprintOfTheirOwn) {
  const auto of = [](const Pictures& data) { return data.fingerprint(); };
  EXPECT_EQ(of(Pictures{100, true}), of(Pictures{100, true}));
  const std::set<std::uint64_t> all{of(Pictures{100, true}), of(Pictures{101, true}),
                                    of(Pictures{100, false}), of(Pictures{100, true, 2})};
  EXPECT_EQ(all.size(), 4U);
}

TEST(TrainingDataParts, AreRefusedWhereTheyDoNotFit) {
  const Pictures few{7, true}, data{64, true};
  EXPECT_THROW((TrainingData{few, kShape, 0, 1}), Error);
  EXPECT_THROW((TrainingData{data, {2, 8, 8}, 0, 1}), Error);
  const TrainingData wide{data, {3, 16, 12}, 0, 1};
  const std::vector<std::int64_t> two{1, 2};
  EXPECT_EQ(wide.batch(Split::train, two).images.sizes(), (at::IntArrayRef{2, 3, 16, 12}));
}

}  // namespace
}  // namespace thimble::trainer_test
