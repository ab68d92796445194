#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/mapped_file.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/dataset.hpp>

namespace thimble {

/// How a record of labels and one image lies in its file: first the labels, a byte each, then the
/// image, a byte a pixel, channel by channel and row by row.
struct RecordFormat {
  Shape shape;
  int classes = 0;            ///< a label is one of 0 to classes - 1
  int labels = 1;             ///< bytes before the image
  int label = 0;              ///< which of them counts
  std::vector<float> mean;    ///< of each channel, on the scale of 0 to 255
  std::vector<float> spread;  ///< standard deviation of each channel, on the same scale

  std::int64_t bytes() const noexcept { return labels + shape.elements(); }
};

/// Samples in files of fixed-size records, such as CIFAR's binary files; several files count as
/// one, in the order given. Files are mapped into memory, so that opening costs nothing and only
/// what is asked for is read. They must not shrink while this object lives. const is thread safe.
class THIMBLE_EXPORT RecordFiles {
 public:
  /// Every file must hold exactly `records_per_file` records. Throws one InputError that names all
  /// files that do not, with the bytes found and expected; `note` is the next step for the user.
  RecordFiles(RecordFormat format, const std::vector<std::filesystem::path>& files,
              std::int64_t records_per_file, const std::string& note = {});

  std::int64_t size() const noexcept;
  /// The samples at these places, each channel as (byte - mean) / spread. Throws Error when there
  /// is no such place, InputError with file and record when a label is not a class.
  Samples batch(std::span<const std::int64_t> indices) const;
  /// Of all records. Throws InputError as batch() does.
  std::vector<std::int64_t> labels() const;
  /// Of the files as they are, whether their labels are classes or not.
  std::uint64_t fingerprint(std::uint64_t before) const;

 private:
  const std::uint8_t* record(std::int64_t index) const;
  std::int64_t label(std::int64_t index) const;
  void read(std::int64_t index, float* image) const;

  RecordFormat format_;
  std::int64_t records_per_file_;
  std::vector<MappedFile> files_;
};

/// Files of equally many records.
struct RecordSet {
  std::vector<std::filesystem::path> files;
  std::int64_t records_per_file = 0;
};

/// A dataset's training and test records. Whoever only trains needs no test files: that they are
/// missing is an error only when a sample of theirs is asked for. const is thread safe.
class THIMBLE_EXPORT RecordSplits {
 public:
  /// Throws as RecordFiles does; `note` is the same for both.
  RecordSplits(RecordFormat format, const RecordSet& train, RecordSet test, std::string note);

  /// What the records say of the dataset; its name and remark are left open.
  DatasetInfo describe() const;
  Samples batch(Split split, std::span<const std::int64_t> indices) const;
  std::vector<std::int64_t> labels(Split split) const;
  std::uint64_t fingerprint() const;

 private:
  RecordFiles open_test() const;

  RecordFormat format_;
  RecordSet test_set_;
  std::string note_;
  RecordFiles train_;
  std::optional<RecordFiles> test_;
};

}  // namespace thimble
