// The task as networks meet it: what it takes from data, what it measures, and that eight images
// can be learned by heart.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <support/datasets.hpp>
#include <support/world.hpp>
#include <thimble/core/random.hpp>
#include <thimble/deploy/found_boxes.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/nn/observation.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/proxy.hpp>
#include <thimble/search_space.hpp>
#include <thimble/task.hpp>
#include <thimble/train/box_map.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble::detection_test {
namespace {

/// One or two bright rectangles on noise in each image, 3 x 32 x 32.
class Scenes final : public Dataset {
 public:
  explicit Scenes(std::int64_t samples, int classes = 1) {
    images_ = at::zeros({samples, 3, 32, 32});
    boxes_ = at::zeros({samples, 2, kBoxColumns});
    Random random = Random::stream(3, {"scenes"});
    random.fill_normal({images_.data_ptr<float>(), static_cast<std::size_t>(images_.numel())}, 0.3);
    for (std::int64_t i = 0; i < samples; ++i) {
      const auto boxes = boxes_of(boxes_, i);
      std::ranges::fill(boxes, LabelledBox{});
      for (std::int64_t k = 0; k <= i % 2; ++k) {
        const auto side = [&] { return 6 + static_cast<std::int64_t>(random.below(8)); };
        const std::int64_t width = side(), height = side();
        const std::int64_t left = 16 * k + 1, top = 1 + static_cast<std::int64_t>(random.below(16));
        const auto label =
            static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(classes)));
        images_[i][label].slice(0, top, top + height).slice(1, left, left + width).add_(2);
        const auto share = [](double pixels) { return static_cast<float>(pixels / 32); };
        boxes[static_cast<std::size_t>(k)] = {
            static_cast<float>(label),          share(left + width / 2.0),
            share(top + height / 2.0),          share(static_cast<double>(width)),
            share(static_cast<double>(height)), 0};
      }
    }
    info_ = {.name = "scenes",
             .shape = {3, 32, 32},
             .classes = classes,
             .train_samples = samples,
             .test_samples = samples,
             .labels = LabelKind::boxes};
  }

  DatasetInfo describe() const override { return info_; }
  Samples batch(Split, std::span<const std::int64_t> indices) const override {
    const at::Tensor places =
        at::tensor(at::ArrayRef<std::int64_t>{indices.data(), indices.size()});
    return {images_.index_select(0, places), boxes_.index_select(0, places)};
  }

 private:
  at::Tensor images_;
  at::Tensor boxes_;
  DatasetInfo info_;
};

std::unique_ptr<Task> detection(const std::string& yaml = "{}") {
  static PluginLoader loader = testing::plugins();
  return testing::make<Task>(loader, "detection", yaml);
}

/// 4 x 4 cells, each of which sees all of the image.
Graph network_of(int outputs, const Shape& input = {3, 32, 32}) {
  Graph graph;
  NodeId x = graph.input(input);
  const auto layer = [&](int out, int stride) {
    x = graph.relu(graph.batch_norm(graph.conv(
        x, {.out = out, .kernel = {3, 3}, .stride = {stride, stride}, .padding = {1, 1}})));
  };
  layer(16, 2);
  layer(24, 2);
  layer(32, 2);
  layer(48, 1);
  layer(48, 1);
  layer(48, 1);
  graph.set_output(graph.conv(x, {.out = outputs, .bias = true}));
  return graph;
}

Recipe recipe_of(int epochs) {
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.batch = 8;
  recipe.micro_batches = 1;
  recipe.learning_rate = 0.1;
  recipe.weight_decay = 0;
  recipe.augmentation = {.flip = Flip::none, .crop = 0};
  return recipe;
}

TEST(Detection, TakesAnchorsFromTheTrainingBoxes) {
  const Scenes scenes{16};
  const auto task = detection()->fitted_to(scenes);
  ASSERT_NE(task, nullptr);
  const auto decoder = task->box_decoder(scenes.describe());
  ASSERT_TRUE(decoder.has_value());
  ASSERT_EQ(decoder->anchors.size(), 3);
  for (const auto& anchor : decoder->anchors) {
    EXPECT_GE(anchor.width, 6.0 / 32);
    EXPECT_LE(anchor.height, 13.0 / 32);
  }
  EXPECT_EQ(detection("{anchors: 1, sizes: [0.25, 0.5]}")
                ->fitted_to(scenes)
                ->box_decoder(scenes.describe())
                ->anchors,
            (std::vector<BoxDecoder::Anchor>{{0.25, 0.5}}));
  EXPECT_EQ(task->outputs(scenes.describe()), 15);
  EXPECT_EQ(task->outputs(Scenes(8, 2).describe()), 21);
}

TEST(Detection, RefusesWhatHasNoBoxes) {
  DatasetInfo classes;
  classes.classes = 3;
  EXPECT_THROW(detection()->outputs(classes), Error);
  EXPECT_THROW(detection("{sizes: [0.5]}"), Error);
  EXPECT_THROW(detection("{sizes: [0, 1, 1, 1, 1, 1]}"), Error);
  const Scenes one{1};  // a single box
  EXPECT_THROW(detection()->fitted_to(one), Error);
}

