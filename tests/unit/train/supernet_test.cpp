// Weights that networks of a supernet share, against the networks themselves.

#include <array>
#include <cmath>
#include <filesystem>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include <ATen/ATen.h>

#include <support/training.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/train/batches.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/start_weights.hpp>
#include <thimble/train/supernet.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble::supernet_test {
namespace {

const Telling kTelling;

/// Kernels of 1 or 3, 4 or 8 channels, and a skip.
Graph supernet() {
  Graph g;
  NodeId x = g.input(kShape);
  const auto conv = [&](NodeId in, int kernel) {
    return g.conv(in, {.out = 8, .kernel = {kernel, kernel}, .padding = {kernel / 2, kernel / 2}});
  };
  const NodeId first = x;
  x = g.choice("kernel",
               {{"1", [&] { return conv(first, 1); }}, {"3", [&] { return conv(first, 3); }}});
  x = g.channels(g.relu(g.batch_norm(x)), "width", std::array{4, 8});
  const NodeId wide = x;
  x = g.choice("second", {{"skip", [&] { return wide; }},
                          {"conv", [&] { return g.relu(g.batch_norm(conv(wide, 3))); }}});
  g.linear(g.avg_pool(x, {.kernel = {4, 4}, .stride = {4, 4}}), kClasses);
  return g;
}

Recipe recipe() {
  Recipe made;
  made.epochs = 20;
  made.augmentation.flip = Flip::none;
  made.augmentation.crop = 0;
  made.batch = 32;
  made.learning_rate = 0.05;
  return made;
}

const std::vector<Path> kPaths{{0, 0, 0}, {1, 1, 1}, {0, 1, 1}, {1, 0, 0}};

struct World {
  explicit World(int jobs = 1, Recipe how = recipe()) : net{graph, kTelling, data, how, 1, jobs} {}
  Graph graph = supernet();
  Pictures pictures{96, true, 0.3F};
  TrainingData data{pictures, kShape, 0.25, 1};
  Supernet net;
};

TEST(Supernet, LearnsWithAllPaths) {
  World world;
  const double before = world.net.learn(kPaths);
  double after = 0;
  for (int i = 0; i < 60; ++i) after = world.net.learn(kPaths);
  EXPECT_LT(after, 0.5 * before);
  for (const Path& path : kPaths) EXPECT_GT(world.net.validate(path), 0.6);
  EXPECT_LT(world.net.losses(kPaths)[1], 1);
}

TEST(Supernet, OfOnePathTakesTheStepsOfTheNetworkItself) {
  // A space of one network: its training is the trainer's.
  Graph g;
  const NodeId x = g.input(kShape);
  g.linear(g.global_avg_pool(g.relu(g.batch_norm(g.conv(x, {.out = 8, .kernel = {3, 3}})))),
           kClasses);
  const Pictures pictures{96, true};
  const TrainingData data{pictures, kShape, 0.25, 1};
  Recipe how = recipe();
  how.micro_batches = 2;
  how.batch = 24;  // all of one size
  Supernet net{g, kTelling, data, how, 1, 1};
  Network alone{g};
  alone.initialise(Init::kaiming_normal_fan_out, 1, "supernet");
  FloatLearner learner{alone};
  Trainer trainer{learner, kTelling, data, how, 1, 1};
  const std::vector<Path> twice(2);
  for (int epoch = 0; epoch < 4; ++epoch) {
    double loss = 0;
    for (std::int64_t i = 0; i < net.steps_of_epoch(); ++i) loss += net.learn(twice);
    const EpochOutcome outcome = trainer.run_epoch();
    EXPECT_NEAR(loss / static_cast<double>(net.steps_of_epoch()), outcome.loss, 1e-5);
  }
  EXPECT_DOUBLE_EQ(net.validate({}), *trainer.epochs().back().validation_metric);
}

TEST(Supernet, ChangesNoWeightThatIsOnNoPath) {
  Recipe how = recipe();
  how.weight_decay = 0;
  World world{1, how};
  const auto narrow = world.net.losses(std::vector<Path>{{1, 0, 0}})[0];
  World other{1, how};
  // Learned with the kernel of 1 alone: the one of 3 stays what it was, the classifier does not.
  for (int i = 0; i < 3; ++i) other.net.learn(std::vector<Path>{{0, 0, 0}, {0, 0, 0}});
  EXPECT_NE(other.net.losses(std::vector<Path>{{1, 0, 0}})[0], narrow);
  const auto folder = std::filesystem::path{::testing::TempDir()} / "supernet_paths";
  std::filesystem::create_directories(folder);
  world.net.save(folder / "before", {});
  other.net.save(folder / "after", {});
  const at::Tensor before = read_tensors(folder / "before").tensors.at("values");
  const at::Tensor after = read_tensors(folder / "after").tensors.at("values");
  // In the order of the nodes: 1x1 convolution, 3x3 convolution, batch norm, second block,
  // classifier.
  const std::int64_t one = 8 * 3, three = 8 * 3 * 9;
  EXPECT_FALSE(before.slice(0, 0, one / 2).equal(after.slice(0, 0, one / 2)));
  EXPECT_TRUE(before.slice(0, one / 2, one).equal(after.slice(0, one / 2, one)))
      << "masked channels";
  EXPECT_TRUE(before.slice(0, one, one + three).equal(after.slice(0, one, one + three)));
}

TEST(Supernet, HangsOnTheSeedAlone) {
  std::vector<std::vector<double>> all;
  for (const int jobs : {1, 2, 4}) {
    World world{jobs};
    std::vector<double> seen;
    for (int i = 0; i < 6; ++i) {
      seen.push_back(world.net.learn(kPaths));
      for (const double loss : world.net.losses(kPaths)) seen.push_back(loss);
    }
    const std::vector<OptionNumbers> mixtures{{{0.3, 0.7}, {0.6, 0.4}, {0.5, 0.5}},
                                              {{0.9, 0.1}, {0.2, 0.8}, {0.1, 0.9}}};
    for (int i = 0; i < 3; ++i) {
      seen.push_back(world.net.learn(mixtures));
      for (const MixtureLoss& part : world.net.losses(mixtures)) {
        seen.push_back(part.loss);
        for (const auto& own : part.by_share) seen.insert(seen.end(), own.begin(), own.end());
      }
    }
    seen.push_back(world.net.validate(kPaths[1]));
    all.push_back(seen);
  }
  EXPECT_EQ(all[0], all[1]);
  EXPECT_EQ(all[0], all[2]);
}

TEST(Supernet, GoesOnWhereItWasKept) {
  const auto file = std::filesystem::path{::testing::TempDir()} / "supernet.safetensors";
  World whole, first;
  for (World* const world : {&whole, &first})
    for (int i = 0; i < 5; ++i) {
      world->net.learn(kPaths);
      world->net.losses(kPaths);
    }
  first.net.save(file, {{"logits", {1, 2.5}}});
  World second;
  EXPECT_EQ(second.net.restore(file).at("logits"), (std::vector<double>{1, 2.5}));
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(second.net.learn(kPaths), whole.net.learn(kPaths));
    EXPECT_EQ(second.net.losses(kPaths), whole.net.losses(kPaths));
  }
  EXPECT_EQ(second.net.validate(kPaths[2]), whole.net.validate(kPaths[2]));
}

