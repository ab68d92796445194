#include "wide_batch_norm.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/ATen.h>

// Compiled for several instruction sets; the machine's best is taken when the library is loaded.
#ifdef __x86_64__
#define THIMBLE_CLONES \
  __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#else
#define THIMBLE_CLONES
#endif

namespace thimble {
namespace {

/// Rows of one number a channel: what channels last means.
struct Rows {
  std::int64_t count = 0;
  std::int64_t channels = 0;
};

/// Sums of x and x * y by channel over a few rows, in float: they are added up in double.
THIMBLE_CLONES void add_products(const float* __restrict x, const float* __restrict y, Rows rows,
                                 float* __restrict sums, float* __restrict products) {
  for (std::int64_t r = 0; r < rows.count; ++r, x += rows.channels, y += rows.channels)
    for (std::int64_t c = 0; c < rows.channels; ++c) {
      sums[c] += x[c];
      products[c] += x[c] * y[c];
    }
}

/// into = a x + b y + d, with factors by channel.
THIMBLE_CLONES void combine(const float* __restrict x, const float* __restrict y, Rows rows,
                            const float* __restrict a, const float* __restrict b,
                            const float* __restrict d, float* __restrict into) {
  for (std::int64_t r = 0; r < rows.count; ++r) {
    for (std::int64_t c = 0; c < rows.channels; ++c) into[c] = a[c] * x[c] + b[c] * y[c] + d[c];
    x += rows.channels, y += rows.channels, into += rows.channels;
  }
}

/// into = a x + d.
THIMBLE_CLONES void scale_and_shift(const float* __restrict x, Rows rows, const float* __restrict a,
                                    const float* __restrict d, float* __restrict into) {
  for (std::int64_t r = 0; r < rows.count; ++r, x += rows.channels, into += rows.channels)
    for (std::int64_t c = 0; c < rows.channels; ++c) into[c] = a[c] * x[c] + d[c];
}

struct Sums {
  std::vector<double> of_x;
  std::vector<double> of_xy;
};

Sums sums_by_channel(const float* x, const float* y, Rows rows) {
  constexpr std::int64_t kBlock = 128;  // rows whose sums float holds well
  const auto channels = static_cast<std::size_t>(rows.channels);
  Sums sums{std::vector<double>(channels), std::vector<double>(channels)};
  std::vector<float> of_x(channels), of_xy(channels);
  for (std::int64_t first = 0; first < rows.count; first += kBlock) {
    const Rows block{std::min(kBlock, rows.count - first), rows.channels};
    std::ranges::fill(of_x, 0.0F);
    std::ranges::fill(of_xy, 0.0F);
    add_products(x + first * rows.channels, y + first * rows.channels, block, of_x.data(),
                 of_xy.data());
    for (std::size_t c = 0; c < channels; ++c) {
      sums.of_x[c] += of_x[c];
      sums.of_xy[c] += of_xy[c];
    }
  }
  return sums;
}

torch::Tensor by_channel(const std::vector<double>& values) {
  torch::Tensor made = at::empty({static_cast<std::int64_t>(values.size())}, at::kFloat);
  std::ranges::transform(values, made.data_ptr<float>(),
                         [](double value) { return static_cast<float>(value); });
  return made;
}

Rows rows_of(const torch::Tensor& x) { return {x.numel() / x.size(1), x.size(1)}; }

}  // namespace

NormalisedBatch wide_batch_norm(const torch::Tensor& x, const torch::Tensor& scale,
                                const torch::Tensor& shift, double epsilon) {
  const torch::Tensor input = x.contiguous(at::MemoryFormat::ChannelsLast);
  const auto* from = input.data_ptr<float>();
  const Rows rows = rows_of(input);
  const auto count = static_cast<double>(rows.count);
  const Sums sums = sums_by_channel(from, from, rows);
  const auto channels = static_cast<std::size_t>(rows.channels);
  std::vector<double> mean(channels), inverse(channels), factor(channels), offset(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    mean[c] = sums.of_x[c] / count;
    const double variance = std::max(0.0, sums.of_xy[c] / count - mean[c] * mean[c]);
    inverse[c] = 1 / std::sqrt(variance + epsilon);
    factor[c] = scale.data_ptr<float>()[c] * inverse[c];
    offset[c] = shift.data_ptr<float>()[c] - mean[c] * factor[c];
  }
  NormalisedBatch made{at::empty_like(input), by_channel(mean), by_channel(inverse)};
  const torch::Tensor a = by_channel(factor), d = by_channel(offset);
  scale_and_shift(from, rows, a.data_ptr<float>(), d.data_ptr<float>(),
                  made.output.data_ptr<float>());
  return made;
}

NormalisedGradients wide_batch_norm_backward(const torch::Tensor& gradient, const torch::Tensor& x,
                                             const torch::Tensor& scale, const torch::Tensor& mean,
                                             const torch::Tensor& inverse_deviation) {
  // With n = (x - mean) / deviation: dx = scale / deviation (dy - mean(dy) - n mean(dy n)).
  const torch::Tensor dy = gradient.contiguous(at::MemoryFormat::ChannelsLast);
  const torch::Tensor input = x.contiguous(at::MemoryFormat::ChannelsLast);
  const Rows rows = rows_of(input);
  const auto count = static_cast<double>(rows.count);
  const Sums sums = sums_by_channel(dy.data_ptr<float>(), input.data_ptr<float>(), rows);
  const auto channels = static_cast<std::size_t>(rows.channels);
  std::vector<double> by_scale(channels), of_dy(channels), of_x(channels), offset(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double inverse = inverse_deviation.data_ptr<float>()[c];
    const double centre = mean.data_ptr<float>()[c];
    by_scale[c] = (sums.of_xy[c] - centre * sums.of_x[c]) * inverse;
    of_dy[c] = scale.data_ptr<float>()[c] * inverse;
    of_x[c] = -of_dy[c] * inverse * by_scale[c] / count;
    offset[c] = -of_dy[c] * sums.of_x[c] / count - of_x[c] * centre;
  }
  NormalisedGradients made{at::empty_like(input), by_channel(by_scale), by_channel(sums.of_x)};
  const torch::Tensor a = by_channel(of_dy), b = by_channel(of_x), d = by_channel(offset);
  combine(dy.data_ptr<float>(), input.data_ptr<float>(), rows, a.data_ptr<float>(),
          b.data_ptr<float>(), d.data_ptr<float>(), made.input.data_ptr<float>());
  return made;
}

}  // namespace thimble
