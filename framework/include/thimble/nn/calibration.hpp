#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/propagation/network.hpp>

namespace thimble {

/// A network with what lower() needs: its weights in plain memory, the range of every node's output
/// on these images, and their statistics for batch norm. images: N x C x H x W, real ones, a few
/// hundred: the ranges are exactly those seen. Thread safe.
THIMBLE_EXPORT FloatNetwork calibrated(const Network& network, const at::Tensor& images);

}  // namespace thimble
