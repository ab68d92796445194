#include "mean_pool.hpp"

#include <ATen/ATen.h>

#include "evaluate.hpp"

namespace thimble {
namespace {

torch::Tensor window_sums(const torch::Tensor& x, const Node& pool) {
  const std::int64_t channels = x.size(1);
  const auto ones = at::ones({channels, 1, pool.kernel.height, pool.kernel.width}, x.options());
  return at::conv2d(x, ones, {}, /*stride=*/1, pair_of(pool.padding), /*dilation=*/1, channels);
}

/// One over the pixels in each window; padding is not counted.
torch::Tensor shares(const torch::Tensor& x, const Node& pool) {
  return window_sums(at::ones({1, 1, x.size(2), x.size(3)}, x.options()), pool).reciprocal();
}

}  // namespace

bool keeps_size(const Node& pool) {
  return pool.stride == Extent{1, 1} && pool.kernel.height == 2 * pool.padding.height + 1 &&
         pool.kernel.width == 2 * pool.padding.width + 1;
}

torch::Tensor mean_pool(const torch::Tensor& x, const Node& pool) {
  return window_sums(x, pool).mul_(shares(x, pool));
}

torch::Tensor mean_pool_backward(const torch::Tensor& gradient, const Node& pool) {
  return window_sums(gradient * shares(gradient, pool), pool);  // windows are symmetric
}

}  // namespace thimble
