#include <thimble/core/random.hpp>

#include <cassert>
#include <cmath>
#include <numbers>
#include <string>
#include <unordered_map>

#include <thimble/core/text.hpp>

namespace thimble {

Random Random::stream(std::uint64_t seed, std::initializer_list<std::string_view> name) {
  std::string key = hex(seed);
  for (const std::string_view part : name) {
    key += '\x1f';  // a separator that no name contains, so that {"ab"} and {"a", "b"} differ
    key += part;
  }
  return Random{fingerprint(key)};
}

Random::result_type Random::operator()() noexcept {
  std::uint64_t mixed = key_ + ++counter_ * 0x9e3779b97f4a7c15U;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9U;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebU;
  return mixed ^ (mixed >> 31);
}

double Random::uniform() noexcept { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

std::uint64_t Random::below(std::uint64_t bound) noexcept {
  assert(bound >= 1);
  const std::uint64_t threshold = -bound % bound;  // numbers below it would favour small results
  std::uint64_t drawn = (*this)();
  while (drawn < threshold) drawn = (*this)();
  return drawn % bound;
}

double Random::normal() noexcept {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

void Random::fill_normal(std::span<float> values, double deviation) {
  for (float& value : values) value = static_cast<float>(deviation * normal());
}

void Random::fill_uniform(std::span<float> values, double low, double high) {
  for (float& value : values) value = static_cast<float>(low + (high - low) * uniform());
}

std::vector<std::int64_t> Random::sample(std::int64_t bound, std::int64_t count) {
  assert(count <= bound);
  // Fisher and Yates on a permutation of which only the touched places are kept.
  std::unordered_map<std::int64_t, std::int64_t> moved;
  const auto at = [&moved](std::int64_t place) {
    const auto found = moved.find(place);
    return found == moved.end() ? place : found->second;
  };
  std::vector<std::int64_t> drawn;
  drawn.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    const auto j = i + static_cast<std::int64_t>(below(static_cast<std::uint64_t>(bound - i)));
    drawn.push_back(at(j));
    moved[j] = at(i);
  }
  return drawn;
}

}  // namespace thimble
