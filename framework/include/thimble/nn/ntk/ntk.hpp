#pragma once

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/nn/propagation/network.hpp>

namespace thimble {

/// How batch norm takes part when the gradient of one sample's logits is taken.
enum class SampleCoupling {
  coupled,  ///< through the batch's statistics into the other samples, as the published code does
  frozen,   ///< the batch's statistics are constants: cheaper, and another measure
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, SampleCoupling>>& names_of(SampleCoupling);

/// The Gram matrix of the neural tangent kernel of the summed logits (TE-NAS, arXiv 2102.11535):
///
///     g_b = d(sum_k f_k(x_b)) / d theta,   G[a][b] = <g_a, g_b>
///
/// theta being the weights of convolutions, fully connected layers and batch norm's scales; biases
/// and shifts are left out. images: B x C x H x W. Returns B x B in double. Nothing is recorded on
/// a tape: in narrow networks 16 cotangents (8 in double) go backwards through the graph side by
/// side, one a vector lane, 8 to 14 times faster than row by row; in wide ones, and where there are
/// maximum pools, concatenations, ReLU6 or fused ReLUs, they go one after the other, as matrix
/// products. With frozen statistics they always go side by side, which throws Error for those. The
/// gradients of one layer after the other are multiplied into the Gram matrix. Memory: see
/// ntk_bytes(). Thread safe.
THIMBLE_EXPORT at::Tensor ntk_gram(const Network& network, const at::Tensor& images,
                                   SampleCoupling coupling);

/// Bytes that ntk_gram() holds at its worst for a batch of so many samples, from above, with
/// coupled statistics and scalars of 4 or 8 bytes.
THIMBLE_EXPORT std::int64_t ntk_bytes(const Graph& graph, std::int64_t samples, int scalar_bytes);

/// The same matrix as it is defined, one backward pass of autograd per sample: slow, for tests and
/// benchmarks (coupled statistics only).
THIMBLE_EXPORT at::Tensor ntk_gram_by_rows(const Network& network, const at::Tensor& images);

/// lambda_max / lambda_min of a symmetric positive semi-definite matrix in double; lambda_min is
/// raised to 1e-12 lambda_max, so the answer is at most 1e12, which is also what a zero matrix has.
/// NaN when an entry is not finite.
THIMBLE_EXPORT double condition_number(const at::Tensor& gram);

}  // namespace thimble
