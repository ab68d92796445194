#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/train/augmentation.hpp>

namespace thimble {

enum class OptimiserKind {
  sgd,    ///< with Nesterov's momentum; decay is part of the gradient
  adamw,  ///< Adam with decay of its own (Loshchilov and Hutter, arXiv 1711.05101, algorithm 2)
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, OptimiserKind>>& names_of(OptimiserKind);

/// How the learning rate goes on behind the warm-up.
enum class Schedule {
  constant,
  cosine,     ///< half a cosine, down to 0
  one_cycle,  ///< a line, down to 0
  step,       ///< a tenth after half of all steps, a hundredth after three quarters
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Schedule>>& names_of(Schedule);

/// Which of the epochs a training hands on.
enum class Keep {
  last,
  best,  ///< by the task's first metric on the validation part
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Keep>>& names_of(Keep);

/// How a network is trained: everything but network, task, data and seed that its weights depend
/// on. The plain one is for images.
struct THIMBLE_EXPORT Recipe {
  Medium medium = Medium::images;  ///< how samples are altered; no key of its own
  int epochs = 30;
  int batch = 64;
  int micro_batches = 2;
  OptimiserKind optimiser = OptimiserKind::sgd;
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  Schedule schedule = Schedule::cosine;
  double warm_up = 0.15;
  double gradient_clip = 0;
  double dropout = 0;
  double averaging = 0;
  Augmentation augmentation;
  double validation = 0;
  Keep keep = Keep::last;

  /// For time series.
  static Recipe series();
  static Recipe for_medium(Medium medium) { return medium == Medium::series ? series() : Recipe{}; }

  template <class Describe>
  static void describe(Describe& param) {
    param(&Recipe::epochs, "epochs", "how often the training part is gone through")
        .range(1, 100000);
    param(&Recipe::batch, "batch", "samples a step").range(1, 65536);
    param(&Recipe::micro_batches, "micro_batches",
          "parts of a batch that run side by side; batch norm sees a part")
        .range(1, 64);
    param(&Recipe::optimiser, "optimiser", "how weights follow the gradient");
    param(&Recipe::learning_rate, "learning_rate", "at its highest").range(1e-8, 1e3);
    param(&Recipe::momentum, "momentum", "of SGD; Adam's first one").range(0, 0.9999);
    param(&Recipe::weight_decay, "weight_decay",
          "of weights of convolutions and fully connected layers, no others")
        .range(0, 10);
    param(&Recipe::schedule, "schedule", "how the learning rate goes on behind the warm-up");
    param(&Recipe::warm_up, "warm_up", "share of the steps in which the learning rate grows")
        .range(0, 1);
    param(&Recipe::gradient_clip, "gradient_clip", "largest norm of a gradient; 0: any")
        .range(0, 1e9);
    param(&Recipe::dropout, "dropout",
          "share of a fully connected classifier's inputs that a step leaves out")
        .range(0, 0.95);
    param(&Recipe::averaging, "averaging",
          "how much of the mean of earlier weights a step keeps, such as 0.999; 0: no mean")
        .range(0, 0.999999);
    param(&Recipe::augmentation, "augmentation", "how training samples are altered");
    param(&Recipe::validation, "validation",
          "share of the training part that is set aside to look at, whole groups of it")
        .range(0, 0.9);
    param(&Recipe::keep, "keep",
          "the epoch that is handed on: last, or the best on the validation part");
  }
};

/// The learning rate of a step, 0 to steps - 1.
THIMBLE_EXPORT double learning_rate(const Recipe& recipe, std::int64_t step, std::int64_t steps);

}  // namespace thimble
