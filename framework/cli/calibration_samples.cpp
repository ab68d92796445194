#include "calibration_samples.hpp"

#include <algorithm>

#include <thimble/nn/input_source.hpp>

namespace thimble::cli {

Samples calibration_samples(const Study& study, const Shape& input) {
  constexpr std::int64_t kSamples = 256;
  Pass pass;
  pass.augment = false;
  pass.batch = static_cast<int>(std::min(kSamples, study.dataset->describe().train_samples));
  return draw_batches(*study.dataset, pass, input, 0, study.seed).front();
}

}  // namespace thimble::cli
