#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/space/search_space.hpp>
#include <thimble/train/supernet.hpp>

namespace thimble {

/// What a searcher wants of a supernet.
struct RelaxationOrder {
  int epochs = 60;          ///< that its weights learn for, with a learning rate that ends there
  int batch = 64;           ///< samples a step
  double validation = 0.2;  ///< share of the training part that networks are compared on
  /// Of the weights, throughout, by Adam; 0: all by the profile for such data.
  double learning_rate = 0;
};

/// Numbers by name.
using NamedNumbers = std::map<std::string, std::vector<double>>;

/// The networks of a supernet with the weights that all of them share, which learn while a searcher
/// decides (one-shot search). It answers in numbers; what they hang on is the seed alone. Used by
/// one searcher at a time. Throws Interrupted when the user stops the run, and Error when weights
/// diverge.
class THIMBLE_EXPORT Relaxation {
 public:
  virtual ~Relaxation();

  /// Steps in which the samples that weights learn from are gone through once.
  virtual std::int64_t steps_of_epoch() const = 0;
  /// A step of the weights: the next batch, a part of it through each of these networks. Returns
  /// the mean loss.
  virtual double learn(std::span<const Genotype> networks) = 0;
  /// The mean loss of each network on one and the same batch, the next one of the part that weights
  /// do not learn from.
  virtual std::vector<double> losses(std::span<const Genotype> networks) = 0;

  /// A step of the weights with a part of the batch through each mixture, in which all options run
  /// and add up by these shares.
  virtual double learn(std::span<const OptionNumbers> mixtures) = 0;
  /// The mean loss of each mixture on its part of the next batch of those that weights do not learn
  /// from, and the gradient of that by its shares.
  virtual std::vector<MixtureLoss> losses(std::span<const OptionNumbers> mixtures) = 0;

  /// The task's first metric on the whole of that part; more is better.
  virtual double validate(const Genotype& network) = 0;
  /// The same of a network trained by itself on the samples that weights learn from, as the
  /// experiment's `train` says, or else by the profile for such data: from new weights, or where
  /// trainings start with those of the search, from its own among the shared ones.
  virtual double validate_alone(const Genotype& network) = 0;

  /// Leaves the weights that a network has among the shared ones for its training, which may start
  /// with them. Of the last call; to be called for what is found.
  virtual void hand_on(const Genotype& network) = 0;

  /// Keeps the weights as they are, and what the searcher wants to know when it goes on from here.
  /// To be called with every epoch.
  virtual void keep(const NamedNumbers& numbers) = 0;
  /// What an earlier process kept last, whose weights these are from now on; or nothing.
  virtual std::optional<NamedNumbers> kept() = 0;
};

}  // namespace thimble
