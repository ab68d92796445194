// Trainings that start with weights of a file.

#include <limits>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <ATen/ATen.h>

#include <support/training.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/train/start_weights.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/trained_network.hpp>

namespace thimble::start_weights_test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

class Starts : public ::testing::Test {
 protected:
  /// Steps change next to nothing.
  TrainingOrder order(const std::string& name, const StartWeights* start) {
    TrainingOrder made;
    made.graph = &graph_;
    made.dataset = &data_;
    made.task = &task_;
    made.recipe = short_recipe(1);
    made.recipe.learning_rate = 1e-9;
    made.recipe.weight_decay = 0;
    made.seed = 3;
    made.folder = folder_.path() / name;
    made.start = start;
    made.say = [this](const std::string& line) { said_.push_back(line); };
    return made;
  }

  std::map<std::string, at::Tensor> drawn(std::uint64_t seed) const {
    Network network{graph_};
    network.initialise(Init::kaiming_normal_fan_out, seed, "test");
    return named_weights(network);
  }

  StartWeights written(const std::map<std::string, at::Tensor>& weights) const {
    const auto file = folder_.path() / "start.safetensors";
    write_tensors(file, {weights, {{"arch", "small"}}});
    return read_start_weights(file);
  }

  TemporaryFolder folder_;
  Telling task_;
  Pictures data_{100, true};
  Graph graph_ = small_graph();
  std::vector<std::string> said_;
};

TEST_F(Starts, AreWhatATrainingGoesOnFrom) {
  const auto weights = drawn(1);
  const StartWeights start = written(weights);
  EXPECT_EQ(start.arch, "small");
  const auto learned = read_tensors(train_network(order("from them", &start)).weights).tensors;
  const auto fresh = read_tensors(train_network(order("new", nullptr)).weights).tensors;
  for (const auto& [name, tensor] : weights) {
    EXPECT_TRUE(learned.at(name).allclose(tensor, 1e-4, 1e-6)) << name;
    if (tensor.dim() > 1) {
      EXPECT_FALSE(fresh.at(name).allclose(tensor, 1e-4, 1e-6)) << name;
    }
  }
  EXPECT_THAT(said_, IsEmpty());
}

TEST_F(Starts, AreTakenByNameAndShapeAndItIsSaidOfHowMany) {
  auto weights = drawn(1);
  const auto [name, tensor] = *weights.begin();
  weights = {{name, at::full_like(tensor, 0.25)}, {"nobody.weight", at::ones({3})}};
  const StartWeights start = written(weights);
  Network network{graph_};
  network.initialise(Init::kaiming_normal_fan_out, 2, "test");
  const auto before = drawn(2);
  const Taken taken = take_weights(network, start);
  EXPECT_EQ(taken.weights, 1);
  EXPECT_EQ(taken.all, static_cast<int>(before.size()));
  for (const auto& [own, value] : named_weights(network))
    EXPECT_TRUE(value.equal(own == name ? weights.at(name) : before.at(own))) << own;
  train_network(order("few", &start));
  EXPECT_THAT(said_, ::testing::ElementsAre(HasSubstr("1 of " + std::to_string(before.size()))));
}

TEST_F(Starts, AreRefusedWhereThereAreNone) {
  const StartWeights of_nobody = written({{"nobody.weight", at::ones({3})}});
  EXPECT_THAT([&] { train_network(order("of another", &of_nobody)); },
              ThrowsMessage<Error>(HasSubstr("start.safetensors' has a name and a shape")));
  auto weights = drawn(1);
  weights.begin()->second.fill_(std::numeric_limits<float>::infinity());
  const StartWeights infinite = written(weights);
  EXPECT_THAT([&] { train_network(order("infinite", &infinite)); },
              ThrowsMessage<Error>(HasSubstr("not finite")));
  EXPECT_THROW(written({}), InputError);
}

/// What is trained with them is kept under it.
TEST_F(Starts, HaveAFingerprintOfNamesAndNumbers) {
  auto weights = drawn(1);
  const std::string content = written(weights).content;
  EXPECT_EQ(written(drawn(1)).content, content);
  EXPECT_NE(written(drawn(2)).content, content);
  auto renamed = weights;
  renamed["other"] = renamed.begin()->second;
  renamed.erase(renamed.begin());
  EXPECT_NE(written(renamed).content, content);
}

}  // namespace
}  // namespace thimble::start_weights_test
