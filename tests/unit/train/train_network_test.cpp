// Trainings that are interrupted, and files of weights.

#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/train/pruner.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>

#include "support/training.hpp"

namespace thimble::train_network_test {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

class Trainings : public ::testing::Test {
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
    const fs::path part = folder_.path() / name / "checkpoint.safetensors.part1-2-there";
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
  EXPECT_EQ(whole.real.epochs.size(), 4U);
  EXPECT_EQ(whole.int8.epochs.size(), 3U);
  EXPECT_EQ(whole.int8.metrics.size(), 1U);
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
  EXPECT_EQ(task_.measure(read.network.forward(all.images), all.labels), whole.real.metrics);
  const IntegerNetwork integers{lower_folded(read.board->real)};
  EXPECT_EQ(task_.measure(integers.forward(all.images), all.labels), whole.int8.metrics);
}

/// Half of a training by one GPU's arithmetic and half by another's would be nobody's.
TEST_F(Trainings, BeginAnewWhereTheCheckpointIsOfAnotherDevice) {
  const auto on_device = [&](const std::string& name) {
    TrainingOrder made = order(name);
    made.device = {"plain"};
    return made;
  };
  const std::string expected = read_file(train_network(on_device("whole")).weights);
  for (const bool is_other : {false, true}) {
    const std::string name = is_other ? "other" : "same";
    TrainingOrder broken = on_device(name);
    broken.progress = [](const EpochOutcome&, std::size_t epoch) {
      if (epoch == 1) throw Interrupted{"stopped"};
    };
    EXPECT_THROW(train_network(broken), Interrupted);
    const fs::path checkpoint = folder_.path() / name / "checkpoint.safetensors";
    TensorFile state = read_tensors(checkpoint);
    if (is_other) state.about.at("arithmetic") = "of another GPU";
    write_tensors(checkpoint, state);
    std::vector<std::string> said;
    TrainingOrder resumed = on_device(name);
    resumed.say = [&](const std::string& line) { said.push_back(line); };
    EXPECT_EQ(read_file(train_network(resumed).weights), expected);
    EXPECT_THAT(said, SizeIs(is_other ? 1 : 0));
  }
}

/// Of weights, statistics and integers, though the network is made anew behind the ramp.
TEST_F(Trainings, ChangeNoBitWhereNothingIsPruned) {
  for (Recipe recipe : {short_recipe(4), Recipe::series()}) {
    recipe.epochs = 4;
    recipe.averaging = 0.9;
    recipe.quantise = Quantise{.method = QuantiseMethod::qat, .samples = 50, .epochs = 2};
    const auto trained = [&](const std::string& name) {
      TrainingOrder made = order(name + std::to_string(recipe.learning_rate));
      made.recipe = recipe;
      return read_trained(graph_, train_network(made).weights);
    };
    const TrainedNetwork plain = trained("plain");
    recipe.prune = Prune{.sparsity = 0};
    const TrainedNetwork whole = trained("none");
    ASSERT_TRUE(whole.about.contains("pruned"));
    const auto expected = named_weights(plain.network), found = named_weights(whole.network);
    ASSERT_EQ(found.size(), expected.size());
    for (const auto& [name, tensor] : expected)
      EXPECT_TRUE(at::equal(found.at(name), tensor)) << name;
    const FloatNetwork &one = plain.board->real, &other = whole.board->real;
    for (std::size_t i = 0; i < one.parameters.size(); ++i) {
      EXPECT_EQ(one.parameters[i].weight, other.parameters[i].weight) << i;
      EXPECT_EQ(one.parameters[i].bias, other.parameters[i].bias) << i;
      EXPECT_EQ(one.ranges[i].lowest, other.ranges[i].lowest) << i;
      EXPECT_EQ(one.ranges[i].highest, other.ranges[i].highest) << i;
    }
  }
}

/// Pruned to what a search decided, whose graph is known before.
TEST_F(Trainings, PruneToWhatWasDecided) {
  const Graph whole = small_graph(16);
  TrainingOrder decided = order("decided");
  decided.graph = &whole;
  decided.recipe.prune = Prune{.from = PruneFrom::decisions, .decided = {0.25}};
  decided.recipe.quantise = Quantise{.samples = 50};
  const TrainingOutcome outcome = train_network(decided);
  const Graph left = pruned_graph(whole, *decided.recipe.prune);
  EXPECT_EQ(left.node(1).shape.channels, 12);
  const TrainedNetwork read = read_trained(left, outcome.weights);
  EXPECT_STREQ(read.form(), "pruned");
  const Samples all = data_.all(Split::test);
  EXPECT_EQ(task_.measure(read.network.forward(all.images), all.labels), outcome.real.metrics);
  ASSERT_TRUE(read.board);
  EXPECT_EQ(train_network(decided).int8.metrics, outcome.int8.metrics);
  decided.recipe.prune->decided = {0.25, 0.5};
  decided.folder = folder_.path() / "other";
  EXPECT_THAT([&] { train_network(decided); },
              ThrowsMessage<Error>(HasSubstr("pruning: 2 sparsities for 1 channel groups")));
}

/// With a rate of nothing, what the whole network has learned comes out; it is trained once.
TEST_F(Trainings, BeginPruningWithWhatTheWholeNetworkHasLearned) {
  const TrainingOutcome whole = train_network(order("whole"));
  const auto written = fs::last_write_time(whole.weights);
  TrainingOrder pruned = order("pruned");
  pruned.whole_folder = folder_.path() / "whole";
  pruned.recipe.learning_rate = 1e-12;
  pruned.recipe.prune = Prune{.sparsity = 0, .start = PruneStart::whole};
  const auto expected = named_weights(read_trained(graph_, whole.weights).network);
  const auto found = named_weights(read_trained(graph_, train_network(pruned).weights).network);
  EXPECT_EQ(fs::last_write_time(whole.weights), written);
  for (const auto& [name, tensor] : expected)
    EXPECT_TRUE(at::allclose(found.at(name), tensor, 1e-6, 1e-7)) << name;
}

TEST_F(Trainings, GoOnWhereTheWholeNetworkOrItsPruningWasStopped) {
  const auto pruned = [&](const std::string& name) {
    TrainingOrder made = order(name);
    made.recipe.prune = Prune{.sparsity = 0.5, .start = PruneStart::whole};
    return made;
  };
  const std::string unbroken = read_file(train_network(pruned("unbroken")).weights);
  const int epochs = pruned("").recipe.epochs;
  for (const int last : {1, epochs, epochs + 1, 2 * epochs - 1}) {
    TrainingOrder broken = pruned("broken" + std::to_string(last));
    int told = 0;
    broken.progress = [&](const EpochOutcome&, std::size_t) {
      if (++told == last) throw Interrupted{"stopped"};
    };
    EXPECT_THROW(train_network(broken), Interrupted) << last;
    broken.progress = pruned("").progress;
    EXPECT_EQ(read_file(train_network(broken).weights), unbroken) << last;
  }
}

/// What is trained in float is trained once for all kinds of integers.
TEST_F(Trainings, ShareWhatIntegersAreMadeOf) {
  const auto quantised = [&](const char* name, const Quantise& how) {
    TrainingOrder made = order(name);
    made.float_folder = folder_.path() / "shared";
    made.recipe.quantise = how;
    return made;
  };
  const fs::path shared = folder_.path() / "shared/weights.safetensors";
  const TrainingOutcome first = train_network(quantised("ptq", {.samples = 50}));
  const auto written = fs::last_write_time(shared);
  std::vector<std::size_t> told;
  TrainingOrder learning =
      quantised("qat", {.method = QuantiseMethod::qat, .samples = 50, .epochs = 2});
  learning.progress = [&](const EpochOutcome&, std::size_t epoch) { told.push_back(epoch); };
  const TrainingOutcome second = train_network(learning);
  EXPECT_EQ(fs::last_write_time(shared), written);
  EXPECT_EQ(first.real.metrics, second.real.metrics);
  EXPECT_THAT(told, ::testing::ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(read_file(train_network(order("alone")).weights), read_file(shared));
}

/// Scales are kept with the weights.
TEST_F(Trainings, KeepScalesThatWereLearned) {
  TrainingOrder learning = order("scales");
  learning.recipe.quantise = Quantise{
      .method = QuantiseMethod::qat, .samples = 50, .epochs = 2, .scales = ScaleRule::learned};
  const TrainingOutcome outcome = train_network(learning);
  ASSERT_EQ(outcome.failure, "");
  const TrainedNetwork read = read_trained(graph_, outcome.weights);
  EXPECT_EQ(read.board->real.parameters[1].scales.size(), 8U);
  const Samples all = data_.all(Split::test);
  const IntegerNetwork integers{lower_folded(read.board->real)};
  EXPECT_EQ(task_.measure(integers.forward(all.images), all.labels), outcome.int8.metrics);
  TrainingOrder broken = learning;
  broken.folder = folder_.path() / "broken";
  broken.progress = [&](const EpochOutcome&, std::size_t epoch) {
    if (epoch == 4) throw Interrupted{"stopped"};
  };
  EXPECT_THROW(train_network(broken), Interrupted);
  broken.progress = learning.progress;
  EXPECT_EQ(read_file(train_network(broken).weights), read_file(outcome.weights));
}

TEST_F(Trainings, SayWhichStageFailed) {
  TrainingOrder diverging = order("diverging");
  diverging.recipe.learning_rate = 1e9;
  diverging.recipe.warm_up = 0;
  EXPECT_THAT([&] { train_network(diverging); }, ThrowsMessage<Error>(HasSubstr("float: the ")));
  diverging.recipe.prune = Prune{};
  diverging.folder = folder_.path() / "pruned";
  EXPECT_THAT([&] { train_network(diverging); }, ThrowsMessage<Error>(HasSubstr("pruning: the ")));
}

/// However they diverge: they fail, or what they wrote can be read.
TEST_F(Trainings, HandOnNumbersAlone) {
  int failed = 0;
  for (const double rate : {1e1, 1e3, 1e6, 1e12, 1e18}) {
    TrainingOrder wild = order(std::to_string(rate));
    wild.recipe.learning_rate = rate;
    try {
      train_network(wild);
      EXPECT_NO_THROW(train_network(wild)) << rate;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("float: ")) << rate;
      EXPECT_FALSE(fs::exists(wild.folder / "weights.safetensors")) << rate;
      ++failed;
    }
  }
  EXPECT_GT(failed, 0);
}

TEST_F(Trainings, KeepWhatWasLearnedWhereIntegersFail) {
  const TrainingOutcome plain = train_network(order("plain"));
  TrainingOrder diverging = order("diverging");
  diverging.recipe.quantise =
      Quantise{.method = QuantiseMethod::qat, .samples = 50, .epochs = 3, .learning_rate = 1e12};
  for (int again = 0; again < 2; ++again) {
    const TrainingOutcome outcome = train_network(diverging);
    EXPECT_EQ(outcome.real.metrics, plain.real.metrics);
    EXPECT_TRUE(outcome.int8.metrics.empty());
    EXPECT_TRUE(outcome.failure.starts_with("int8: ")) << outcome.failure;
    EXPECT_FALSE(read_trained(graph_, outcome.weights).board);
  }
}

TEST_F(Trainings, AreNotRepeated) {
  const TrainingOutcome first = train_network(order("once"));
  const auto written = fs::last_write_time(first.weights);
  const TrainingOutcome second = train_network(order("once"));
  EXPECT_EQ(fs::last_write_time(first.weights), written);
  EXPECT_EQ(first.real.metrics, second.real.metrics);
  EXPECT_TRUE(at::equal(tensor_of(first.real.epochs), tensor_of(second.real.epochs)));
}

TEST_F(Trainings, KeepTheNetworkThatTheyMeasured) {
  const TrainingOutcome outcome = train_network(order("kept"));
  const TrainedNetwork read = read_trained(graph_, outcome.weights);
  EXPECT_EQ(read.about.at("arch"), "small");
  EXPECT_EQ(read.learned.metrics, outcome.real.metrics);
  const Samples all = data_.all(Split::test);
  EXPECT_EQ(task_.measure(read.network.forward(all.images), all.labels), outcome.real.metrics);
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

/// A file may be whole and its numbers none.
TEST_F(Trainings, SayWhoseWeightsAreNoNumbers) {
  const auto weights = train_network(order("one")).weights;
  TensorFile content = read_tensors(weights);
  content.tensors.begin()->second.view(-1)[0] = std::numeric_limits<float>::quiet_NaN();
  const std::string name = content.tensors.begin()->first;
  const fs::path none = folder_.path() / "none.safetensors";
  write_tensors(none, content);
  EXPECT_THAT([&] { read_trained(graph_, none); },
              ThrowsMessage<InputError>(AllOf(
                  HasSubstr("none.safetensors"),
                  HasSubstr("error: '" + name + "' has values that are not finite\n  note: "))));
}

TEST_F(Trainings, RefuseNetworksOfOtherOutputs) {
  Graph wide;
  wide.linear(wide.global_avg_pool(wide.input(kShape)), kClasses + 1);
  TrainingOrder order_of_wide = order("wide");
  order_of_wide.graph = &wide;
  EXPECT_THROW(train_network(order_of_wide), Error);
}

class TensorFiles : public ::testing::Test {
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
}  // namespace thimble::train_network_test
