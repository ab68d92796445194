#include <thimble/nn/calibration.hpp>

#include <thimble/core/error.hpp>
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

}  // namespace

FloatNetwork calibrated(const Network& network, const at::Tensor& images) {
  const Forward forward = propagate_forward(network, images);
  FloatNetwork made{network.graph(), {}, {}};
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    const auto& [weight, bias] = network.parameters(id);
    made.parameters.push_back({plain(weight), plain(bias), plain(forward.means[i]), {}});
    const at::Tensor& inverse_deviation = forward.inverse_deviations[i];
    if (inverse_deviation.defined())
      made.parameters.back().variance = plain(inverse_deviation.pow(-2));
    const at::Tensor output = forward.output(id);
    made.ranges.push_back({output.min().item<float>(), output.max().item<float>()});
    if (!output.isfinite().all().item<bool>())
      throw Error{"the outputs of " + network.graph().name(id) + " overflow"};
  }
  return made;
}

}  // namespace thimble
