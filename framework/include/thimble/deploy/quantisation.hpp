#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>

/// How float becomes int8: the rules that lower() follows, for whoever must round as it does.
namespace thimble {

/// Asymmetric, with 0 represented exactly, so that padding and ReLU are exact.
THIMBLE_EXPORT Quantisation quantisation_of(Range range);

/// value / scale, rounded, ties away from zero, and the zero point, in [-128, 127].
THIMBLE_EXPORT std::int8_t rounded_value(float value, const Quantisation& q);

/// Of every node of a deployed graph, from the range that its values were seen to take. Pools keep
/// their input's, softmax has 1 / 256, and a concatenation gives its own to the tensors that it
/// alone reads.
THIMBLE_EXPORT std::vector<Quantisation> quantisations_of(const Graph& deployed,
                                                          std::span<const Range> seen);

/// The node whose range gives each node its quantisation: mostly the node itself; -1 where none
/// does.
THIMBLE_EXPORT std::vector<NodeId> range_owners(const Graph& deployed, std::span<const Range> seen);

/// Of a filter, or of all weights of a fully connected layer: the largest is 127 or -127. Any
/// positive scale serves a filter of zeros.
THIMBLE_EXPORT float symmetric_scale(std::span<const float> values);

/// value / scale, rounded, ties away from zero, in [-127, 127].
THIMBLE_EXPORT std::int8_t rounded_weight(float value, float scale);

/// A layer's weights in float: filters one behind the other, batch norm folded in.
struct Filters {
  std::vector<float> weights;  ///< channels x length
  std::vector<float> bias;
  std::size_t length = 0;

  std::span<float> filter(std::size_t channel) {
    return std::span{weights}.subspan(channel * length, length);
  }
};

/// Multiplies a batch norm behind the filters into them.
THIMBLE_EXPORT void fold(Filters& filters, const FloatParameters& norm);

}  // namespace thimble
