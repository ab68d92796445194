#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>

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

/// How a network is trained: everything but network, data and seed that its weights depend on.
struct THIMBLE_EXPORT Recipe {
  int epochs = 30;
  int batch = 64;
  int micro_batches = 2;
  OptimiserKind optimiser = OptimiserKind::sgd;
  double learning_rate = 0.1;
  double momentum = 0.9;
  double weight_decay = 5e-4;
  Schedule schedule = Schedule::cosine;
  double warm_up = 0.15;
  double label_smoothing = 0.1;
  double gradient_clip = 0;

  /// For time series; the plain one is for images.
  static Recipe series();

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
    param(&Recipe::label_smoothing, "label_smoothing",
          "share of the target spread over all classes")
        .range(0, 0.99);
    param(&Recipe::gradient_clip, "gradient_clip", "largest norm of a gradient; 0: any")
        .at_least(0);
  }
};

/// The learning rate of a step, 0 to steps - 1.
THIMBLE_EXPORT double learning_rate(const Recipe& recipe, std::int64_t step, std::int64_t steps);

}  // namespace thimble
