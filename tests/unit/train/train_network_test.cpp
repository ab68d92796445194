// Trainings that are interrupted, and files of weights.

#include <filesystem>
#include <fstream>
#include <string>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>

#include "support/training.hpp"

namespace thimble {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Trainings : public testing::Test {
 protected:
  TrainingOrder order(const std::string& name, int jobs = 1) const {
    TrainingOrder made;
    made.graph = &graph_;
    made.dataset = &data_;
    made.task = &task_;
    made.recipe = short_recipe(4);
    made.recipe.validation = 0.2;
    made.seed = 3;
    made.jobs = jobs;
    made.folder = folder_.path() / name;
    made.about = {{"arch", "small"}};
    return made;
  }

  TemporaryFolder folder_;
  Telling task_;
  Pictures data_{100, true};
  Graph graph_ = small_graph();
};

/// Gives up behind an epoch, as if it had been killed.
TEST_F(Trainings, GoOnWhereTheyWereLeft) {
  const std::string expected = read_file(train_network(order("whole")).weights);
  for (const std::size_t last : {0U, 1U, 3U}) {
    const std::string name = "broken" + std::to_string(last);
    TrainingOrder broken = order(name, 2);
    broken.progress = [&](const EpochOutcome&, std::size_t epoch) {
      if (epoch == last) throw Interrupted{"stopped"};
    };
    EXPECT_THROW(train_network(broken), Interrupted);
    EXPECT_FALSE(fs::exists(folder_.path() / name / "weights.safetensors"));
    const fs::path part = folder_.path() / name / "checkpoint.safetensors.part1-2";
    std::ofstream{part} << "half";
    std::size_t told = 0;
    TrainingOrder resumed = order(name);
    resumed.progress = [&](const EpochOutcome&, std::size_t epoch) { EXPECT_EQ(epoch, told++); };
    EXPECT_EQ(read_file(train_network(resumed).weights), expected);
    EXPECT_EQ(told, 4U);
    EXPECT_FALSE(fs::exists(folder_.path() / name / "checkpoint.safetensors"));
    EXPECT_FALSE(fs::exists(part));
  }
}

/// In the ramp, where channels go, behind it, between the stages, and while integers learn.
TEST_F(Trainings, GoOnInEveryStage) {
  const auto staged = [&](const std::string& name) {
    TrainingOrder made = order(name);
    made.recipe.prune = Prune{.begin = 0.2, .end = 0.5};
    made.recipe.quantise = Quantise{.method = QuantiseMethod::qat, .samples = 50, .epochs = 3};
    return made;
  };
  const TrainingOutcome whole = train_network(staged("whole"));
  EXPECT_EQ(whole.epochs.size(), 7U);
  EXPECT_EQ(whole.int8_metrics.size(), 1U);
  const std::string expected = read_file(whole.weights);
  for (std::size_t last = 0; last < 7; ++last) {
    TrainingOrder broken = staged("broken" + std::to_string(last));
    broken.progress = [&](const EpochOutcome&, std::size_t epoch) {
      if (epoch == last) throw Interrupted{"stopped"};
    };
    EXPECT_THROW(train_network(broken), Interrupted);
    EXPECT_EQ(read_file(train_network(staged("broken" + std::to_string(last))).weights), expected)
        << last;
  }
  const TrainedNetwork read = read_trained(graph_, whole.weights);
  EXPECT_EQ(read.network.graph().node(1).shape.channels, 4);
  const Samples all = data_.all(Split::test);
  EXPECT_EQ(task_.measure(read.network.forward(all.images), all.labels), whole.metrics);
  const IntegerNetwork integers{lower_folded(read.board->real)};
  EXPECT_EQ(task_.measure(integers.forward(all.images), all.labels), whole.int8_metrics);
}

TEST_F(Trainings, KeepWhatWasLearnedWhereIntegersFail) {
  const TrainingOutcome plain = train_network(order("plain"));
  TrainingOrder diverging = order("diverging");
  diverging.recipe.quantise =
      Quantise{.method = QuantiseMethod::qat, .samples = 50, .epochs = 3, .learning_rate = 1e12};
  for (int again = 0; again < 2; ++again) {
    const TrainingOutcome outcome = train_network(diverging);
    EXPECT_EQ(outcome.metrics, plain.metrics);
    EXPECT_TRUE(outcome.int8_metrics.empty());
    EXPECT_TRUE(outcome.failure.starts_with("int8: ")) << outcome.failure;
    EXPECT_FALSE(read_trained(graph_, outcome.weights).board);
  }
}

TEST_F(Trainings, AreNotRepeated) {
  const TrainingOutcome first = train_network(order("once"));
  const auto written = fs::last_write_time(first.weights);
  const TrainingOutcome second = train_network(order("once"));
  EXPECT_EQ(fs::last_write_time(first.weights), written);
  EXPECT_EQ(first.metrics, second.metrics);
  EXPECT_TRUE(at::equal(tensor_of(first.epochs), tensor_of(second.epochs)));
}

TEST_F(Trainings, KeepTheNetworkThatTheyMeasured) {
  const TrainingOutcome outcome = train_network(order("kept"));
  const TrainedNetwork read = read_trained(graph_, outcome.weights);
  EXPECT_EQ(read.about.at("arch"), "small");
  EXPECT_EQ(read.metrics, outcome.metrics);
  const Samples all = data_.all(Split::test);
  EXPECT_EQ(task_.measure(read.network.forward(all.images), all.labels), outcome.metrics);
}

/// Of numbers, too, which no length tells.
TEST_F(Trainings, AreMadeAnewWhereAFileIsDamaged) {
  const std::string expected = read_file(train_network(order("whole")).weights);
  const auto damage = [](const fs::path& file, std::size_t kept) {
    std::string bytes = read_file(file);
    bytes[bytes.size() - 5] ^= 0x10;
    std::ofstream{file, std::ios::binary} << bytes.substr(0, kept);
  };
  for (const std::size_t kept : {std::string::npos, std::size_t{100}}) {
    std::string said;
    TrainingOrder again = order("whole");
    again.say = [&](const std::string& line) { said = line; };
    damage(folder_.path() / "whole/weights.safetensors", kept);
    EXPECT_EQ(read_file(train_network(again).weights), expected);
    EXPECT_THAT(said, HasSubstr("weights.safetensors' is damaged"));

    TrainingOrder broken = order("broken");
    broken.progress = [&](const EpochOutcome&, std::size_t epoch) {
      if (epoch == 1) throw Interrupted{"stopped"};
    };
    EXPECT_THROW(train_network(broken), Interrupted);
    damage(folder_.path() / "broken/checkpoint.safetensors", kept);
    again.folder = folder_.path() / "broken";
    EXPECT_EQ(read_file(train_network(again).weights), expected);
    EXPECT_THAT(said, HasSubstr("checkpoint.safetensors' is damaged"));
    fs::remove_all(folder_.path() / "broken");
  }
}

TEST_F(Trainings, SayWhoseWeightsAreNotTheirs) {
  const auto weights = train_network(order("one")).weights;
  const auto load = [&] { read_trained(small_graph(16), weights); };
  EXPECT_THAT(load, ThrowsMessage<InputError>(HasSubstr("weights.safetensors")));
}

TEST_F(Trainings, RefuseNetworksOfOtherOutputs) {
  Graph wide;
  wide.linear(wide.global_avg_pool(wide.input(kShape)), kClasses + 1);
  TrainingOrder order_of_wide = order("wide");
  order_of_wide.graph = &wide;
  EXPECT_THROW(train_network(order_of_wide), Error);
}

class TensorFiles : public testing::Test {
 protected:
  void damage(const std::string& text) { std::ofstream{file_} << text; }

