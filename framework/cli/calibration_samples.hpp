#pragma once

#include <thimble/experiment/study.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/train/trained_network.hpp>

namespace thimble::cli {

/// What int8 ranges are taken from: training samples as the network sees them, of its input size,
/// without augmentation.
Samples calibration_samples(const Study& study, const Shape& input);

/// What the board's integers are made from: what the training made for it, or else the folded
/// network with its ranges on these samples.
FloatNetwork board_network(const TrainedNetwork& trained, const at::Tensor& samples);

}  // namespace thimble::cli
