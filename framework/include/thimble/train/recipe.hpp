#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/nn/range_rule.hpp>
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

/// What of a network learns.
enum class Learns {
  all,
  last_layer,  ///< a control: what drawn features are worth
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Learns>>& names_of(Learns);

/// Whether integers are made of a network that has learned, or learn themselves.
enum class QuantiseMethod {
  ptq,  ///< post-training quantisation
  qat,  ///< quantisation-aware training behind it
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, QuantiseMethod>>& names_of(QuantiseMethod);

/// What integers that learn are scaled by.
enum class ScaleRule {
  seen,     ///< the largest weights, and the values that come up
  learned,  ///< numbers of their own, by their gradient (train/learned_scales.hpp)
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, ScaleRule>>& names_of(ScaleRule);

/// How int8 is made of a network that was trained.
struct THIMBLE_EXPORT Quantise {
  QuantiseMethod method = QuantiseMethod::ptq;
  int samples = 512;
  RangeRule ranges = RangeRule::extremes;
  double percentile = 99.99;
  bool equalise = false;
  bool bias_correction = true;
  int epochs = 15;
  double learning_rate = 0.05;
  ScaleRule scales = ScaleRule::seen;
  double frozen_from = 0.34;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Quantise::method, "method", "ptq: integers are made; qat: they learn behind that");
    param(&Quantise::samples, "samples", "training samples that ranges are taken from")
        .range(1, 65536);
    param(&Quantise::ranges, "ranges", "which range of values integers span");
    param(&Quantise::percentile, "percentile", "of the values that ranges: percentile keeps")
        .range(50, 100);
    param(&Quantise::equalise, "equalise",
          "scale channels between layers so that weights have equal ranges");
    param(&Quantise::bias_correction, "bias_correction",
          "give biases what rounding took from the means of sums");
    param(&Quantise::epochs, "epochs", "of qat").range(1, 100000);
    param(&Quantise::learning_rate, "learning_rate", "of qat, as a share of the training's")
        .range(1e-8, 10);
    param(&Quantise::scales, "scales", "of qat: by what is seen, or learned with the weights");
    param(&Quantise::frozen_from, "frozen_from",
          "share of qat's epochs after which ranges of values stay as they are")
        .range(0, 1);
  }
};

/// Who says how many channels go.
enum class PruneFrom {
  sparsity,   ///< the recipe, one share of every group
  decisions,  ///< the search: what was selected is pruned to what it was costed as
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, PruneFrom>>& names_of(PruneFrom);

/// What weights pruning begins with.
enum class PruneStart {
  fresh,  ///< new ones, "new": the first epochs are those of the whole network
  whole,  ///< those of the whole network when it has learned, and the recipe runs a second time, as
          ///< if it were new (Renda et al., arXiv 2003.02389, "learning rate rewinding")
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, PruneStart>>& names_of(PruneStart);

/// By what channels are judged; all compare within a group of channels that go together.
enum class PruneCriterion {
  taylor,  ///< (sum over what lets it through of value x gradient)^2, a mean over steps: what the
           ///< loss would lose (Molchanov et al., arXiv 1906.10771, equation 8)
  scale,   ///< norm of what lets it through x norm of the weights that read it
  l1,      ///< sum of the magnitudes of its filters (Li et al., arXiv 1608.08710)
  random,  ///< a control
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, PruneCriterion>>& names_of(PruneCriterion);

enum class PruneSchedule {
  cubic,     ///< more and more, from begin to end
  one_shot,  ///< all at begin
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, PruneSchedule>>& names_of(PruneSchedule);

/// How channels are pruned while a network learns.
struct THIMBLE_EXPORT Prune {
  PruneFrom from = PruneFrom::sparsity;
  double sparsity = 0.5;
  std::vector<double> decided = {};  ///< of each group, from decisions; no key of its own
  PruneStart start = PruneStart::fresh;
  PruneCriterion criterion = PruneCriterion::taylor;
  PruneSchedule schedule = PruneSchedule::cubic;
  double begin = 0.1;
  double end = 0.6;
  bool whole = true;
  bool narrow = false;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Prune::from, "from",
          "who says what share goes: sparsity, or the decisions of the search space");
    param(&Prune::sparsity, "sparsity",
          "share of every group's channels that goes; what stays is a multiple of four")
        .range(0, 0.99);
    param(&Prune::start, "start",
          "with what weights: new, or those of the whole network when it has learned");
    param(&Prune::criterion, "criterion", "by what channels are judged");
    param(&Prune::schedule, "schedule", "how more and more are masked");
    param(&Prune::begin, "begin", "share of the epochs after which masking begins").range(0, 1);
    param(&Prune::end, "end", "share of the epochs after which masked channels are removed")
        .range(0, 1);
    param(&Prune::whole, "whole", "also train the network unpruned, to compare with");
    param(&Prune::narrow, "narrow",
          "also train the network that comes out from new weights, to compare with");
  }
};

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
  Learns learns = Learns::all;
  Augmentation augmentation;
  double validation = 0;
  Keep keep = Keep::last;
  std::optional<Prune> prune;
  std::optional<Quantise> quantise;

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
    param(&Recipe::learns, "learns",
          "all, or last_layer: a control, with all other weights as they were drawn");
    param(&Recipe::augmentation, "augmentation", "how training samples are altered");
    param(&Recipe::validation, "validation",
          "share of the training part that is set aside to look at, whole groups of it")
        .range(0, 0.9);
    param(&Recipe::keep, "keep",
          "the epoch that is handed on: last, or the best on the validation part");
    param(&Recipe::prune, "prune", "channels to prune in the training: {} or its keys");
    param(&Recipe::quantise, "quantise", "int8 behind the training: {} or its keys");
  }
};

/// The learning rate of a step, 0 to steps - 1.
THIMBLE_EXPORT double learning_rate(const Recipe& recipe, std::int64_t step, std::int64_t steps);

}  // namespace thimble