  TemporaryFolder folder_;
  fs::path file_ = folder_.path() / "t.safetensors";
};

TEST_F(TensorFiles, AreReadAsTheyWereWritten) {
  TensorFile content;
  content.tensors["a.weight"] = drawn({2, 3, 1, 4}, 1);
  content.tensors["b"] = drawn({5}, 2).to(at::kDouble);
  content.tensors["steps"] = at::arange(3);
  content.tensors["none"] = at::zeros({0, 4});
  content.about["arch"] = "|a \"b\"|";
  write_tensors(file_, content);
  const TensorFile read = read_tensors(file_);
  EXPECT_EQ(read.about, content.about);
  ASSERT_EQ(read.tensors.size(), content.tensors.size());
  for (const auto& [name, tensor] : content.tensors) {
    EXPECT_EQ(read.tensors.at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(at::equal(read.tensors.at(name), tensor)) << name;
  }
}

/// The format's own layout, by hand: length, header, numbers.
TEST_F(TensorFiles, FollowTheFormat) {
  TensorFile content;
  content.tensors["x"] = at::ones({2});
  write_tensors(file_, content);
  const std::string bytes = read_file(file_);
  const std::string begin = R"({"__metadata__":{"digest":")";
  const std::string end = R"("},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  ASSERT_EQ(bytes.substr(8, begin.size()), begin);
  ASSERT_EQ(bytes.substr(8 + begin.size() + 16, end.size()), end);
  EXPECT_EQ(static_cast<unsigned char>(bytes[0]) % 8, 0);  // the numbers are aligned
  EXPECT_EQ(bytes.substr(bytes.size() - 8), std::string("\0\0\x80\x3f\0\0\x80\x3f", 8));
}

TEST_F(TensorFiles, SayWhatIsWrongWithThem) {
  TensorFile content;
  content.tensors["x"] = at::ones({100});
  write_tensors(file_, content);
  const std::string whole = read_file(file_);
  for (const std::size_t length : {0UL, 4UL, 8UL, 30UL, whole.size() - 1}) {
    damage(whole.substr(0, length));
    EXPECT_THAT([&] { read_tensors(file_); }, ThrowsMessage<InputError>(HasSubstr("t.safetensors")))
        << length;
  }
  std::string other = whole;
  other.replace(other.find("F32"), 3, "F16");
  damage(other);
  EXPECT_THAT([&] { read_tensors(file_); }, ThrowsMessage<InputError>(HasSubstr("F16")));
  other = whole;
  other.replace(other.find("[100]"), 5, "[1e9]");
  damage(other);
  EXPECT_THROW(read_tensors(file_), InputError);
}

}  // namespace
}  // namespace thimble
