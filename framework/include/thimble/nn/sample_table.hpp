#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/params.hpp>
#include <thimble/nn/dataset.hpp>

/// What datasets of people's own files have in common: labels, groups, splits and normalisation.
namespace thimble {

/// How a time series of several sensors becomes an image. What is normalised alike, a feature, is a
/// channel, or a column.
enum class Layout {
  channels,  ///< sensors x 1 x time; of images: as they are
  rows,      ///< 1 x time x sensors
};

THIMBLE_EXPORT const std::vector<std::pair<std::string, Layout>>& names_of(Layout);

THIMBLE_EXPORT Shape series_shape(Layout layout, int sensors, int length);

/// Which samples are for testing.
struct SplitRule {
  std::vector<std::string> test_groups;
  double test_share = 0.2;
  std::int64_t seed = 1;

  template <class Describe>
  static void describe(Describe& param) {
    param(&SplitRule::test_groups, "test_groups", "groups whose samples are for testing");
    param(&SplitRule::test_share, "test_share",
          "without test_groups: the share of samples drawn for testing; whole groups, where there "
          "are some, else a share of each class")
        .range(0, 0.9);
    param(&SplitRule::seed, "seed", "of that draw");
  }
};

/// A value is its number in the file times `scale` plus `offset`; then `mean` is taken off and the
/// result divided by `spread`. A number a feature, or one for all, or none.
struct Scaling {
  std::vector<double> scale;
  std::vector<double> offset;
  std::vector<double> mean;
  std::vector<double> spread;

  template <class Describe>
  static void describe(Describe& param) {
    param(&Scaling::scale, "scale", "what numbers in the file are multiplied by, for each channel");
    param(&Scaling::offset, "offset", "what is added then");
    param(&Scaling::mean, "mean",
          "taken off to normalise, for each channel; by default that of the training samples");
    param(&Scaling::spread, "spread",
          "divided by to normalise; by default the training samples' standard deviation");
  }
};

/// One entry a sample.
struct SampleList {
  std::vector<std::int64_t> labels;
  std::vector<std::string> groups;  ///< or none at all
  std::vector<bool> is_test;        ///< or none at all: a rule decides
};

/// Texts as labels: their places among the names. No names: those that occur become the names, in
/// order, numbers by size. Throws nothing; a text that is no name gets -1.
THIMBLE_EXPORT std::vector<std::int64_t> number_labels(const std::vector<std::string>& texts,
                                                       std::vector<std::string>& names);

/// Tables and matrices call classes by their names, and labels are compared with them letter by
/// letter: throws InputError where one is empty, has blanks at its ends, or stands there twice.
/// `source` is the file or folder that has them.
THIMBLE_EXPORT void require_class_names(const std::vector<std::string>& names,
                                        const std::string& source);

/// Samples with labels, split and normalised feature by feature. const is thread safe. Opening
/// reads no sample: statistics are taken when the first is asked for.
class THIMBLE_EXPORT SampleTable {
 public:
  /// Fills in one sample as it is in the file, C x H x W. Thread safe.
  using Read = std::function<void(std::int64_t sample, std::span<float> values)>;

  /// `info` has name, shape, medium, classes and perhaps a remark; labels are below its number of
  /// classes. `source`
  /// is the file or folder that InputErrors name.
  SampleTable(DatasetInfo info, SampleList list, const SplitRule& rule, Layout layout,
              Scaling scaling, Read read, const std::string& source);

  const DatasetInfo& describe() const noexcept { return info_; }
  Samples batch(Split split, std::span<const std::int64_t> indices) const;
  std::vector<std::int64_t> labels(Split split) const;
  std::vector<std::int64_t> groups(Split split) const;
  /// Of all samples and of what is said of them. Reads them all.
  std::uint64_t fingerprint() const;

 private:
  const std::vector<std::int64_t>& samples_of(Split split) const {
    return split == Split::train ? train_ : test_;
  }
  std::uint64_t fingerprint_of_what_is_said() const;
  void divide(const std::vector<bool>& is_test, const std::string& source);
  void remark_on_absent_classes();
  void add_remark(const std::string& remark);
  template <class Work>
  void for_each_feature(std::span<float> values, const Work& work) const;
  void take_statistics() const;

  DatasetInfo info_;
  std::vector<std::int64_t> labels_;
  std::vector<std::int64_t> groups_;
  std::vector<std::int64_t> train_;  ///< samples
  std::vector<std::int64_t> test_;
  int features_;
  std::int64_t run_;        ///< values of one feature that lie side by side
  std::uint64_t said_ = 0;  ///< fingerprint of everything but the samples
  Read read_;
  mutable std::once_flag is_known_;
  mutable Scaling scaling_;  ///< complete once is_known_
};

/// A dataset whose samples are those of a table.
class THIMBLE_EXPORT TableDataset : public Dataset {
 public:
  DatasetInfo describe() const final { return table().describe(); }
  Samples batch(Split split, std::span<const std::int64_t> indices) const final {
    return table().batch(split, indices);
  }
  std::vector<std::int64_t> labels(Split split) const final { return table().labels(split); }
  std::vector<std::int64_t> groups(Split split) const final { return table().groups(split); }
  std::uint64_t fingerprint() const final { return table().fingerprint(); }

 private:
  virtual const SampleTable& table() const = 0;
};

}  // namespace thimble
