#pragma once

#include <cstddef>
#include <cstdint>

namespace thimble {

/// A number that is not negative as the place in a container: numbers of nodes, channels and pixels
/// are signed, places are not.
constexpr std::size_t at(std::int64_t index) noexcept { return static_cast<std::size_t>(index); }

}  // namespace thimble
