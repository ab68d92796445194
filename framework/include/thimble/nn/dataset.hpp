#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/nn/medium.hpp>

namespace thimble {

enum class Split { train, test };

/// What is known of each sample.
enum class LabelKind {
  classes,  ///< one class
  boxes,    ///< where things are, and of which classes
};

/// What a data set holds.
struct DatasetInfo {
  std::string name;
  Shape shape;  ///< of one sample
  Medium medium = Medium::images;
  int classes = 0;
  std::vector<std::string> class_names{};  ///< one a class, or none
  std::int64_t train_samples = 0;
  std::int64_t test_samples = 0;
  /// One line for the report when the data is not what the name of the experiment suggests
  /// (generated images, a part of the set), else nothing.
  std::string remark{};
  LabelKind labels = LabelKind::classes;
};

struct Samples {
  at::Tensor images;  ///< N x C x H x W, float, normalised
  /// Classes: N, int64. Boxes: N x rows x 6, float (thimble/nn/boxes.hpp), with as many rows for
  /// every sample of the data.
  at::Tensor labels;
};

/// Samples with labels. const is thread safe. A constructor that finds its files missing,
/// truncated or wrong-sized throws InputError that names the file and the bytes.
class THIMBLE_EXPORT Dataset {
 public:
  using Interface = Dataset;
  static constexpr Kind kKind = Kind::dataset;
  virtual ~Dataset();

  /// Required: yes.
  virtual DatasetInfo describe() const = 0;
  /// The samples at these places of a split. Required: yes.
  virtual Samples batch(Split split, std::span<const std::int64_t> indices) const = 0;
  /// The label of every sample of a split, where they are classes. Required: no, but by default all
  /// samples are read.
  virtual std::vector<std::int64_t> labels(Split split) const;
  /// The same where they are boxes: samples x rows x 6. Required: no, but by default all samples
  /// are read.
  virtual at::Tensor boxes(Split split) const;
  /// Who or what each sample of a split comes from (a person, a track, a recording), when several
  /// may come from one: samples of one group never are both learned from and validated on. None:
  /// samples do not know each other. Required: no.
  virtual std::vector<std::int64_t> groups(Split split) const;
  /// Another number where the same parameters give other samples, labels or groups, since files
  /// have changed: what was computed of the old ones must not be taken for theirs. Asked for
  /// whenever an experiment is read. Required: no, but by default all samples are read.
  virtual std::uint64_t fingerprint() const;
};

}  // namespace thimble
