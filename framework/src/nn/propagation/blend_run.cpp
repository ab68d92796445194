#include "blend_run.hpp"

#include <algorithm>
#include <cassert>
#include <list>
#include <new>
#include <numeric>
#include <utility>

#include <thimble/core/instruction_sets.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// Memory is walked in strips that stay in the nearest cache: some rows of one number a channel,
/// which is what channels last means. Factors and totals are laid out for a whole strip, so that no
/// loop has to know of channels.
constexpr std::int64_t kStrip = 512;
/// What is added up in registers before it goes to the totals in memory.
constexpr std::int64_t kWalkedAtOnce = 2048;
/// Strips whose totals a float holds well; they are added up in double.
constexpr std::int64_t kStripsAtOnce = 128;
/// Vectors that are worked on at once, of 64 bytes each.
constexpr int kVectors = 4;
constexpr std::int64_t kBytesAtOnce = std::int64_t{64} * kVectors;

/// Whose vectors lie in one cache line each.
template <class Scalar>
struct Aligned {
  using value_type = Scalar;
  static constexpr std::align_val_t kLine{64};
  Aligned() = default;
  template <class Other>
  explicit Aligned(const Aligned<Other>&) {}
  Scalar* allocate(std::size_t count) {
    return static_cast<Scalar*>(::operator new(count * sizeof(Scalar), kLine));
  }
  void deallocate(Scalar* place, std::size_t) { ::operator delete(place, kLine); }
  bool operator==(const Aligned&) const = default;
};
template <class Scalar>
using AlignedVector = std::vector<Scalar, Aligned<Scalar>>;

template <class Scalar>
struct Source {
  const Scalar* x;
  const Scalar* factor;       ///< of a strip; null: 1
  const Scalar* gate;         ///< null: open
  const Scalar* gate_factor;  ///< of a strip; null: the gate is taken as it stands
  const Scalar* gate_shift;   ///< likewise
  Scalar ceiling;
};

template <class Scalar>
struct Strips {
  std::int64_t length;    ///< of a strip
  std::int64_t at_once;   ///< strips whose totals stay in registers
  std::int64_t elements;  ///< of all
  std::vector<Source<Scalar>> sources;
  const Scalar* shift;  ///< of a strip; null: 0
  Scalar* sum;          ///< null: not wanted
  Scalar* rectified;    ///< likewise
  Scalar ceiling;
  std::vector<std::pair<const Scalar*, const Scalar*>> partners;  ///< and their means, of a strip
  Scalar* totals;  ///< strips of the sum and of each product with a partner; null: not wanted
};

#define THIMBLE_KERNELS "nn/propagation/blend_kernels.inc"
#include <thimble/core/instruction_sets.inc>

/// The totals of the sum and of each product.
template <class Scalar>
std::vector<ByChannel> walk_with_totals(Strips<Scalar>& strips, std::size_t channels) {
  const auto length = static_cast<std::size_t>(strips.length);
  std::vector<ByChannel> totals(strips.partners.size() + 1, ByChannel(channels));
  AlignedVector<Scalar> by_place(totals.size() * length);
  strips.totals = by_place.data();
  const std::int64_t at_once = kStripsAtOnce * strips.length;
  for (std::int64_t first = 0; first < strips.elements; first += at_once) {
    THIMBLE_BEST(walk_strips<Scalar>)(strips, first, std::min(first + at_once, strips.elements));
    auto place = by_place.begin();
    for (ByChannel& total : totals)
      for (std::size_t row = 0; row < length; row += channels)
        for (double& of_channel : total) of_channel += std::exchange(*place++, Scalar{0});
  }
  return totals;
}

at::Tensor channels_last(const at::Tensor& x) {
  return x.dim() == 4 ? x.contiguous(at::MemoryFormat::ChannelsLast) : x.contiguous();
}

