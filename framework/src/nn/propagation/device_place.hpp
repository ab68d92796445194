#pragma once

#include <c10/core/Device.h>

#include <thimble/nn/propagation/device.hpp>

namespace thimble {

/// Where its tensors are; what it computes is from then on the same with every run, as far as
/// LibTorch can say so. Of a device that there is.
at::Device place_of(const Device& device);

}  // namespace thimble
