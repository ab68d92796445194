#pragma once

#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>

namespace thimble {

/// A number for each channel.
using ByChannel = std::vector<double>;

/// A sum of tensors that is put off until somebody reads it: what batch norm and sums give, and
/// what adds up to a gradient. All terms have one shape, N x C x H x W or N x C.
struct THIMBLE_EXPORT Blend {
  /// Open where 0 < factor * of + shift < ceiling, and everywhere where `of` is undefined.
  struct THIMBLE_EXPORT Gate {
    at::Tensor of;     ///< of the terms' shape
    ByChannel factor;  ///< empty: 1, and no shift
    ByChannel shift;
    double ceiling = std::numeric_limits<double>::infinity();
  };

  struct THIMBLE_EXPORT Term {
    at::Tensor x;
    ByChannel factor;  ///< empty: 1
    Gate gate;         ///< x counts where it is open

    explicit Term(at::Tensor of, ByChannel by = {}) : x{std::move(of)}, factor{std::move(by)} {}
    /// The same behind a gate; it must not be behind one yet.
    Term gated(Gate by) const;
    /// The same by a factor; it must not have one yet.
    Term scaled(ByChannel by) const;
    bool is_gated() const { return gate.of.defined(); }
    /// Whether it is x as it stands.
    bool is_plain() const { return factor.empty() && !is_gated(); }
  };

  Blend() = default;
  explicit Blend(at::Tensor of) : terms{Term{std::move(of)}} {}

  std::vector<Term> terms;
  ByChannel shift = {};  ///< empty: 0

  /// Whether it is one tensor as it stands.
  bool is_plain() const;
  /// The sum itself, in memory of its own unless it is plain.
  at::Tensor value() const;
  /// The sum of one sample, without the dimension N.
  at::Tensor value(std::int64_t sample) const;
};

}  // namespace thimble
