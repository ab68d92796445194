#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/core/kind.hpp>
#include <thimble/core/table.hpp>
#include <thimble/deploy/box_decoder.hpp>
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

  /// How many outputs a network needs for this data, or channels of a map. Throws Error when the
  /// data is not of this task. Required: yes.
  virtual int outputs(const DatasetInfo& data) const = 0;
  /// Whether the outputs are a map, of any height and width. Required: no. Default: they are not.
  virtual bool has_maps() const;
  /// This task with what it takes from the data beforehand, such as the sizes that boxes have;
  /// where labels are read, of the training part alone. nullptr: it takes nothing. Required: no.
  virtual std::shared_ptr<const Task> fitted_to(const Dataset& data) const;
  /// What a step descends. outputs: N x the network's outputs, or N x channels x H x W; labels: as
  /// the dataset gives them; counts: how many training samples, or boxes, each class has. Throws
  /// Error for labels that are none. Required: yes.
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
  /// How a board makes boxes of what the network puts out for this data. Required: no. Default: its
  /// outputs are none.
  virtual std::optional<BoxDecoder> box_decoder(const DatasetInfo& data) const;
};

/// Whether a network whose last layer has this shape has the outputs that the task wants for the
/// data. Throws what outputs() throws.
THIMBLE_EXPORT bool fits(const Shape& last, const Task& task, const DatasetInfo& data);
/// "10 outputs", or "a map of 15 channels".
THIMBLE_EXPORT std::string outputs_text(const Shape& last);
THIMBLE_EXPORT std::string wanted_outputs_text(const Task& task, const DatasetInfo& data);

}  // namespace thimble
