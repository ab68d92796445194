#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/params.hpp>
#include <thimble/nn/medium.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

/// What `start` may be that is no file.
inline constexpr const char* kNewWeights = "new";
inline constexpr const char* kSearchedWeights = "search";

/// The section of an experiment that says what is trained when the search is over.
struct TrainSettings {
  Value networks;
  Value datasets;
  std::optional<Medium> profile;
  Value task;
  std::vector<std::int64_t> seeds{1, 2, 3};
  /// new, search, or a file.
  std::string start = kNewWeights;
  Recipe recipe;

  template <class Describe>
  static void describe(Describe& param) {
    param(&TrainSettings::networks, "networks",
          "selected, front, best, all, or a list of architectures; by default selected where there "
          "is 'select', else best");
    param(&TrainSettings::datasets, "datasets",
          "data that each network is trained on, one after the other; the experiment's by default");
    param(&TrainSettings::profile, "profile",
          "recipe whose keys hold where none is said: images or series; the data's by default");
    param(&TrainSettings::task, "task", "what outputs mean: {use: classification} by default");
    param(&TrainSettings::seeds, "seeds", "trainings of each network").at_least(0);
    param(&TrainSettings::start, "start",
          "weights that trainings start with: new ones; those that the networks of a search share, "
          "search; or a file of another training's, of which what has the same name and shape is "
          "taken");
    param.include(&TrainSettings::recipe);
  }
};

}  // namespace thimble
