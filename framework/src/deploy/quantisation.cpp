#include <thimble/deploy/quantisation.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include <thimble/core/index.hpp>

namespace thimble {
namespace {

/// Quantisations of a graph's tensors, one after the other.
class Quantising {
 public:
  Quantising(const Graph& deployed, std::span<const Range> seen)
      : graph_{deployed}, seen_{seen}, readers_(seen.size()) {
    for (NodeId id = 0; id < graph_.size(); ++id)
      for (const NodeId input : graph_.inputs(id)) readers_[at(input)].push_back(id);
  }

  std::vector<Quantisation> run() {
    for (NodeId id = 0; id < graph_.size(); ++id) known_.push_back(quantisation(id));
    return std::move(known_);
  }

  NodeId owner(NodeId id) const {
    const Op op = graph_.node(id).op;
    if (op == Op::avg_pool || op == Op::max_pool) return owner(graph_.inputs(id)[0]);
    if (op == Op::softmax) return -1;
    const auto whole = only_concat(id);
    return whole ? owner(*whole) : id;
  }

 private:
  Quantisation quantisation(NodeId id) const {
    const NodeId from = owner(id);
    if (from < 0) return {1.0F / 256, -128};
    Quantisation own = quantisation_of(seen_[at(from)]);
    if (graph_.node(from).op == Op::add) own.scale = std::max(own.scale, smallest_sum_scale(from));
    return own;
  }

  /// The concatenation that alone reads a tensor. It gives its quantisation to its parts, as
  /// TFLite's converter does it: then they are copied, and need no tables. A ReLU's zero point must
  /// stay the lowest value, or it would have to be clamped.
  std::optional<NodeId> only_concat(NodeId id) const {
    const auto& readers = readers_[at(id)];
    if (readers.size() != 1 || graph_.node(readers[0]).op != Op::concat) return std::nullopt;
    const bool is_free = graph_.node(id).op != Op::input && graph_.node(id).op != Op::add;
    const bool is_clamped =
        graph_.node(id).activation != Activation::none || graph_.node(id).op == Op::relu;
    if (!is_free || (is_clamped && quantisation_of(seen_[at(readers[0])]).zero_point != -128))
      return std::nullopt;
    return readers[0];
  }

  /// Below this the rescaling of a sum would have to enlarge it: terms that cancel out.
  float smallest_sum_scale(NodeId id) const { return std::ldexp(largest_scale(id), -18); }

  float largest_scale(NodeId id) const {
    float largest = 0;
    for (const NodeId input : graph_.inputs(id))
      largest = std::max(largest, known_[at(input)].scale);
    return largest;
  }

  const Graph& graph_;
  std::span<const Range> seen_;
  std::vector<std::vector<NodeId>> readers_;  ///< of each node
  std::vector<Quantisation> known_;           ///< of the nodes so far
};

}  // namespace

Quantisation quantisation_of(Range range) {
  const float lowest = std::min(range.lowest, 0.0F);
  const float highest = std::max(range.highest, 0.0F);
  if (!(highest - lowest > 0) || std::isinf(highest - lowest)) return {1, 0};
  const float scale = std::max((highest - lowest) / 255.0F, std::numeric_limits<float>::min());
  const float zero_point = std::round(-128.0F - lowest / scale);
  return {scale, static_cast<std::int32_t>(std::clamp(zero_point, -128.0F, 127.0F))};
}

std::int8_t rounded_value(float value, const Quantisation& q) {
  return static_cast<std::int8_t>(
      std::clamp(std::round(value / q.scale) + static_cast<float>(q.zero_point), -128.0F, 127.0F));
}

std::vector<Quantisation> quantisations_of(const Graph& deployed, std::span<const Range> seen) {
  return Quantising{deployed, seen}.run();
}

std::vector<NodeId> range_owners(const Graph& deployed, std::span<const Range> seen) {
  const Quantising quantising{deployed, seen};
  std::vector<NodeId> made;
  for (NodeId id = 0; id < deployed.size(); ++id) made.push_back(quantising.owner(id));
  return made;
}

float symmetric_scale(std::span<const float> values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  return largest > 0 ? largest / 127.0F : 1.0F;
}

std::int8_t rounded_weight(float value, float scale) {
  return static_cast<std::int8_t>(std::clamp(std::round(value / scale), -127.0F, 127.0F));
}

void fold(Filters& filters, const FloatParameters& norm) {
  for (std::size_t c = 0; c < filters.bias.size(); ++c) {
    const float gain = norm.weight[c] / std::sqrt(norm.variance[c]);
    for (float& weight : filters.filter(c)) weight *= gain;
    filters.bias[c] = (filters.bias[c] - norm.mean[c]) * gain + norm.bias[c];
  }
}

}  // namespace thimble
