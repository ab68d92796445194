#include <thimble/train/pruner.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/parameter_places.hpp>

namespace thimble {

namespace {

/// The share of each channel group that goes.
std::vector<double> shares_of(const Prune& how, const Coupling& coupling) {
  if (how.from == PruneFrom::decisions) return how.decided;
  return std::vector<double>(coupling.groups.size(), how.sparsity);
}

}  // namespace

double masked_share(const Prune& how, double progress) {
  if (progress < how.begin) return 0;
  if (how.schedule == PruneSchedule::one_shot || progress >= how.end) return 1;
  return 1 - std::pow(1 - (progress - how.begin) / (how.end - how.begin), 3);
}

Pruner::~Pruner() = default;

Pruner::Pruner(const Network& network, const Prune& how, std::uint64_t seed, std::int64_t steps)
    : network_{network}, how_{how}, steps_{steps}, coupling_{coupled_channels(network.graph())} {
  find_channels();
  std::int64_t count = 0;
  for (const auto& group : channels_)
    first_.push_back(std::exchange(count, count + std::ssize(group)));
  const auto shares = shares_of(how, coupling_);
  if (shares.size() != channels_.size())
    throw Error{
        fmt::format("{} sparsities for {} channel groups", shares.size(), channels_.size())};
  for (std::size_t g = 0; g < shares.size(); ++g) {
    const int channels = coupling_.groups[g].channels;
    gone_.push_back(channels - remaining_channels(channels, shares[g]));
  }
  masks_ = at::zeros({count}, at::kLong);
  importance_ = at::zeros({count}, at::kDouble);
  std::vector<double> drawn(at(count));
  Random random = Random::stream(seed, {"prune"});
  for (double& value : drawn) value = random.uniform();
  drawn_ = at::tensor(drawn, at::kDouble);
  std::vector<at::Tensor> parameters;
  for (const at::Tensor& parameter : network.all_parameters())
    parameters.push_back(parameter.reshape(-1));
  const at::Tensor values = at::cat(parameters);
  std::vector<float> hidden;
  each_gate(
      [&](bool, std::int64_t i, std::size_t) { hidden.push_back(values.data_ptr<float>()[i]); });
  hidden_ = at::tensor(hidden);
}

/// Calls visit(is masked, place, k) for the k-th number of all gates.
template <class Visit>
void Pruner::each_gate(const Visit& visit) const {
  const auto* mask = masks_.data_ptr<std::int64_t>();
  std::size_t k = 0;
  for (const auto& group : channels_)
    for (const Channel& channel : group) {
      const bool is_masked = *mask++ != 0;
      for (const auto& [begin, end] : channel.gates)
        for (std::int64_t i = begin; i < end; ++i) visit(is_masked, i, k++);
    }
}

/// All parameters, as if nothing were masked.
at::Tensor Pruner::unmasked(const at::Tensor& parameters) const {
  at::Tensor made = parameters.clone();
  each_gate([&](bool is_masked, std::int64_t i, std::size_t k) {
    if (is_masked) made.data_ptr<float>()[i] = hidden_.data_ptr<float>()[k];
  });
  return made;
}

void Pruner::find_channels() {
  const Graph& graph = network_.graph();
  const auto begins = parameter_begins(network_);
  for (const ChannelGroup& group : coupling_.groups) channels_.emplace_back(at(group.channels));
  std::vector<bool> is_normalised(at(graph.size()), true);  // nothing but batch norms read it
  for (NodeId id = 0; id < graph.size(); ++id)
    for (const NodeId input : graph.inputs(id))
      if (graph.node(id).op != Op::batch_norm) is_normalised[at(input)] = false;
  is_normalised[at(graph.output())] = false;
  const auto each = [&](NodeId node, const auto& visit) {
    const auto& places = coupling_.places[at(node)];
    for (std::size_t k = 0; k < places.size(); ++k)
      if (places[k].group >= 0)
        visit(channels_[at(places[k].group)][at(places[k].index)], static_cast<std::int64_t>(k));
  };
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    const auto [weight, bias] = begins[at(id)];
    if (weight < 0) continue;
    const std::int64_t length = network_.parameters(id).weight.numel() / node.shape.channels;
    const bool is_norm = node.op == Op::batch_norm;
    each(id, [&](Channel& channel, std::int64_t k) {
      const Stretch filter{weight + k * length, weight + (k + 1) * length};
      if (is_norm || !is_normalised[at(id)]) {
        channel.gates.push_back(filter);
        if (bias >= 0) channel.gates.push_back({bias + k, bias + k + 1});
      }
      if (!is_norm) channel.filters.push_back(filter);
    });
    if (is_norm || node.groups > 1) continue;
    const NodeId input = graph.inputs(id)[0];
    const std::int64_t plane = length / graph.node(input).shape.channels;
    each(input, [&](Channel& channel, std::int64_t k) {
      for (std::int64_t out = 0; out < node.shape.channels; ++out)
        channel.consumers.push_back(
            {weight + out * length + k * plane, weight + out * length + (k + 1) * plane});
    });
  }
}

