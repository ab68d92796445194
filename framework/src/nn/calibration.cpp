#include <thimble/nn/calibration.hpp>

#include <algorithm>
#include <cmath>
#include <span>

#include <ATen/ATen.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

std::vector<float> plain(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const at::Tensor values = tensor.detach().to(at::kFloat).contiguous();
  const auto* const data = values.data_ptr<float>();
  return {data, data + values.numel()};
}

/// A network is run as it was trained, or else by the statistics of the batch at hand.
bool has_statistics(const Network& network) {
  for (NodeId id = 0; id < network.graph().size(); ++id)
    if (network.statistics(id).mean.defined()) return true;
  return false;
}

void note_range(FloatNetwork& made, NodeId id, const at::Tensor& output) {
  made.ranges[static_cast<std::size_t>(id)] = {output.min().item<float>(),
                                               output.max().item<float>()};
  if (!output.isfinite().all().item<bool>())
    throw Error{"the outputs of " + made.graph.name(id) + " overflow"};
}

/// Ranges, and what batch norm normalises by: `variance` has what is added to it in it.
void run_by_batch(FloatNetwork& made, const Network& network, const at::Tensor& images) {
  const Forward forward = propagate_forward(network, images);
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    made.parameters[i].mean = plain(forward.means[i]);
    if (const at::Tensor& inverse_deviation = forward.inverse_deviations[i];
        inverse_deviation.defined())
      made.parameters[i].variance = plain(inverse_deviation.pow(-2));
    note_range(made, id, forward.output(id));
  }
}

void run_by_statistics(FloatNetwork& made, const Network& network, const at::Tensor& images) {
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto& [mean, variance] = network.statistics(id);
    if (!mean.defined()) continue;
    made.parameters[static_cast<std::size_t>(id)].mean = plain(mean);
    made.parameters[static_cast<std::size_t>(id)].variance = plain(variance + kBatchNormEpsilon);
  }
  for_each_output(network, images,
                  [&](NodeId id, const at::Tensor& output) { note_range(made, id, output); });
}

}  // namespace

FloatNetwork calibrated(const Network& network, const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  FloatNetwork made{network.graph(), {}, {}};
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto& [weight, bias] = network.parameters(id);
    made.parameters.push_back({plain(weight), plain(bias), {}, {}});
  }
  made.ranges.resize(made.parameters.size());
  if (has_statistics(network)) {
    run_by_statistics(made, network, images);
  } else {
    run_by_batch(made, network, images);
  }
  return made;
}

std::vector<std::int8_t> quantised(const at::Tensor& image, const Quantisation& q) {
  const at::Tensor nhwc = image.permute({1, 2, 0}).contiguous();
  const std::span values{nhwc.data_ptr<float>(), static_cast<std::size_t>(nhwc.numel())};
  std::vector<std::int8_t> made;
  for (const float value : values)
    made.push_back(static_cast<std::int8_t>(std::clamp(
        std::round(value / q.scale) + static_cast<float>(q.zero_point), -128.0F, 127.0F)));
  return made;
}

Deviation deviation_of(const Int8Network& lowered, const Network& network,
                       const at::Tensor& images) {
  at::Tensor truth = has_statistics(network)
                         ? network.forward(images)
                         : propagate_forward(network, images).output(network.graph().output());
  truth = truth.detach().flatten(1).to(at::kDouble);
  const at::Tensor found = IntegerNetwork{lowered}.forward(images).to(at::kDouble);
  const at::Tensor norms = truth.norm(2, 1);
  const at::Tensor errors = at::where(norms > 0, (found - truth).norm(2, 1) / norms, 0.0);
  Deviation made;
  made.mean_error = errors.mean().item<double>();
  made.largest_error = errors.max().item<double>();
  made.equal_argmax = (found.argmax(1) == truth.argmax(1)).to(at::kDouble).mean().item<double>();
  return made;
}

}  // namespace thimble