/// Maps that tell of exactly what is there.
TEST(Detection, MeasuresAHundredPerCentOfThePerfectMap) {
  const Scenes scenes{8, 2};
  const auto task = detection()->fitted_to(scenes);
  const auto decoder = *task->box_decoder(scenes.describe());
  const at::Tensor labels = scenes.boxes(Split::train);
  at::Tensor maps = at::full({8, 21, 4, 4}, -12.0, at::kDouble);
  for (std::int64_t i = 0; i < 8; ++i)
    for (const LabelledBox& labelled : boxes_of(labels, i)) {
      if (!labelled.is_there()) continue;
      const Box box{labelled.x, labelled.y, labelled.width, labelled.height};
      const MapPlace place = places_for(box, decoder.anchors, {4, 4}).front();
      const auto numbers =
          encoded(box, place, decoder.anchors[static_cast<std::size_t>(place.anchor)], {4, 4});
      const auto set = [&](int number, double value) {
        maps[i][7 * place.anchor + number][place.row][place.column] = value;
      };
      for (int k = 0; k < 4; ++k) set(k, numbers[static_cast<std::size_t>(k)]);
      set(4, 9);
      set(5 + static_cast<int>(labelled.label), 9);
    }
  const auto measured = task->measure(maps, labels);
  EXPECT_NEAR(measured[0], 100, 1e-9);
  EXPECT_NEAR(measured[1], 100, 1e-9);
  EXPECT_EQ(task->measure(at::zeros_like(maps) - 12, labels)[0], 0);
  const auto details = task->details(maps, labels, scenes.describe());
  EXPECT_EQ(details[2].name, "boxes");
  EXPECT_EQ(details[2].table.rows.size(), 2 * 12);
}

/// A training in float and what is left of it in int8, on the images that were learned.
TEST(Detection, LearnsEightImagesByHeart) {
  const Scenes scenes{8, 2};
  const auto task = detection()->fitted_to(scenes);
  const testing::TemporaryFolder folder;
  const Graph graph = network_of(21);
  TrainingOrder order;
  order.graph = &graph;
  order.dataset = &scenes;
  order.task = task.get();
  order.recipe = recipe_of(200);
  order.recipe.quantise = Quantise{};
  order.folder = folder.path() / "training";
  const TrainingOutcome outcome = train_network(order);
  EXPECT_EQ(outcome.failure, "");
  EXPECT_GT(outcome.real.metrics.at(0), 95);
  EXPECT_GT(outcome.int8.metrics.at(0), outcome.real.metrics.at(0) - 2);
  EXPECT_LT(outcome.real.epochs.back().loss, 0.2 * outcome.real.epochs.front().loss);
}

/// What a board finds in its integers is what is found in the map they stand for, in floats.
TEST(Detection, FindsOnABoardWhatItFindsInFloat) {
  const Scenes scenes{8, 2};
  const auto task = detection("{score: 0.3}")->fitted_to(scenes);
  Network network{network_of(21)};
  network.initialise(Init::kaiming_normal_fan_out, 1, "test");
  network.parameters(network.graph().output()).weight.mul_(0.1);
  FloatLearner learner{network};
  const TrainingData data{scenes, {3, 32, 32}, 0, 1};
  Trainer trainer{learner, *task, data, recipe_of(60), 1, 1};
  while (!trainer.is_done()) trainer.run_epoch();
  trainer.finish();
  const Samples samples = testing::all_samples(scenes, Split::train);
  Int8Network lowered = lower(calibrated(network, samples.images));
  lowered.boxes = task->box_decoder(scenes.describe());
  const at::Tensor maps = IntegerNetwork{lowered}.forward(samples.images).to(at::kDouble);
  std::size_t all = 0;
  for (std::int64_t i = 0; i < 8; ++i) {
    const auto values =
        run_reference(lowered, quantised(samples.images[i], lowered.tensor(0).quantisation));
    const auto found = found_boxes(lowered, values[static_cast<std::size_t>(lowered.output)]);
    const auto expected = boxes_in(maps[i], *lowered.boxes, 0.3);
    ASSERT_EQ(found.size(), expected.size());
    std::set<const ScoredBox*> matched;
    for (std::size_t k = 0; k < found.size(); ++k) {
      // Not the k-th: scores that rounding makes equal have no order.
      const auto distance = [&](const ScoredBox& other) {
        const Box& box = other.box;
        return std::abs(found[k].left / 16.0 - 32 * std::max(0.0, box.x - box.width / 2)) +
               std::abs(found[k].bottom / 16.0 - 32 * std::min(1.0, box.y + box.height / 2));
      };
      const ScoredBox& box = *std::ranges::min_element(expected, {}, distance);
      EXPECT_LT(distance(box), 0.2);
      EXPECT_EQ(found[k].label, box.label);
      EXPECT_NEAR(found[k].score / 32768.0, box.score, 1e-3);
      matched.insert(&box);
      if (k > 0) {
        EXPECT_LE(found[k].score, found[k - 1].score);
      }
    }
    EXPECT_EQ(matched.size(), found.size());
    all += found.size();
  }
  EXPECT_GT(all, 6);
}