void Pruner::before_update(const FlatParameters&, const at::Tensor& gradient) {
  if (how_.criterion != PruneCriterion::taylor) return;
  // Fewer steps are noise, which would change the choice again and again.
  constexpr double kKept = 0.99;
  const auto* const slope = gradient.data_ptr<float>();
  const auto* value = hidden_.data_ptr<float>();
  auto* importance = importance_.data_ptr<double>();
  for (const auto& group : channels_)
    for (const Channel& channel : group) {
      double sum = 0;
      for (const auto& [begin, end] : channel.gates)
        for (std::int64_t i = begin; i < end; ++i) sum += static_cast<double>(*value++ * slope[i]);
      *importance = kKept * *importance + (1 - kKept) * sum * sum;
      ++importance;
    }
}

/// Scores of a group's channels; higher is better. `values` are all parameters, unmasked.
std::vector<double> Pruner::scores_of(std::size_t group, const at::Tensor& values) const {
  const auto power_sum = [&](const std::vector<Stretch>& stretches, int power) {
    double sum = 0;
    for (const auto& [begin, end] : stretches)
      for (std::int64_t i = begin; i < end; ++i) {
        const auto value = std::abs(static_cast<double>(values.data_ptr<float>()[i]));
        sum += power == 1 ? value : value * value;
      }
    return sum;
  };
  std::vector<double> scores;
  for (std::size_t c = 0; c < channels_[group].size(); ++c) {
    const Channel& channel = channels_[group][c];
    const std::size_t number = at(first_[group]) + c;
    switch (how_.criterion) {
      case PruneCriterion::taylor: scores.push_back(importance_.data_ptr<double>()[number]); break;
      case PruneCriterion::scale:
        scores.push_back(std::sqrt(power_sum(channel.gates, 2)) *
                         std::sqrt(power_sum(channel.consumers, 2)));
        break;
      case PruneCriterion::l1: scores.push_back(power_sum(channel.filters, 1)); break;
      case PruneCriterion::random: scores.push_back(drawn_.data_ptr<double>()[number]); break;
    }
  }
  return scores;
}

/// Masks this share of what is to go, the least first; what is masked already is judged by what it
/// was.
void Pruner::choose(double share, const at::Tensor& values) {
  auto* const mask = masks_.data_ptr<std::int64_t>();
  for (std::size_t g = 0; g < channels_.size(); ++g) {
    const auto count = static_cast<int>(channels_[g].size());
    const auto masked = static_cast<std::int64_t>(share * gone_[g] + 1e-9);
    const auto scores = scores_of(g, values);
    std::vector<std::int64_t> order(channels_[g].size());
    std::iota(order.begin(), order.end(), 0);
    // Of equals the first stays.
    std::ranges::stable_sort(order, [&](std::int64_t a, std::int64_t b) {
      return scores[at(a)] != scores[at(b)] ? scores[at(a)] < scores[at(b)] : a > b;
    });
    for (std::int64_t i = 0; i < count; ++i) mask[first_[g] + order[at(i)]] = i < masked ? 1 : 0;
  }
}

void Pruner::after_update(const FlatParameters& parameters, const Optimiser& optimiser,
                          std::int64_t step) {
  constexpr std::int64_t kEvery = 32;
  auto* const value = parameters.values().data_ptr<float>();
  auto* const hidden = hidden_.data_ptr<float>();
  each_gate([&](bool is_masked, std::int64_t i, std::size_t k) {
    if (!is_masked) hidden[k] = value[i];
  });
  const double share =
      masked_share(how_, static_cast<double>(step + 1) / static_cast<double>(steps_));
  if (share > 0 && (step % kEvery == 0 || share == 1)) choose(share, unmasked(parameters.values()));
  // Not Adam's second moment: from zero, a channel that comes back would leap.
  auto* const momentum = optimiser.state().at("first_moment").data_ptr<float>();
  each_gate([&](bool is_masked, std::int64_t i, std::size_t k) {
    value[i] = is_masked ? 0 : hidden[k];
    if (is_masked) momentum[i] = 0;
  });
}

std::map<std::string, at::Tensor> Pruner::state() const {
  return {{"prune/masks", masks_}, {"prune/importance", importance_}, {"prune/hidden", hidden_}};
}

KeptChannels Pruner::kept() const {
  KeptChannels made;
  const auto* mask = masks_.data_ptr<std::int64_t>();
  for (const auto& group : channels_) {
    auto& own = made.emplace_back();
    for (std::size_t c = 0; c < group.size(); ++c) own.push_back(*mask++ == 0);
  }
  return made;
}

Removal removed(const Network& network, const KeptChannels& kept) {
  const Pruned pruned = pruned_to(network.graph(), coupled_channels(network.graph()), kept);
  return {pruned.graph, parameter_places(network, pruned.graph, pruned.kept)};
}

Graph pruned_graph(const Graph& graph, const Prune& how) {
  const Coupling coupling = coupled_channels(graph);
  return pruned(graph, coupling, shares_of(how, coupling)).graph;
}

}  // namespace thimble
