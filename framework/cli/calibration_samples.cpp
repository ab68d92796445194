#include "calibration_samples.hpp"

#include <algorithm>

#include <thimble/nn/calibration.hpp>
#include <thimble/nn/input_source.hpp>

namespace thimble::cli {

Samples calibration_samples(const Study& study, const Shape& input) {
  constexpr std::int64_t kSamples = 256;
  Pass pass;
  pass.augment = false;
  pass.batch = static_cast<int>(std::min(kSamples, study.dataset->describe().train_samples));
  return draw_batches(*study.dataset, pass, input, 0, study.seed).front();
}

FloatNetwork board_network(const TrainedNetwork& trained, const at::Tensor& samples) {
  return trained.board ? trained.board->real : folded(calibrated(trained.network, samples));
}

}  // namespace thimble::cli