OptionNumbers mixture_of(const Graph& graph, const Path& path) {
  OptionNumbers made;
  for (std::size_t i = 0; i < path.size(); ++i) {
    made.emplace_back(graph.decisions()[i].options.size());
    made.back()[static_cast<std::size_t>(path[i])] = 1;
  }
  return made;
}

TEST(Supernet, MixesWithOneShareEachToTheNetworkItself) {
  World mixed, single;
  for (int i = 0; i < 3; ++i) {
    std::vector<OptionNumbers> mixtures;
    for (const Path& path : kPaths) mixtures.push_back(mixture_of(mixed.graph, path));
    const double loss = single.net.learn(kPaths);
    // Behind a step, roundings that differ have moved the weights.
    EXPECT_NEAR(mixed.net.learn(mixtures), loss, (i == 0 ? 1e-6 : 1e-5) * loss);
  }
  const auto whole = single.net.losses(std::vector<Path>{kPaths[2]})[0];
  const auto soft =
      mixed.net.losses(std::vector<OptionNumbers>{mixture_of(mixed.graph, kPaths[2])})[0];
  EXPECT_NEAR(soft.loss, whole, 1e-4 * whole);
}

TEST(Supernet, KnowsHowAMixturesLossHangsOnItsShares) {
  const OptionNumbers at{{0.3, 0.7}, {0.6, 0.4}, {0.45, 0.55}};
  // A batch is drawn with every call: a world of its own for each.
  const auto loss_at = [](const OptionNumbers& shares) {
    World world;
    return world.net.losses(std::vector<OptionNumbers>{shares})[0];
  };
  const MixtureLoss found = loss_at(at);
  constexpr double kStep = 2e-3;
  for (std::size_t i = 0; i < at.size(); ++i)
    for (std::size_t k = 0; k < at[i].size(); ++k) {
      OptionNumbers more = at, less = at;
      more[i][k] += kStep;
      less[i][k] -= kStep;
      const double slope = (loss_at(more).loss - loss_at(less).loss) / (2 * kStep);
      EXPECT_NEAR(found.by_share[i][k], slope, 2e-3 + 1e-2 * std::abs(slope)) << i << " " << k;
    }
}