template <class Scalar>
BlendTotals run_in(const Blend& blend, const BlendRun& wanted) {
  const at::Tensor like = channels_last(blend.terms.front().x);
  const std::int64_t channels = like.size(1);
  // What the pointers below point into.
  std::vector<at::Tensor> tensors;
  std::list<AlignedVector<Scalar>> repeated;
  const auto data = [&](const at::Tensor& x) -> Scalar* {
    return tensors.emplace_back(channels_last(x)).template data_ptr<Scalar>();
  };
  // Whole rows and whole steps. Totals stay in registers where a strip can be a single step: strips
  // of more, walked step by step, are read from memory in jumps, which costs more than it saves.
  constexpr std::int64_t kStep = kBytesAtOnce / std::int64_t{sizeof(Scalar)};
  const std::int64_t unit = std::lcm(channels, kStep);
  const bool is_one_step = unit == kStep && !wanted.partners.empty();
  const std::int64_t length = is_one_step ? unit : unit * std::max<std::int64_t>(1, kStrip / unit);
  const auto strip = [&](const ByChannel& values) -> const Scalar* {
    if (values.empty()) return nullptr;
    AlignedVector<Scalar>& made = repeated.emplace_back();
    for (std::int64_t i = 0; i < length; i += channels)
      made.insert(made.end(), values.begin(), values.end());
    return made.data();
  };
  const auto made = [&](at::Tensor* into) -> Scalar* {
    return into == nullptr ? nullptr : data(*into = at::empty_like(like));
  };

  Strips<Scalar> strips{};
  strips.length = length;
  strips.at_once = is_one_step ? kWalkedAtOnce / unit : 1;
  strips.elements = like.numel();
  for (const auto& [x, factor, gate] : blend.terms)
    strips.sources.push_back({data(x), strip(factor), gate.of.defined() ? data(gate.of) : nullptr,
                              strip(gate.factor), strip(gate.shift),
                              static_cast<Scalar>(gate.ceiling)});
  strips.shift = strip(blend.shift);
  strips.sum = made(wanted.sum);
  strips.rectified = made(wanted.rectified);
  strips.ceiling = static_cast<Scalar>(wanted.ceiling);
  for (const auto& [x, mean] : wanted.partners) strips.partners.push_back({data(x), strip(mean)});
  if (wanted.partners.empty()) {
    THIMBLE_BEST(walk_strips<Scalar>)(strips, 0, strips.elements);
    return {};
  }
  auto totals = walk_with_totals(strips, static_cast<std::size_t>(channels));
  return {std::move(totals[0]), {totals.begin() + 1, totals.end()}};
}

}  // namespace

ByChannel by_channel(const at::Tensor& values) {
  const at::Tensor doubles = values.to(at::kDouble).contiguous();
  const double* first = doubles.data_ptr<double>();
  return {first, first + doubles.numel()};
}

BlendTotals run(const Blend& blend, const BlendRun& wanted) {
  return blend.terms.front().x.scalar_type() == at::kDouble ? run_in<double>(blend, wanted)
                                                            : run_in<float>(blend, wanted);
}

Blend::Term Blend::Term::gated(Gate by) const {
  assert(!is_gated());
  Term made = *this;
  made.gate = std::move(by);
  return made;
}

Blend::Term Blend::Term::scaled(ByChannel by) const {
  assert(factor.empty());
  Term made = *this;
  made.factor = std::move(by);
  return made;
}

bool Blend::is_plain() const { return terms.size() == 1 && terms[0].is_plain() && shift.empty(); }

at::Tensor Blend::value() const {
  if (is_plain()) return terms[0].x;
  at::Tensor sum;
  run(*this, {.sum = &sum});
  return sum;
}

at::Tensor Blend::value(std::int64_t sample) const {
  const auto of_one = [&](const at::Tensor& x) { return x.defined() ? x.narrow(0, sample, 1) : x; };
  Blend one = *this;
  for (Term& term : one.terms) {
    term.x = of_one(term.x);
    term.gate.of = of_one(term.gate.of);
  }
  return one.value()[0];
}

}  // namespace thimble
