#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/value.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/latency_table.hpp>

/// From counted instructions to a board's cycles.
namespace thimble {

/// One operator both measured on a board and counted on its core.
struct CalibrationSample {
  OpShape op;
  double instructions = 0;
  double cycles = 0;
  std::string kernels{};  ///< whose, and which version of them
};

/// Cycles an instruction of one kind of operator, and how well they fit.
struct CpiFit {
  std::string kind;     ///< "conv", ... or "default": of all samples
  std::string kernels;  ///< of the samples
  double cpi = 0;
  std::size_t n = 0;
  double mean_error = 0;  ///< of each sample, relative to what the fit to all others says
  double p95_error = 0;   ///< the same
  double most_error = 0;  ///< the same
};

/// Operators whose cycles on the board are in one table, and whose instructions on its core are in
/// the other, of the same kernels, compiler and flags. Throws InputError when these differ, or when
/// there would be several.
THIMBLE_EXPORT std::vector<CalibrationSample> calibration_samples(const Board& board,
                                                                  const LatencyTable& measured,
                                                                  const LatencyTable& counted);

/// The median of cycles / instructions: robust against single wild measurements. A single sample
/// has errors of 1: nothing says how well it fits others. Throws Error when there are none.
THIMBLE_EXPORT CpiFit fit_cpi(std::string kind, std::span<const CalibrationSample> samples);

/// A fit for each kind among the samples, then one for all of them together. Throws InputError when
/// there are no samples.
THIMBLE_EXPORT std::vector<CpiFit> calibrate(std::span<const CalibrationSample> samples);

/// Throws InputError naming every kind whose 95th percentile of errors is above `most`.
THIMBLE_EXPORT void require_good_fits(std::span<const CpiFit> fits, double most = 0.2);

/// A board file with these fits in place of its cycles an instruction, checked as if it stood in
/// `file`, whose name becomes its id. Errors are 95th percentiles; the default, which serves kinds
/// that were not measured, gets one of 30 % at least. A board without a section `counted` gets one,
/// with guesses for stack and firmware.
THIMBLE_EXPORT Value with_fits(const Value& board_file, std::span<const CpiFit> fits,
                               const std::string& source, const std::filesystem::path& file);

}  // namespace thimble
