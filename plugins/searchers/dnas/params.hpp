#pragma once

#include <string>
#include <utility>
#include <vector>

namespace dnas {

enum class Constraint {
  masked,    ///< nothing is drawn that breaks a limit
  soft_log,  ///< loss + sum over limits of g log(cost / limit), g by side (King et al., 2310.18384)
  lagrangian,  ///< augmented, by dual ascent on a mean of costs over steps
};
const std::vector<std::pair<std::string, Constraint>>& names_of(Constraint);

enum class Mixture {
  drawn,  ///< one option of each decision runs
  soft,   ///< all run, and add up by shares
};
const std::vector<std::pair<std::string, Mixture>>& names_of(Mixture);

enum class LogitOptimiser {
  adam,  ///< at one learning rate
  sgd,   ///< without momentum, along a cosine down to 1/450 of the learning rate, as published
};
const std::vector<std::pair<std::string, LogitOptimiser>>& names_of(LogitOptimiser);

/// Below it one option has all of every share, so that no logit moves any more.
constexpr double kLeastTemperature = 0.05;

struct Params {
  int epochs = 60;
  double warm_up = 0.25;
  int batch = 64;
  int draws = 4;
  Mixture mixture = Mixture::drawn;
  LogitOptimiser optimiser = LogitOptimiser::adam;
  double learning_rate = 0.007;
  double weight_learning_rate = 0;
  double temperature = 1;
  double last_temperature = 1;
  double cooling = 1;
  double validation = 0.2;
  Constraint constraint = Constraint::masked;
  int finalists = 64;
  int trials = 4;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Params::epochs, "epochs", "how often weights go through what they learn from")
        .range(1, 100000);
    param(&Params::warm_up, "warm_up", "share of the epochs in which only weights learn")
        .range(0, 1);
    param(&Params::batch, "batch", "samples a step; each network drawn sees its part")
        .range(8, 65536);
    param(&Params::draws, "draws", "networks drawn for a step of the weights, and again to compare")
        .range(1, 64);
    param(&Params::mixture, "mixture",
          "whether one option of each decision runs, or all, added up by shares");
    param(&Params::optimiser, "optimiser",
          "how logits follow the gradient; sgd along a cosine, as published");
    param(&Params::learning_rate, "learning_rate", "of the logits").range(1e-6, 10);
    param(&Params::weight_learning_rate, "weight_learning_rate",
          "of the weights, by Adam throughout; 0: they learn by the profile for such data")
        .range(0, 1);
    param(&Params::temperature, "temperature", "at which options are drawn at first")
        .range(kLeastTemperature, 100);
    param(&Params::last_temperature, "last_temperature",
          "and in the end; at lower ones than these no logit would move any more")
        .range(kLeastTemperature, 100);
    param(&Params::cooling, "cooling",
          "share of the steps of logits in which the temperature gets there")
        .range(1e-3, 1);
    param(&Params::validation, "validation",
          "share of the training part that networks are compared on, whole groups of it")
        .range(0.01, 0.9);
    param(&Params::constraint, "constraint", "how limits are kept while it searches");
    param(
        &Params::finalists, "finalists",
        "likeliest networks that keep the limits that compete on all validation samples, and near "
        "the best as many again until none is better; of one, nothing is looked at")
        .range(1, 1000);
    param(
        &Params::trials, "trials",
        "the best of the finalists that are unlike each other, each trained by itself, compete for "
        "the end; of one, none is")
        .range(1, 100);
  }
};

}  // namespace dnas
