#include <thimble/nn/calibration.hpp>

#include <algorithm>
#include <cmath>
#include <span>

#include <ATen/ATen.h>

#include <thimble/core/error.hpp>
#include <thimble/deploy/quantisation.hpp>
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

Range extremes_of(const at::Tensor& values) {
  return {values.min().item<float>(), values.max().item<float>()};
}

/// Values between these shares of all, in their order.
Range quantiles_of(const at::Tensor& values, double percentile) {
  const at::Tensor sorted = std::get<0>(values.sort());
  const auto last = static_cast<double>(sorted.numel() - 1);
  const auto outside = static_cast<std::int64_t>(std::llround(last * (1 - percentile / 100) / 2));
  return {sorted[outside].item<float>(), sorted[sorted.numel() - 1 - outside].item<float>()};
}

double error_of(const at::Tensor& values, Range range) {
  const auto [scale, zero] = quantisation_of(range);
  const at::Tensor q = (values / scale).round_().clamp_(-128 - zero, 127 - zero);
  return (q * scale - values).square_().mean().item<double>();
}

/// The best of the whole range and of narrower ones of its form.
Range of_least_error(const at::Tensor& values) {
  constexpr int kSteps = 40;
  const Range whole = extremes_of(values);
  Range best = whole;
  double least = error_of(values, whole);
  for (int step = 1; step < kSteps; ++step) {
    const auto share = static_cast<float>(kSteps - step) / kSteps;
    const Range narrower{share * whole.lowest, share * whole.highest};
    const double error = error_of(values, narrower);
    if (error >= least) continue;
    least = error;
    best = narrower;
  }
  return best;
}

void note_range(FloatNetwork& made, NodeId id, const at::Tensor& output, const Calibration& how) {
  if (!output.isfinite().all().item<bool>())
    throw Error{"the outputs of " + made.graph.name(id) + " overflow"};
  made.ranges[static_cast<std::size_t>(id)] = range_of(output, how);
}

/// Ranges, and what batch norm normalises by: `variance` has what is added to it in it.
void run_by_batch(FloatNetwork& made, const Network& network, const at::Tensor& images,
                  const Calibration& how) {
  const Forward forward = propagate_forward(network, images);
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    made.parameters[i].mean = plain(forward.means[i]);
    if (const at::Tensor& inverse_deviation = forward.inverse_deviations[i];
        inverse_deviation.defined())
      made.parameters[i].variance = plain(inverse_deviation.pow(-2));
    note_range(made, id, forward.output(id), how);
  }
}

void run_by_statistics(FloatNetwork& made, const Network& network, const at::Tensor& images,
                       const Calibration& how) {
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto& [mean, variance] = network.statistics(id);
    if (!mean.defined()) continue;
    made.parameters[static_cast<std::size_t>(id)].mean = plain(mean);
    made.parameters[static_cast<std::size_t>(id)].variance = plain(variance + kBatchNormEpsilon);
  }
  for_each_output(network, images,
                  [&](NodeId id, const at::Tensor& output) { note_range(made, id, output, how); });
}

}  // namespace

const std::vector<std::pair<std::string, RangeRule>>& names_of(RangeRule) {
  static const std::vector<std::pair<std::string, RangeRule>> kNames{
      {"extremes", RangeRule::extremes},
      {"percentile", RangeRule::percentile},
      {"mean_square", RangeRule::mean_square}};
  return kNames;
}

Range range_of(const at::Tensor& values, const Calibration& how) {
  constexpr std::int64_t kMost = 1 << 20;  // more say the same, and take long to be sorted
  at::Tensor some = values.reshape(-1);
  if (how.rule != RangeRule::extremes && some.numel() > kMost)
    some = some.slice(0, 0, some.numel(), (some.numel() + kMost - 1) / kMost).contiguous();
  switch (how.rule) {
    case RangeRule::percentile: return quantiles_of(some, how.percentile);
    case RangeRule::mean_square: return of_least_error(some);
    case RangeRule::extremes: break;
  }
  return extremes_of(values);
}

std::vector<FloatParameters> parameters_of(const Network& network) {
  std::vector<FloatParameters> made;
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto& [weight, bias] = network.parameters(id);
    made.push_back({plain(weight), plain(bias), {}, {}});
  }
  return made;
}

FloatNetwork calibrated(const Network& network, const at::Tensor& images, const Calibration& how) {
  const at::NoGradGuard no_grad;
  FloatNetwork made{network.graph(), parameters_of(network), {}};
  made.ranges.resize(made.parameters.size());
  if (has_statistics(network)) {
    run_by_statistics(made, network, images, how);
  } else {
    run_by_batch(made, network, images, how);
  }
  return made;
}

std::vector<std::int8_t> quantised(const at::Tensor& image, const Quantisation& q) {
  const at::Tensor nhwc = image.permute({1, 2, 0}).contiguous();
  const std::span values{nhwc.data_ptr<float>(), static_cast<std::size_t>(nhwc.numel())};
  std::vector<std::int8_t> made;
  for (const float value : values) made.push_back(rounded_value(value, q));
  return made;
}

Deviation deviation_of(const Int8Network& lowered, const Network& network,
                       const at::Tensor& images) {
  at::Tensor truth = has_statistics(network)
                         ? network.forward(images)
                         : propagate_forward(network, images).output(network.graph().output());
  truth = truth.detach().flatten(1).to(at::kDouble);
  const at::Tensor found = IntegerNetwork{lowered}.forward(images).flatten(1).to(at::kDouble);
  const at::Tensor norms = truth.norm(2, 1);
  const at::Tensor errors = at::where(norms > 0, (found - truth).norm(2, 1) / norms, 0.0);
  Deviation made;
  made.mean_error = errors.mean().item<double>();
  made.largest_error = errors.max().item<double>();
  made.equal_argmax = (found.argmax(1) == truth.argmax(1)).to(at::kDouble).mean().item<double>();
  return made;
}

}  // namespace thimble
