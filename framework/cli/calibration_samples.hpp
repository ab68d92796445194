#pragma once

#include <thimble/experiment/study.hpp>
#include <thimble/nn/dataset.hpp>

namespace thimble::cli {

/// What int8 ranges are taken from: training samples as the network sees them, of its input size,
/// without augmentation.
Samples calibration_samples(const Study& study, const Shape& input);

}  // namespace thimble::cli
