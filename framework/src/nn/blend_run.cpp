#include "blend_run.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/ATen.h>

namespace thimble {
namespace {

/// Memory is walked in strips that stay in the nearest cache: some rows of one number a channel,
/// which is what channels last means. Factors and totals are laid out for a whole strip, so that no
/// loop has to know of channels.
constexpr std::int64_t kStrip = 512;
/// Strips whose totals a float holds well; they are added up in double.
constexpr std::int64_t kStripsAtOnce = 128;
/// Vectors that are worked on at once, of 64 bytes each.
constexpr int kVectors = 4;

template <class Scalar>
struct Source {
  const Scalar* x;
  const Scalar* factor;  ///< of a strip; null: 1
  const Scalar* gate;    ///< null: open
  Scalar ceiling;
};

template <class Scalar>
struct Strips {
  std::int64_t length;    ///< of a strip
  std::int64_t elements;  ///< of all
  std::vector<Source<Scalar>> sources;
  const Scalar* shift;  ///< of a strip; null: 0
  Scalar* sum;          ///< null: not wanted
  Scalar* rectified;    ///< likewise
  Scalar ceiling;
  std::vector<const Scalar*> partners;
  Scalar* totals;  ///< strips of the sum and of each product with a partner; null: not wanted
};

#define THIMBLE_KERNELS "blend_kernels.inc"
#include "instruction_sets.inc"

/// Totals by channel, of the sum and of each product, in double.
template <class Scalar>
std::vector<std::vector<double>> walk_with_totals(Strips<Scalar>& strips, std::int64_t channels) {
  const auto count = static_cast<std::int64_t>(strips.partners.size()) + 1;
  torch::Tensor by_place =
      at::zeros({count, strips.length}, at::CppTypeToScalarType<Scalar>::value);
  torch::Tensor totals = at::zeros({count, channels}, at::kDouble);
  strips.totals = by_place.data_ptr<Scalar>();
  const std::int64_t at_once = kStripsAtOnce * strips.length;
  for (std::int64_t first = 0; first < strips.elements; first += at_once) {
    THIMBLE_BEST(walk_strips<Scalar>)(strips, first, std::min(first + at_once, strips.elements));
    totals += by_place.view({count, -1, channels}).sum(1, /*keepdim=*/false, at::kDouble);
    by_place.zero_();
  }
  std::vector<std::vector<double>> made;
  const double* of_channel = totals.data_ptr<double>();
  for (std::int64_t t = 0; t < count; ++t, of_channel += channels)
    made.emplace_back(of_channel, of_channel + channels);
  return made;
}

torch::Tensor channels_last(const torch::Tensor& x) {
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
}

template <class Scalar>
BlendTotals run_in(const Blend& blend, const BlendRun& wanted) {
  const torch::Tensor like = channels_last(blend.terms.front().x);
  const std::int64_t channels = like.size(1);
  std::vector<torch::Tensor> held;  // what the pointers below point into
  const auto data = [&](const torch::Tensor& x) -> Scalar* {
    return held.emplace_back(channels_last(x)).template data_ptr<Scalar>();
  };
  // Whole rows and whole steps.
  const std::int64_t unit = std::lcm(channels, std::int64_t{64 * kVectors / sizeof(Scalar)});
  const std::int64_t length = unit * std::max<std::int64_t>(1, kStrip / unit);
  const auto strip = [&](const torch::Tensor& by_channel) -> Scalar* {
    return by_channel.defined() ? data(by_channel.repeat({length / channels})) : nullptr;
  };
  const auto made = [&](torch::Tensor* into) -> Scalar* {
    return into == nullptr ? nullptr : data(*into = at::empty_like(like));
  };

  Strips<Scalar> strips{};
  strips.length = length;
  strips.elements = like.numel();
  for (const auto& [x, factor, gate, ceiling] : blend.terms)
    strips.sources.push_back({data(x), strip(factor), gate.defined() ? data(gate) : nullptr,
                              static_cast<Scalar>(ceiling)});
  strips.shift = strip(blend.shift);
  strips.sum = made(wanted.sum);
  strips.rectified = made(wanted.rectified);
  strips.ceiling = static_cast<Scalar>(wanted.ceiling);
  for (const torch::Tensor& partner : wanted.partners) strips.partners.push_back(data(partner));
  if (wanted.partners.empty()) {
    THIMBLE_BEST(walk_strips<Scalar>)(strips, 0, strips.elements);
    return {};
  }
  auto totals = walk_with_totals(strips, channels);
  return {std::move(totals[0]), {totals.begin() + 1, totals.end()}};
}

}  // namespace

BlendTotals run(const Blend& blend, const BlendRun& wanted) {
  return blend.terms.front().x.scalar_type() == at::kDouble ? run_in<double>(blend, wanted)
                                                            : run_in<float>(blend, wanted);
}

bool Blend::is_plain() const {
  return terms.size() == 1 && !terms[0].factor.defined() && !terms[0].gate.defined() &&
         !shift.defined();
}

torch::Tensor Blend::value() const {
  if (is_plain()) return terms[0].x;
  torch::Tensor sum;
  run(*this, {.sum = &sum});
  return sum;
}

torch::Tensor Blend::value(std::int64_t sample) const {
  const auto of_one = [&](const torch::Tensor& x) {
    return x.defined() ? x.narrow(0, sample, 1) : x;
  };
  Blend one = *this;
  for (Term& term : one.terms) {
    term.x = of_one(term.x);
    term.gate = of_one(term.gate);
  }
  return one.value()[0];
}

}  // namespace thimble
