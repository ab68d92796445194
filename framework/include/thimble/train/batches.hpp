#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble {

/// Of a batch, fewer samples are left out: batch norm would see too few.
inline constexpr std::int64_t kFewestSamples = 8;

/// Samples as they are gone through, in another order each time; the last few of each time, which
/// batch norm would find too few, are left out.
class THIMBLE_EXPORT Batches {
 public:
  /// Streams of the seed tell orders of several Batches apart.
  Batches(std::vector<std::int64_t> places, std::int64_t batch, std::uint64_t seed,
          std::string stream);

  /// Samples of a batch: no more than there are.
  std::int64_t size() const noexcept { return batch_; }
  /// Batches until each sample was in one.
  std::int64_t of_epoch() const noexcept { return of_epoch_; }
  /// Places of the samples of a step, counted from 0 and on over all epochs; until the next call.
  std::span<const std::int64_t> at_step(std::int64_t step);

 private:
  std::vector<std::int64_t> places_;
  std::int64_t batch_;
  std::uint64_t seed_;
  std::string stream_;
  std::int64_t of_epoch_;
  std::int64_t epoch_ = -1;  ///< that `order_` is of
  std::vector<std::int64_t> order_;
};

/// Training samples that final statistics of batch norm are taken over, the same for all networks:
/// as many as are in twenty batches, where there are so many.
THIMBLE_EXPORT Samples samples_for_statistics(const TrainingData& data, std::int64_t batch,
                                              std::uint64_t seed);

}  // namespace thimble
