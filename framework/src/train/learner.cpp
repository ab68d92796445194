#include <thimble/train/learner.hpp>

#include <algorithm>
#include <limits>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

at::Tensor tensor_of(const std::vector<Range>& ranges) {
  at::Tensor made = at::empty({std::ssize(ranges), 2});
  auto* number = made.data_ptr<float>();
  for (const auto& [lowest, highest] : ranges) {
    *number++ = lowest;
    *number++ = highest;
  }
  return made;
}

/// Real values at whose ends a layer's output was clamped; pools and softmax clamp nothing.
Clamp clamp_of(const Int8Network& network, const Int8Layer& layer) {
  switch (layer.kernel) {
    case Kernel::avg_pool:
    case Kernel::max_pool:
    case Kernel::softmax: return {};
    default: break;
  }
  const auto& [scale, zero] = network.tensor(layer.output).quantisation;
  return {static_cast<float>(layer.lowest - zero) * scale,
          static_cast<float>(layer.highest - zero) * scale};
}

}  // namespace

Learner::~Learner() = default;
IntegerLearner::~IntegerLearner() = default;

/// A network on a device. Its weights lie in one buffer, since each copy between memories waits.
class FloatLearner::Copy {
 public:
  Copy(const Network& network, const Device& device) : network_{network.on(device)} {}

  Network& network() { return network_; }
  void take_weights(const Network& from) {
    std::vector<at::Tensor> parts;
    for (const at::Tensor& parameter : from.all_parameters())
      parts.push_back(parameter.reshape(-1));
    flat_.values().copy_(at::cat(parts));
  }
  void give_statistics(Network& to) const {
    for (NodeId id = 0; id < network_.graph().size(); ++id)
      if (const auto& [mean, variance] = network_.statistics(id); mean.defined())
        to.statistics(id) = {mean.cpu(), variance.cpu()};
  }

 private:
  Network network_;
  FlatParameters flat_{network_};
};

FloatLearner::FloatLearner(Network& network, const Device& device) : network_{network} {
  if (!device.is_cpu()) copy_ = std::make_unique<Copy>(network, device);
}

FloatLearner::~FloatLearner() = default;

const Network& FloatLearner::weights() const { return copy_ ? copy_->network() : network_; }

void FloatLearner::begin_step(std::size_t) {
  if (copy_) copy_->take_weights(network_);
}

Forward FloatLearner::forward(const at::Tensor& images, std::size_t) {
  return propagate_forward(weights(), images.to(weights().place(), network_.precision()));
}

void FloatLearner::settle(const Samples& samples, std::int64_t batch) {
  if (!copy_) return settle_statistics(network_, samples, batch);
  copy_->take_weights(network_);
  settle_statistics(copy_->network(), samples, batch);
  copy_->give_statistics(network_);
}

Outputs FloatLearner::outputs() const { return outputs_of(weights()); }

IntegerLearner::IntegerLearner(FloatNetwork real, std::int64_t frozen_from_epoch, ScaleRule scales)
    : real_{std::move(real)},
      frozen_from_{frozen_from_epoch},
      network_{network_of(real_)},
      rounded_{network_.clone()},
      ranges_{tensor_of(real_.ranges)},
      integers_{lower_folded(real_)} {
  if (integers_.network().tensors.size() != at(real_.graph.size()))
    throw Error{"a network that is not folded cannot learn as integers"};
  if (scales == ScaleRule::learned) scales_.emplace(real_);
}

std::vector<at::Tensor*> IntegerLearner::more() {
  return scales_ ? scales_->tensors() : std::vector<at::Tensor*>{};
}

Wanted IntegerLearner::wanted() const {
  return {.parameters = true, .outputs = scales_ ? scales_->nodes() : std::vector<NodeId>{}};
}

std::vector<at::Tensor> IntegerLearner::more_gradients(const at::Tensor& images,
                                                       const Forward& forward,
                                                       Gradients& found) const {
  if (!scales_) return {};
  return scales_->gradients({images, network_, rounded_, integers_, forward}, found);
}

void IntegerLearner::begin_step(std::size_t parts) {
  seen_.assign(parts, {});
  lower_again();
  if (scales_) scales_->begin_step();
}

void IntegerLearner::lower_again() {
  real_ = real();
  integers_ = IntegerNetwork{lower_folded(real_)};
  for (std::size_t i = 0; i < integers_.network().layers.size(); ++i) {
    const Int8Layer& layer = integers_.network().layers[i];
    if (layer.weights.empty()) continue;
    rounded_.parameters(layer.output) = {integers_.rounded_weights(i),
                                         network_.parameters(layer.output).bias};
  }
}

Forward IntegerLearner::forward(const at::Tensor& images, std::size_t part) {
  const IntegerRun run = integers_.run(images);
  seen_[part] = run.ranges;
  Forward made;
  for (NodeId id = 0; id < real_.graph.size(); ++id) {
    const at::Tensor value = integers_.real(run, id).contiguous(memory_format_of(network_));
    made.blends.emplace_back(real_.graph.node(id).op == Op::linear ? value.flatten(1) : value);
  }
  made.means.resize(made.blends.size());
  made.inverse_deviations.resize(made.blends.size());
  made.clamps.resize(made.blends.size());
  for (const Int8Layer& layer : integers_.network().layers)
    made.clamps[at(layer.output)] = clamp_of(integers_.network(), layer);
  return made;
}

void IntegerLearner::end_step(std::int64_t epoch) {
  constexpr float kKept = 0.99F;
  if (scales_) return scales_->end_step();
  if (epoch >= frozen_from_) return;
  auto* range = ranges_.data_ptr<float>();
  for (std::size_t i = 0; i < real_.ranges.size(); ++i, range += 2) {
    float lowest = std::numeric_limits<float>::max(), highest = -lowest;
    for (const std::vector<Range>& part : seen_) {
      lowest = std::min(lowest, part[i].lowest);
      highest = std::max(highest, part[i].highest);
    }
    range[0] = kKept * range[0] + (1 - kKept) * lowest;
    range[1] = kKept * range[1] + (1 - kKept) * highest;
  }
}

void IntegerLearner::settle(const Samples&, std::int64_t) { lower_again(); }

Outputs IntegerLearner::outputs() const {
  return [this](const at::Tensor& images) { return integers_.forward(images); };
}

FloatNetwork IntegerLearner::real() const {
  FloatNetwork made{real_.graph, parameters_of(network_), {}};
  const auto* range = ranges_.data_ptr<float>();
  for (std::size_t i = 0; i < real_.ranges.size(); ++i, range += 2)
    made.ranges.push_back({range[0], range[1]});
  if (scales_) scales_->apply(made);
  return made;
}

Outputs outputs_of(const Network& network) {
  return [&network](const at::Tensor& images) {
    return network.forward(images.to(network.place(), network.precision())).cpu();
  };
}

Network network_of(const FloatNetwork& folded) {
  Network made{folded.graph};
  for (NodeId id = 0; id < folded.graph.size(); ++id) {
    const FloatParameters& own = folded.parameters[at(id)];
    const auto give = [](at::Tensor& to, const std::vector<float>& values) {
      if (to.defined()) to.copy_(at::tensor(values).view(to.sizes()));
    };
    give(made.parameters(id).weight, own.weight);
    give(made.parameters(id).bias, own.bias);
  }
  return made;
}

}  // namespace thimble
