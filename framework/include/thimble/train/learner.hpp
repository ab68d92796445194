#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/nn/propagation/device.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/train/learned_scales.hpp>
#include <thimble/train/recipe.hpp>

namespace thimble {

/// A network's outputs for a batch of images, N x C x H x W to N x classes, or to
/// maps; asked for from several
/// threads.
using Outputs = std::function<at::Tensor(const at::Tensor& images)>;

/// The form in which a trainer runs a network: what its parameters are, and what comes of them.
class THIMBLE_EXPORT Learner {
 public:
  Learner() = default;
  virtual ~Learner();
  Learner(const Learner&) = delete;
  Learner& operator=(const Learner&) = delete;

  /// Whose parameters are learned.
  virtual Network& network() = 0;
  /// Numbers beside them that are learned, too: parts of the trainer's buffer from then on.
  virtual std::vector<at::Tensor*> more() { return {}; }

  /// Before a step of so many micro-batches: what they have in common.
  virtual void begin_step(std::size_t /*parts*/) {}
  /// A micro-batch's way forwards. Micro-batches run side by side.
  virtual Forward forward(const at::Tensor& images, std::size_t part) = 0;
  /// With whose weights it goes backwards, and where.
  virtual const Network& weights() const = 0;
  /// What the way backwards is to give.
  virtual Wanted wanted() const { return {.parameters = true, .outputs = {}}; }
  /// The gradients by more() of a micro-batch that came to these; those by the weights may change.
  virtual std::vector<at::Tensor> more_gradients(const at::Tensor& /*images*/,
                                                 const Forward& /*forward*/,
                                                 Gradients& /*found*/) const {
    return {};
  }
  /// Behind the micro-batches, in this epoch.
  virtual void end_step(std::int64_t /*epoch*/) {}

  /// Brings what is handed on up to date with the parameters: statistics over samples, as runs of
  /// `batch` of them see them.
  virtual void settle(const Samples& samples, std::int64_t batch) = 0;
  /// Of what is handed on, as long as this lives.
  virtual Outputs outputs() const = 0;

  /// What the steps to come depend on beside the parameters: views, to be read and to be written.
  virtual std::map<std::string, at::Tensor> state() const { return {}; }
};

/// In float, with batch norm by the statistics of a micro-batch, and by settled ones in the end.
class THIMBLE_EXPORT FloatLearner : public Learner {
 public:
  /// `network` outlives this. On a device other than the CPU a copy of it runs, which has its
  /// weights with each step.
  explicit FloatLearner(Network& network, const Device& device = {});
  ~FloatLearner() override;

  Network& network() override { return network_; }
  void begin_step(std::size_t parts) override;
  Forward forward(const at::Tensor& images, std::size_t part) override;
  const Network& weights() const override;
  void settle(const Samples& samples, std::int64_t batch) override;
  Outputs outputs() const override;

 private:
  class Copy;

  Network& network_;
  std::unique_ptr<Copy> copy_;
};

/// Through the very integers of the board (quantisation-aware training): forwards as the lowered
/// network computes, backwards as if nothing had been rounded, except that no gradient passes where
/// a value was clamped (straight through: Bengio et al., arXiv 1308.3432; Jacob et al., arXiv
/// 1712.05877, section 3). Weights are rounded anew with every step, by scales of their own; ranges
/// of activations follow what they would be without clamps, a hundredth a step, until they freeze.
/// Or all scales are learned.
class THIMBLE_EXPORT IntegerLearner : public Learner {
 public:
  /// real: folded(), with calibrated ranges.
  IntegerLearner(FloatNetwork real, std::int64_t frozen_from_epoch,
                 ScaleRule scales = ScaleRule::seen);
  ~IntegerLearner() override;

  Network& network() override { return network_; }
  std::vector<at::Tensor*> more() override;
  void begin_step(std::size_t parts) override;
  Forward forward(const at::Tensor& images, std::size_t part) override;
  const Network& weights() const override { return rounded_; }
  Wanted wanted() const override;
  std::vector<at::Tensor> more_gradients(const at::Tensor& images, const Forward& forward,
                                         Gradients& found) const override;
  void end_step(std::int64_t epoch) override;
  void settle(const Samples& samples, std::int64_t batch) override;
  Outputs outputs() const override;
  std::map<std::string, at::Tensor> state() const override { return {{"ranges", ranges_}}; }

  /// As it stands: what lower() makes the board's network of.
  FloatNetwork real() const;

 private:
  void lower_again();

  FloatNetwork real_;
  std::int64_t frozen_from_;
  Network network_;
  Network rounded_;    ///< with weights that are whole multiples of their scales
  at::Tensor ranges_;  ///< of each node: lowest, highest
  std::optional<LearnedScales> scales_;
  IntegerNetwork integers_;
  std::vector<std::vector<Range>> seen_;  ///< of each micro-batch
};

/// Of a network with its statistics; it outlives them.
THIMBLE_EXPORT Outputs outputs_of(const Network& network);

/// A network that computes what the folded one does: its weights, no batch norm.
THIMBLE_EXPORT Network network_of(const FloatNetwork& folded);

}  // namespace thimble
