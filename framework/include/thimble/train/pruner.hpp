#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/graph/pruning.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/recipe.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {

/// The share of each group's channels that is masked, of what is to go in the end: a cubic ramp
/// between begin and end (Zhu and Gupta, arXiv 1710.01878), or all at once at begin. `progress` is
/// the share of all steps that are done.
THIMBLE_EXPORT double masked_share(const Prune& how, double progress);

/// Structured pruning while a network learns: the channels that matter least are masked, more of
/// them with every few steps, chosen anew each time, so that one may come back; in the end the
/// others are kept. A channel is masked by zeros in what lets it through: scale and shift of its
/// batch norms, or filter and bias where no batch norm follows.
class THIMBLE_EXPORT Pruner : public TrainerHook {
 public:
  /// Of a training of so many steps; the network outlives this. Throws Error when the graph has an
  /// open choice.
  Pruner(const Network& network, const Prune& how, std::uint64_t seed, std::int64_t steps);
  ~Pruner() override;

  void before_update(const FlatParameters& parameters, const at::Tensor& gradient) override;
  void after_update(const FlatParameters& parameters, const Optimiser& optimiser,
                    std::int64_t step) override;
  std::map<std::string, at::Tensor> state() const override;

  KeptChannels kept() const;

 private:
  /// Numbers that lie side by side in the buffer of all parameters.
  struct Stretch {
    std::int64_t begin;
    std::int64_t end;
  };
  /// A channel of a group.
  struct Channel {
    std::vector<Stretch> gates;      ///< what is zero when it is masked
    std::vector<Stretch> filters;    ///< of the layers that make it
    std::vector<Stretch> consumers;  ///< weights that read it
  };

  void find_channels();
  template <class Visit>
  void each_gate(const Visit& visit) const;
  at::Tensor unmasked(const at::Tensor& parameters) const;
  std::vector<double> scores_of(std::size_t group, const at::Tensor& values) const;
  void choose(double share, const at::Tensor& values);

  const Network& network_;
  Prune how_;
  std::int64_t steps_;
  Coupling coupling_;
  std::vector<std::vector<Channel>> channels_;  ///< by group
  std::vector<std::int64_t> first_;             ///< number of each group's first channel
  std::vector<int> gone_;                       ///< how many of each group go in the end
  at::Tensor masks_;                            ///< 1 where a channel is masked
  at::Tensor importance_;                       ///< of each channel, a mean over steps
  at::Tensor drawn_;                            ///< of each channel, for the criterion `random`
  at::Tensor hidden_;  ///< the numbers of all gates, as if nothing were masked
};

/// A network without the channels that are not kept, and where its parameters lie among those of
/// the network it was made from, in the order of FlatParameters.
struct Removal {
  Graph graph;
  at::Tensor places;
};
THIMBLE_EXPORT Removal removed(const Network& network, const KeptChannels& kept);

/// What pruning leaves of a network: which channels go decides no shape.
THIMBLE_EXPORT Graph pruned_graph(const Graph& graph, const Prune& how);

}  // namespace thimble
