#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// A counter-based generator (SplitMix64): the n-th number of a stream depends on nothing but the
/// stream's name, so results do not depend on threads or on the order of work. Satisfies
/// UniformRandomBitGenerator. One object per thread; streams themselves are free to make.
class THIMBLE_EXPORT Random {
 public:
  using result_type = std::uint64_t;

  explicit Random(std::uint64_t key) noexcept : key_{key} {}
  /// The stream with this name under this seed: Random::stream(seed, {"weights", "conv1"}).
  static Random stream(std::uint64_t seed, std::initializer_list<std::string_view> name);

  static constexpr result_type min() noexcept { return 0; }
  static constexpr result_type max() noexcept { return ~result_type{0}; }
  result_type operator()() noexcept;

  /// Uniform in [0, 1), 53 bits.
  double uniform() noexcept;
  /// Uniform in {0, ..., bound - 1}, without bias; bound >= 1.
  std::uint64_t below(std::uint64_t bound) noexcept;
  /// N(0, 1), by Box and Muller.
  double normal() noexcept;
  void fill_normal(std::span<float> values, double deviation);
  void fill_uniform(std::span<float> values, double low, double high);
  /// `count` different numbers out of {0, ..., bound - 1}, in random order; count <= bound.
  std::vector<std::int64_t> sample(std::int64_t bound, std::int64_t count);

 private:
  std::uint64_t key_;
  std::uint64_t counter_ = 0;
};

}  // namespace thimble
