#include <thimble/nn/correlation.hpp>

#include <ATen/ATen.h>

namespace thimble {

torch::Tensor correlation(const torch::Tensor& rows) {
  const torch::Tensor centred = rows - rows.mean(1, /*keepdim=*/true);
  const torch::Tensor lengths = centred.square().sum(1, /*keepdim=*/true).sqrt();
  const torch::Tensor directions =
      at::where(lengths > 0, centred / lengths, at::zeros_like(centred));
  return directions.mm(directions.t()).clamp(-1.0, 1.0);
}

}  // namespace thimble
