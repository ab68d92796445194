#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/core/table.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/train/loss.hpp>

namespace thimble {

/// A table for people, beside the metrics.
struct NamedTable {
  std::string name;  ///< what its file is called, such as "confusion"
  Table table;
};

/// What the outputs of a network mean: what is learned, and how well it was. const is thread safe.
class THIMBLE_EXPORT Task {
 public:
  using Interface = Task;
  static constexpr Kind kKind = Kind::task;
  virtual ~Task();

  /// How many outputs a network needs for this data. Throws Error when the data is not of this
  /// task. Required: yes.
  virtual int outputs(const DatasetInfo& data) const = 0;
  /// What a step descends. outputs: N x the network's outputs; labels: as the dataset gives them,
  /// N; counts: how many training samples each class has. Throws Error for labels that are none.
  /// Required: yes.
  virtual Loss loss(const at::Tensor& outputs, const at::Tensor& labels,
                    std::span<const std::int64_t> counts) const = 0;
  /// What measure() tells, such as "accuracy": words for columns. More is better; networks are
  /// compared by the first. Required: yes.
  virtual std::vector<std::string> metrics() const = 0;
  /// One number for each metric, over all samples of a part at once. Required: yes.
  virtual std::vector<double> measure(const at::Tensor& outputs,
                                      const at::Tensor& labels) const = 0;
  /// What else there is to look at. Required: no.
  virtual std::vector<NamedTable> details(const at::Tensor& outputs, const at::Tensor& labels,
                                          const DatasetInfo& data) const;
};

}  // namespace thimble
