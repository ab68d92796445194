#pragma once

#include <array>

#include <thimble/core/export.hpp>
#include <thimble/hardware/hardware.hpp>

namespace thimble {

/// Adds up figures with their errors. Errors of one origin go the same way, since they come from
/// one model or one bench, so they add up; those of different origins are independent.
class THIMBLE_EXPORT FigureSum {
 public:
  void add(const Figure& figure);
  /// Of the least trustworthy origin that went in.
  Figure total() const;

 private:
  double value_ = 0;
  std::array<double, 4> errors_{};  ///< absolute, by origin
  Origin origin_ = Origin::measured;
};

}  // namespace thimble
