#include <thimble/nn/correlation.hpp>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {

at::Tensor correlation(const at::Tensor& rows) {
  const at::Tensor mean = rows.mean(1, /*keepdim=*/true);
  const at::Tensor centred = rows - mean;
  const at::Tensor products = centred.mm(centred.t());
  const at::Tensor squares = products.diagonal().unsqueeze(1);
  constexpr double kRounding = 1e-24;  // a mean is not exact: of equal values something is left
  const at::Tensor is_varied =
      squares > kRounding * (squares + static_cast<double>(rows.size(1)) * mean.square());
  const at::Tensor scale = at::where(is_varied, squares.rsqrt(), at::zeros_like(squares));
  return (products * scale * scale.t()).clamp(-1.0, 1.0);
}

at::Tensor correlation_of_input_gradients(Observation& seen) {
  at::Tensor found = correlation(seen.input_gradient().flatten(1).to(at::kDouble));
  if (found.diagonal().eq(0).any().item<bool>())
    throw Error{"the logits do not depend on some sample, or on all its pixels alike"};
  return found;
}

}  // namespace thimble
