#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <thimble/core/csv.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>

/// What figures of boards and operators may be. Within these, sums over thousands of operators are
/// exact in a double, and far from the end of 64 bits.
namespace thimble {

struct Bounds {
  double least = 0;
  double most = 0;

  constexpr bool contain(double number) const { return number >= least && number <= most; }
  /// "[0, 4294967296]"
  THIMBLE_EXPORT std::string text() const;
};

/// Cycles or instructions of one operator.
inline constexpr Bounds kCycles{1e-3, 1e12};
/// The processors' addresses have 32 bits.
inline constexpr Bounds kBytes{0, 0x1p32};
inline constexpr Bounds kRepeats{1, 1e9};
inline constexpr Bounds kPowerMw{0, 1e6};

/// The number of a cell; nothing, and a problem at its place, when it is none within the bounds.
THIMBLE_EXPORT std::optional<double> bounded_number(const CsvCell& cell, const std::string& column,
                                                    const Bounds& bounds, Diagnostics& problems);
THIMBLE_EXPORT std::optional<std::int64_t> bounded_integer(const CsvCell& cell,
                                                           const std::string& column,
                                                           const Bounds& bounds,
                                                           Diagnostics& problems);

}  // namespace thimble
