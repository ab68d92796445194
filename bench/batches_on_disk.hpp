#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/train/augmentation.hpp>
#include <thimble/train/batches.hpp>
#include <thimble/train/recipe.hpp>
#include <thimble/train/training_data.hpp>

#include "support/datasets.hpp"

namespace thimble::bench {

/// Samples of a network's input in arrays on disk, as `use: arrays` maps them, and their batches as
/// a training takes them.
class BatchesOnDisk {
 public:
  BatchesOnDisk(const Graph& graph, PluginLoader& plugins, std::int64_t batch)
      : recipe_{Recipe::for_medium(graph.node(0).shape.channels == 1 ? Medium::series
                                                                     : Medium::images)},
        dataset_{write(graph, folder_.path(), plugins)},
        data_{*dataset_, graph.node(0).shape, 0, 1},
        batches_{data_.learned(), batch, 1, "order"} {}

  void gather() {
    places_ = batches_.at_step(step_++);
    samples_ = data_.batch(Split::train, places_);
  }
  void alter() { augment(samples_, recipe_.medium, recipe_.augmentation, 1, 0, places_); }

 private:
  /// A byte a number; series with sensors first, images as they are.
  static std::unique_ptr<Dataset> write(const Graph& graph, const std::filesystem::path& folder,
                                        PluginLoader& plugins) {
    constexpr std::int64_t kSamples = 2048;
    const auto [channels, height, width] = graph.node(0).shape;
    const bool is_series = channels == 1;
    std::string values(static_cast<std::size_t>(kSamples * channels * height * width), '\0');
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<char>(i * i % 251);
    const std::string shape =
        is_series ? fmt::format("({}, {}, {})", kSamples, width, height)
                  : fmt::format("({}, {}, {}, {})", kSamples, channels, height, width);
    testing::write(folder / "X.npy", testing::npy("|u1", shape, values));
    std::string labels(kSamples, '\0');
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<char>(i % 2);
    testing::write(folder / "y.npy", testing::npy("|u1", fmt::format("({},)", kSamples), labels));
    testing::write(folder / "it.yaml",
                   fmt::format("{{X: X.npy, y: y.npy, test_share: 0, mean: [40], spread: [9], {}}}",
                               is_series ? "axes: NCT, layout: rows" : "axes: NCHW"));
    return testing::make<Dataset>(plugins, "arrays",
                                  fmt::format("{{file: {}}}", (folder / "it.yaml").string()));
  }

  TemporaryFolder folder_;
  Recipe recipe_;
  std::unique_ptr<Dataset> dataset_;
  TrainingData data_;
  Batches batches_;
  std::int64_t step_ = 0;
  std::span<const std::int64_t> places_;
  Samples samples_;
};

}  // namespace thimble::bench
