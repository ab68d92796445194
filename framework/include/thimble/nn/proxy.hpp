#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include <thimble/core/direction.hpp>
#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/core/params.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/network.hpp>

namespace thimble {

/// What a network is fed with.
enum class InputKind {
  data,    ///< training images of the experiment's dataset
  normal,  ///< N(0, 1)
  ones,
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, InputKind>>& names_of(InputKind);

/// How samples are brought to the network's input size.
enum class Fit {
  resize,  ///< area mean when smaller, bilinear when larger
  crop,    ///< a window, at random when augmenting, else the middle
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, Fit>>& names_of(Fit);

/// The named conditions under which a network is looked at; the same for every proxy, so that
/// proxies that name equal conditions share the work. A proxy includes it in its Params and sets
/// its own defaults in their constructor.
struct Pass {
  /// The network: a profile of the search space ("full", or what the space offers, such as
  /// "narrow"), or a map of the search space's parameters that differ.
  Value net = Value::scalar("full");
  Init init = Init::kaiming_normal_fan_out;
  InputKind input = InputKind::data;
  int batch = 32;
  int batches = 1;
  int repeats = 1;
  bool fresh_weights = true;
  bool augment = true;
  Fit fit = Fit::resize;
  bool dead_ends = false;
  bool double_precision = false;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Pass::net, "net",
          "network to look at: a profile of the search space, or a map of its parameters");
    param(&Pass::init, "init", "how weights are drawn");
    param(&Pass::input, "input", "what the network is fed with");
    param(&Pass::batch, "batch", "samples in a batch").range(2, 65536);
    param(&Pass::batches, "batches", "batches a score looks at, under the same weights")
        .range(1, 64);
    param(&Pass::repeats, "repeats", "scores to draw, each with its own batches").range(1, 1024);
    param(&Pass::fresh_weights, "fresh_weights", "draw new weights for every repeat");
    param(&Pass::augment, "augment", "flip and crop training images at random");
    param(&Pass::fit, "fit", "how images are brought to the network's input size");
    param(&Pass::dead_ends, "dead_ends", "keep operators that do not reach the output");
    param(&Pass::double_precision, "double_precision", "compute in double instead of float");
  }
};

/// One network under one pass, once drawn. What several proxies may want is computed when first
/// asked for and then kept. Used by one thread at a time.
class THIMBLE_EXPORT Observation {
 public:
  Observation(const Network& network, std::span<const Samples> batches);

  /// Scores must leave it as it is: copy what you change.
  const Network& network() const noexcept { return network_; }
  /// Pass::batches of them, in the network's precision and input shape.
  std::span<const Samples> batches() const noexcept { return batches_; }
  const torch::Tensor& images(std::size_t batch = 0) const { return batches_[batch].images; }
  const torch::Tensor& labels(std::size_t batch = 0) const { return batches_[batch].labels; }
  /// The output of every node for one batch.
  const std::vector<torch::Tensor>& activations(std::size_t batch = 0);

 private:
  const Network& network_;
  std::span<const Samples> batches_;
  std::vector<std::vector<torch::Tensor>> activations_;
};

/// A number read off an untrained network that predicts its accuracy. const is thread safe.
class THIMBLE_EXPORT Proxy {
 public:
  using Interface = Proxy;
  static constexpr Kind kKind = Kind::proxy;
  virtual ~Proxy();

  /// Which way is better. Required: yes.
  virtual Direction direction() const = 0;
  /// The conditions it looks under. Required: yes.
  virtual Pass pass() const = 0;
  /// The score of one repeat. A value that is not finite makes the candidate invalid; an Error
  /// thrown does so too, with its text as the reason. Required: yes.
  virtual double score(Observation& seen) const = 0;
  /// One value of all repeats. Required: no. Default: the mean.
  virtual double combine(std::span<const double> repeats) const;
  /// Whether networks with open choices can be scored. Required: no. Default: yes.
  virtual bool accepts_supernets() const;
};

}  // namespace thimble