TEST(Supernet, TrainsANetworkByItself) {
  const World world;
  Recipe how = recipe();
  how.epochs = 15;
  const double metric = world.net.validate_alone(kPaths[1], how, false);
  EXPECT_GT(metric, 0.6);
  EXPECT_EQ(world.net.validate_alone(kPaths[1], how, false), metric);
}

/// With steps that change next to nothing, weights of the supernet do what they do there.
TEST(Supernet, TrainsANetworkFromItsSharedWeights) {
  World world;
  for (int i = 0; i < 60; ++i) world.net.learn(kPaths);
  Recipe how = recipe();
  how.epochs = 1;
  how.learning_rate = 1e-8;
  how.weight_decay = 0;
  const double metric = world.net.validate_alone(kPaths[1], how, true);
  EXPECT_NEAR(metric, world.net.validate(kPaths[1]), 1e-9);
  EXPECT_GT(metric, world.net.validate_alone(kPaths[1], how, false) + 0.1);
}

TEST(Supernet, WritesTheWeightsOfANetwork) {
  const auto file = std::filesystem::path{::testing::TempDir()} / "found.safetensors";
  World world;
  world.net.learn(kPaths);
  world.net.write_network(kPaths[1], file, {{"arch", "narrow"}});
  const TensorFile written = read_tensors(file);
  EXPECT_EQ(written.about.at("arch"), "narrow");
  Network network{live(resolved(world.graph, kPaths[1]))};
  const Network fresh{network.graph()};
  EXPECT_EQ(take_weights(network, read_start_weights(file)).weights,
            static_cast<int>(written.tensors.size()));
  for (const auto& [name, tensor] : named_weights(network))
    EXPECT_TRUE(tensor.equal(written.tensors.at(name))) << name;
  EXPECT_EQ(written.tensors.size(), named_weights(fresh).size());
}

TEST(Supernet, RefusesTheStateOfAnother) {
  const auto file = std::filesystem::path{::testing::TempDir()} / "other.safetensors";
  World world;
  write_tensors(file, {{{"values", at::zeros({3})}}, {}});
  EXPECT_THROW(world.net.restore(file), Error);
}

TEST(Supernet, NeedsSamplesToCompareOn) {
  const Graph graph = supernet();
  const Pictures pictures{96, true};
  const TrainingData data{pictures, kShape, 0, 1};
  EXPECT_THROW((Supernet{graph, kTelling, data, recipe(), 1, 1}), Error);
}

TEST(Batches, GoThroughAllSamplesInAnotherOrderEachTime) {
  std::vector<std::int64_t> places{3, 1, 4, 15, 9, 2, 6, 5, 35, 8, 97, 93};
  Batches batches{places, 5, 1, "order"};
  EXPECT_EQ(batches.of_epoch(), 2) << "two samples are left out";
  std::vector<std::vector<std::int64_t>> epochs(2);
  for (std::int64_t step = 0; step < 4; ++step)
    for (const std::int64_t place : batches.at_step(step))
      epochs[static_cast<std::size_t>(step / 2)].push_back(place);
  EXPECT_NE(epochs[0], epochs[1]);
  for (const auto& epoch : epochs) EXPECT_EQ(std::set(epoch.begin(), epoch.end()).size(), 10U);
}

}  // namespace
}  // namespace thimble::supernet_test
