#include <thimble/nn/correlation.hpp>

#include <ATen/ATen.h>

#include <thimble/core/error.hpp>

namespace thimble {

torch::Tensor correlation(const torch::Tensor& rows) {
  const torch::Tensor mean = rows.mean(1, /*keepdim=*/true);
  const torch::Tensor centred = rows - mean;
  const torch::Tensor products = centred.mm(centred.t());
  const torch::Tensor squares = products.diagonal().unsqueeze(1);
  constexpr double kRounding = 1e-24;  // a mean is not exact: of equal values something is left
  const torch::Tensor is_varied =
      squares > kRounding * (squares + static_cast<double>(rows.size(1)) * mean.square());
  const torch::Tensor scale = at::where(is_varied, squares.rsqrt(), at::zeros_like(squares));
  return (products * scale * scale.t()).clamp(-1.0, 1.0);
}

torch::Tensor correlation_of_input_gradients(Observation& seen) {
  torch::Tensor found = correlation(seen.input_gradient().flatten(1).to(at::kDouble));
  if (found.diagonal().eq(0).any().item<bool>())
    throw Error{"the logits do not depend on some sample, or on all its pixels alike"};
  return found;
}

}  // namespace thimble
