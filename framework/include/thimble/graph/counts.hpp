#pragma once

#include <cstdint>

#include <thimble/core/export.hpp>
#include <thimble/graph/graph.hpp>

namespace thimble {

/// Multiply-accumulates of one node for one sample: convolutions and fully connected layers, whose
/// bias additions count too. Batch norm, ReLU, pools and additions are free. This is what
/// NAS-Bench-201 publishes under the name FLOPs.
THIMBLE_EXPORT std::int64_t macs(const Graph& graph, const Node& node);

/// Trainable numbers of one node: weights, biases, and batch norm's scale and shift.
THIMBLE_EXPORT std::int64_t params(const Graph& graph, const Node& node);

/// Of all nodes, dead ends included, as the benchmark counts them; of an open choice, of all its
/// options.
THIMBLE_EXPORT std::int64_t macs(const Graph& graph);
THIMBLE_EXPORT std::int64_t params(const Graph& graph);

}  // namespace thimble
