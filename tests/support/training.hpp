#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/random.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/recipe.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/training_data.hpp>

/// A data set, a task and a network that train in a second.
namespace thimble {

constexpr Shape kShape{3, 8, 8};
constexpr int kClasses = 4;

inline at::Tensor drawn(at::IntArrayRef sizes, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(sizes, generator, at::kFloat);
}

/// Noise about a picture a class; the labels can be anything. As many for testing.
class Pictures final : public Dataset {
 public:
  Pictures(std::int64_t samples, bool has_true_labels, float noise = 1, Shape shape = kShape)
      : shape_{shape}, labels_{at::arange(2 * samples) % kClasses} {
    const at::Tensor means = drawn({kClasses, shape.channels, shape.height, shape.width}, 1);
    images_ = noise * drawn({2 * samples, shape.channels, shape.height, shape.width}, 2);
    images_ += means.index_select(0, labels_);
    if (has_true_labels) return;
    Random random = Random::stream(3, {"labels"});
    for (std::int64_t i = 0; i < 2 * samples; ++i)
      labels_[i] = static_cast<std::int64_t>(random.below(kClasses));
  }

  DatasetInfo describe() const override {
    return {.name = "pictures",
            .shape = shape_,
            .classes = kClasses,
            .train_samples = images_.size(0) / 2,
            .test_samples = images_.size(0) / 2};
  }

  Samples batch(Split split, std::span<const std::int64_t> indices) const override {
    const std::int64_t first = split == Split::test ? images_.size(0) / 2 : 0;
    at::Tensor places = at::zeros({static_cast<std::int64_t>(indices.size())}, at::kLong);
    for (std::size_t i = 0; i < indices.size(); ++i)
      places[static_cast<std::int64_t>(i)] = first + indices[i];
    return {images_.index_select(0, places), labels_.index_select(0, places)};
  }

  std::vector<std::int64_t> groups(Split split) const override {
    return split == Split::train ? people : std::vector<std::int64_t>{};
  }

  std::vector<std::int64_t> all() const {
    std::vector<std::int64_t> places(static_cast<std::size_t>(images_.size(0) / 2));
    std::iota(places.begin(), places.end(), 0);
    return places;
  }
  Samples all(Split split) const { return batch(split, all()); }

  std::vector<std::int64_t> people;  ///< of the training samples

 private:
  Shape shape_;
  at::Tensor images_;
  at::Tensor labels_;
};

/// Accuracy as a share, plain cross-entropy.
class Telling final : public Task {
 public:
  int outputs(const DatasetInfo& data) const override { return data.classes; }
  Loss loss(const at::Tensor& outputs, const at::Tensor& labels,
            std::span<const std::int64_t>) const override {
    return cross_entropy(outputs, labels, 0);
  }
  std::vector<std::string> metrics() const override { return {"share"}; }
  std::vector<double> measure(const at::Tensor& outputs, const at::Tensor& labels) const override {
    return {outputs.argmax(1).eq(labels).to(at::kDouble).mean().item<double>()};
  }
};

inline Graph small_graph(int width = 8) {
  Graph g;
  NodeId x = g.input(kShape);
  x = g.relu(g.batch_norm(g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}})));
  x = g.relu(g.batch_norm(
      g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}, .groups = width})));
  const NodeId y = g.batch_norm(g.conv(x, {.out = width, .kernel = {3, 3}, .padding = {1, 1}}));
  x = g.relu(g.add({{x, y}}));
  g.linear(g.global_avg_pool(x), kClasses);
  return g;
}

inline Network small_network(const Graph& graph = small_graph(), std::uint64_t seed = 1) {
  Network made{graph, at::kFloat};
  made.initialise(Init::kaiming_normal_fan_in, seed, "weights");
  return made;
}

inline Recipe short_recipe(int epochs) {
  Recipe recipe;
  recipe.epochs = epochs;
  recipe.batch = 32;
  recipe.augmentation = {.flip = Flip::none, .crop = 0};
  return recipe;
}

}  // namespace thimble
