#include "forward.hpp"

#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble::ntk {
namespace {

template <class Scalar>
Norm<Scalar> normalise(const at::Tensor& input, const at::Tensor& scale) {
  const at::Tensor x = input.contiguous();
  Norm<Scalar> norm;
  norm.normalised = at::empty_like(x);
  norm.factor.resize(static_cast<std::size_t>(x.size(1)));
  NormaliseRun<Scalar> run{};
  run.from = x.template data_ptr<Scalar>();
  run.into = norm.normalised.template data_ptr<Scalar>();
  run.samples = static_cast<int>(x.size(0));
  run.channels = static_cast<int>(x.size(1));
  run.pixels = static_cast<int>(x.numel() / x.size(0) / x.size(1));
  run.epsilon = kBatchNormEpsilon;
  run.inverse_deviation = norm.factor.data();
  kernels<Scalar>().normalise(run);
  const at::Tensor scales = scale.to(at::kDouble).contiguous();
  for (std::size_t c = 0; c < norm.factor.size(); ++c)
    norm.factor[c] *= scales.data_ptr<double>()[c];
  return norm;
}

at::Tensor scaled(const at::Tensor& normalised, const Network::Parameters& parameters) {
  // Fresh networks have scale 1 and shift 0, and then there is nothing to do.
  const bool is_fresh =
      (parameters.weight == 1).all().item<bool>() && (parameters.bias == 0).all().item<bool>();
  if (is_fresh) return normalised;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(normalised.dim()), 1);
  shape[1] = -1;
  return normalised * parameters.weight.view(shape) + parameters.bias.view(shape);
}

}  // namespace

template <class Scalar>
Forward<Scalar> run_forward(const Network& network, const Terms& terms, const at::Tensor& images) {
  const Graph& graph = network.graph();
  const auto count = static_cast<std::size_t>(graph.size());
  Forward<Scalar> forward{std::vector<at::Tensor>(count), std::vector<Norm<Scalar>>(count)};
  std::vector<at::Tensor> outputs(count);
  std::vector<int> uses = terms.uses;
  for (NodeId id = 0; id <= graph.output(); ++id) {
    const auto i = static_cast<std::size_t>(id);
    const bool is_wanted_norm = id == graph.output() && graph.node(id).op == Op::batch_norm;
    if (uses[i] == 0 && !is_wanted_norm) continue;
    const auto twin = static_cast<std::size_t>(network.twin(id));
    if (twin != i && outputs[twin].defined()) {
      outputs[i] = outputs[twin];
    } else if (graph.node(id).op == Op::batch_norm) {
      const auto& parameters = network.parameters(id);
      const auto input = static_cast<std::size_t>(graph.inputs(id)[0]);
      forward.norms[i] = normalise<Scalar>(outputs[input], parameters.weight);
      outputs[i] = scaled(forward.norms[i].normalised, parameters);
    } else {
      outputs[i] = evaluate(network, id, images, outputs);
    }
    if (!terms.into[i].empty()) forward.activations[i] = outputs[i].contiguous();
    for (const NodeId input : graph.inputs(id))
      if (--uses[static_cast<std::size_t>(input)] == 0)
        outputs[static_cast<std::size_t>(input)].reset();
  }
  return forward;
}

template Forward<float> run_forward<float>(const Network&, const Terms&, const at::Tensor&);
template Forward<double> run_forward<double>(const Network&, const Terms&, const at::Tensor&);

}  // namespace thimble::ntk
