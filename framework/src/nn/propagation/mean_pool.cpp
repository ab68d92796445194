#include "mean_pool.hpp"

#include <algorithm>
#include <vector>

#include <thimble/core/clones.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// One over the number of cells that a window of 2 * reach + 1 has in a line of `size`, by its
/// middle. A rectangle has as many cells as its sides' product.
template <class Scalar>
std::vector<Scalar> shares(std::int64_t size, std::int64_t reach) {
  std::vector<Scalar> made;
  for (std::int64_t i = 0; i < size; ++i)
    made.push_back(Scalar{1} / static_cast<Scalar>(std::min(size, i + reach + 1) -
                                                   std::max<std::int64_t>(0, i - reach)));
  return made;
}

template <class Scalar>
struct PoolRun {
  const Scalar* from;
  Scalar* into;
  std::int64_t samples;
  std::int64_t height;
  std::int64_t width;
  std::int64_t channels;
  std::int64_t reach_up;
  std::int64_t reach_across;
  bool is_backward;  ///< shares are taken before the sums, not after
};

/// A row of the result is the sum of rows, and then of that sum shifted by pixels.
template <class Scalar>
THIMBLE_INLINE void pool_rows(const PoolRun<Scalar>& run) {
  const std::int64_t length = run.width * run.channels;
  const std::int64_t margin = run.reach_across * run.channels;
  const auto of_rows = shares<Scalar>(run.height, run.reach_up);
  std::vector<Scalar> of_pixels;
  for (const Scalar share : shares<Scalar>(run.width, run.reach_across))
    of_pixels.insert(of_pixels.end(), static_cast<std::size_t>(run.channels), share);
  std::vector<Scalar> padded(static_cast<std::size_t>(length + 2 * margin));
  Scalar* __restrict const sum = padded.data() + margin;
  const Scalar* __restrict const of_pixel = of_pixels.data();
  for (std::int64_t row = 0; row < run.samples * run.height; ++row) {
    const std::int64_t y = row % run.height;
    std::fill_n(sum, length, Scalar{0});
    for (std::int64_t other = std::max<std::int64_t>(0, y - run.reach_up);
         other < std::min(run.height, y + run.reach_up + 1); ++other) {
      const Scalar* __restrict const from = run.from + (row - y + other) * length;
      const Scalar share = run.is_backward ? of_rows[static_cast<std::size_t>(other)] : Scalar{1};
      for (std::int64_t i = 0; i < length; ++i) sum[i] += share * from[i];
    }
    if (run.is_backward)
      for (std::int64_t i = 0; i < length; ++i) sum[i] *= of_pixel[i];
    Scalar* __restrict const into = run.into + row * length;
    std::copy_n(padded.data(), length, into);
    for (std::int64_t shift = run.channels; shift <= 2 * margin; shift += run.channels) {
      const Scalar* __restrict const shifted = padded.data() + shift;
      for (std::int64_t i = 0; i < length; ++i) into[i] += shifted[i];
    }
    if (!run.is_backward) {
      const Scalar share = of_rows[static_cast<std::size_t>(y)];
      for (std::int64_t i = 0; i < length; ++i) into[i] *= share * of_pixel[i];
    }
  }
}

THIMBLE_CLONES void pool_all(const PoolRun<float>& run) { pool_rows(run); }
THIMBLE_CLONES void pool_all(const PoolRun<double>& run) { pool_rows(run); }

template <class Scalar>
at::Tensor pooled_in(const at::Tensor& x, const Node& pool, bool is_backward) {
  const at::Tensor from = x.contiguous(at::MemoryFormat::ChannelsLast);
  at::Tensor into = at::empty_like(from);
  pool_all({from.data_ptr<Scalar>(), into.data_ptr<Scalar>(), x.size(0), x.size(2), x.size(3),
            x.size(1), pool.padding.height, pool.padding.width, is_backward});
  return into;
}

at::Tensor pooled(const at::Tensor& x, const Node& pool, bool is_backward) {
  return x.scalar_type() == at::kDouble ? pooled_in<double>(x, pool, is_backward)
                                        : pooled_in<float>(x, pool, is_backward);
}

}  // namespace

bool keeps_size(const Node& pool) {
  return pool.stride == Extent{1, 1} && pool.kernel.height == 2 * pool.padding.height + 1 &&
         pool.kernel.width == 2 * pool.padding.width + 1;
}

at::Tensor mean_pool(const at::Tensor& x, const Node& pool) { return pooled(x, pool, false); }

at::Tensor mean_pool_backward(const at::Tensor& gradient, const Node& pool) {
  return pooled(gradient, pool, true);  // windows are symmetric
}

}  // namespace thimble
