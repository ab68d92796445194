#include <thimble/nn/correlation.hpp>

#include <ATen/ATen.h>

#include <thimble/core/error.hpp>

namespace thimble {

torch::Tensor correlation(const torch::Tensor& rows) {
  const torch::Tensor centred = rows - rows.mean(1, /*keepdim=*/true);
  const torch::Tensor lengths = centred.norm(2, {1}, /*keepdim=*/true);
  constexpr double kRounding = 1e-12;  // a mean is not exact: of equal values something is left
  const torch::Tensor is_varied = lengths > kRounding * rows.norm(2, {1}, /*keepdim=*/true);
  const torch::Tensor directions = at::where(is_varied, centred / lengths, at::zeros_like(centred));
  return directions.mm(directions.t()).clamp(-1.0, 1.0);
}

torch::Tensor correlation_of_input_gradients(Observation& seen) {
  torch::Tensor found = correlation(seen.input_gradient().flatten(1).to(at::kDouble));
  if (found.diagonal().eq(0).any().item<bool>())
    throw Error{"the logits do not depend on some sample, or on all its pixels alike"};
  return found;
}

}  // namespace thimble
