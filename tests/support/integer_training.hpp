#pragma once

#include <cstdint>

#include <thimble/nn/calibration.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/quantise.hpp>
#include <thimble/train/trainer.hpp>

#include "training.hpp"

/// Networks that are ready to become integers, and such as learn.
namespace thimble {

/// With batch norms that have statistics, and drawn weights.
inline Network settled_network(const Graph& graph = small_graph()) {
  Network made = small_network(graph);
  settle_statistics(made, Pictures{64, true}.all(Split::train), 32);
  return made;
}

inline FloatNetwork folded_network(const Graph& graph = small_graph()) {
  return folded(calibrated(settled_network(graph), Pictures{64, true}.all(Split::train).images));
}

/// Trains integers for an epoch or more.
inline FloatNetwork learned_integers(int epochs, std::int64_t frozen_from, int jobs,
                                     double rate = 0.01, ScaleRule scales = ScaleRule::seen) {
  const Pictures data{160, true};
  const TrainingData part{data, kShape, 0, 1};
  IntegerLearner learner{folded_network(), frozen_from, scales};
  Recipe recipe = short_recipe(epochs);
  recipe.learning_rate = rate;
  const Telling telling;
  Trainer trainer{learner, telling, part, recipe, 1, jobs};
  while (!trainer.is_done()) trainer.run_epoch();
  trainer.finish();
  return learner.real();
}

}  // namespace thimble