/// What a proxy reads of a detector's loss is the task's gradient, and not the same without boxes.
TEST(Detection, IsTheLossThatProxiesLookAt) {
  const Scenes scenes{8, 2};
  const auto task = detection()->fitted_to(scenes);
  Network network{network_of(21)};
  network.initialise(Init::kaiming_normal_fan_out, 1, "test");
  Samples samples = testing::all_samples(scenes, Split::train);
  const LossGradient gradient = [&](const at::Tensor& outputs, const at::Tensor& labels) {
    return task->loss(outputs, labels, {}).gradient / 8;
  };
  PluginLoader loader = testing::plugins();
  const auto snip = testing::make<Proxy>(loader, "snip", "{}");
  const auto score = [&] {
    Observation seen{network, {&samples, 1}, snip->reads(), 0, 0, gradient};
    return snip->score(seen);
  };
  const Forward forward = propagate_forward(network, samples.images);
  const Gradients by_hand =
      propagate_backward(network, forward, network.graph().output(),
                         gradient(logits_of(network, forward), samples.labels), {});
  double expected = 0;
  for (const NodeId id : weighted_nodes(network.graph()))
    expected +=
        (by_hand.parameters[static_cast<std::size_t>(id)].weight * network.parameters(id).weight)
            .abs()
            .sum()
            .item<double>();
  EXPECT_NEAR(score(), expected, 1e-4 * expected);
  samples.labels.select(2, 0).fill_(-1);
  EXPECT_GT(std::abs(score() - expected), 0.01 * expected);
}

/// The first photographs of which all things are large enough for a map of 6x6 cells, and few.
class LargeThings final : public Dataset {
 public:
  LargeThings(const Dataset& all, std::size_t count) : all_{all}, info_{all.describe()} {
    const at::Tensor boxes = all.boxes(Split::train).contiguous();
    for (std::int64_t i = 0; i < boxes.size(0) && places_.size() < count; ++i) {
      const auto things = boxes_of(boxes, i);
      const auto is_small = [](const LabelledBox& box) {
        return box.is_there() && std::min(box.width, box.height) < 0.15F;
      };
      const auto found = std::ranges::count_if(things, &LabelledBox::is_one_thing);
      if (found > 0 && found <= 3 && std::ranges::none_of(things, is_small)) places_.push_back(i);
    }
    info_.train_samples = info_.test_samples = std::ssize(places_);
  }

  DatasetInfo describe() const override { return info_; }
  Samples batch(Split, std::span<const std::int64_t> indices) const override {
    std::vector<std::int64_t> places;
    for (const std::int64_t i : indices) places.push_back(places_[static_cast<std::size_t>(i)]);
    return all_.batch(Split::train, places);
  }

 private:
  const Dataset& all_;
  DatasetInfo info_;
  std::vector<std::int64_t> places_;
};

TEST(Detection, LearnsEightPhotographsByHeart) {
  const char* const data = std::getenv("THIMBLE_TEST_DATA");
  if (data == nullptr || !std::filesystem::exists(std::filesystem::path{data} / "coco_person"))
    GTEST_SKIP() << "no coco_person in THIMBLE_TEST_DATA";
  Context context;
  context.data_folder = data;
  PluginLoader loader{{THIMBLE_TEST_PLUGINS}, context};
  const auto all = testing::make<Dataset>(
      loader, "yolo",
      "{folder: coco_person, table: labels.csv, names: class_names.txt, classes: [person], "
      "height: 96, width: 96, empty_images: false}");
  const LargeThings eight{*all, 8};
  ASSERT_EQ(eight.describe().train_samples, 8);
  const auto task = detection()->fitted_to(eight);
  const auto space = testing::make<SearchSpace>(
      loader, "superblocks", "{families: [mbednet], classes: 1, head: detection}");
  const Graph graph = space->build(space->decode("mbednet"));
  const testing::TemporaryFolder folder;
  TrainingOrder order;
  order.graph = &graph;
  order.dataset = &eight;
  order.task = task.get();
  order.recipe = recipe_of(300);
  order.recipe.optimiser = OptimiserKind::adamw;
  order.recipe.learning_rate = 0.003;
  order.recipe.quantise = Quantise{};
  order.folder = folder.path() / "training";
  const TrainingOutcome outcome = train_network(order);
  EXPECT_GT(outcome.real.metrics.at(0), 95);
  EXPECT_GT(outcome.int8.metrics.at(0), outcome.real.metrics.at(0) - 2);
}

}  // namespace
}  // namespace thimble::detection_test
