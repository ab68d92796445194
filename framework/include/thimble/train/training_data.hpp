#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/nn/dataset.hpp>

namespace thimble {

/// Whether all training samples come from one person or recording: what is set aside to validate on
/// is then its end, and says less of others.
THIMBLE_EXPORT bool is_of_one_group(const Dataset& data);

/// The training part of a data set as a training goes through it: what is learned from, what is set
/// aside to validate on, and samples of the network's input size. Thread safe.
class THIMBLE_EXPORT TrainingData {
 public:
  /// Sets `validation` of the training samples aside, by chance that hangs on the seed alone; where
  /// samples belong to groups, whole groups of them, at least one; of a single group, its last
  /// samples. Images of another height or
  /// width are resized. Throws Error when too few samples are left, or the network has another
  /// number of channels. The data must outlive this.
  TrainingData(const Dataset& data, const Shape& input, double validation, std::uint64_t seed);

  const DatasetInfo& info() const noexcept { return info_; }
  /// Places in the training part.
  const std::vector<std::int64_t>& learned() const noexcept { return learned_; }
  const std::vector<std::int64_t>& validated() const noexcept { return validated_; }
  /// How many samples, or boxes, of each class are learned from.
  const std::vector<std::int64_t>& counts() const noexcept { return counts_; }

  /// Samples of a split, resized.
  Samples batch(Split split, std::span<const std::int64_t> places) const;

 private:
  void set_aside(double validation, std::uint64_t seed);
  void count_classes();
  void count_boxes();

  const Dataset& data_;
  Shape input_;
  DatasetInfo info_;
  std::vector<std::int64_t> learned_;
  std::vector<std::int64_t> validated_;
  std::vector<std::int64_t> counts_;
};

}  // namespace thimble
