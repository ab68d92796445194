#include <thimble/train/trained_network.hpp>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

// In a file of weights, names that no node has.
constexpr const char* kEpochs = "training/epochs";
constexpr const char* kMetrics = "training/metrics";

/// Calls visit(name, tensor) for all that a trained network consists of.
template <class SomeNetwork, class Visit>
void for_each_weight(SomeNetwork& network, const Visit& visit) {
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const Node& node = network.graph().node(id);
    const std::string name = network.graph().name(id);
    auto& [weight, bias] = network.parameters(id);
    if (weight.defined()) visit(name + ".weight", weight);
    if (bias.defined()) visit(name + ".bias", bias);
    if (node.op != Op::batch_norm) continue;
    auto& [mean, variance] = network.statistics(id);
    visit(name + ".running_mean", mean);
    visit(name + ".running_var", variance);
  }
}

}  // namespace

std::map<std::string, at::Tensor> named_weights(const Network& network) {
  std::map<std::string, at::Tensor> weights;
  for_each_weight(network, [&](const std::string& name, const at::Tensor& tensor) {
    if (tensor.defined()) weights[name] = tensor;
  });
  return weights;
}

void set_weights(Network& network, const std::map<std::string, at::Tensor>& weights) {
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    if (network.graph().node(id).op != Op::batch_norm) continue;
    const at::Tensor& scale = network.parameters(id).weight;
    network.statistics(id) = {at::zeros_like(scale), at::ones_like(scale)};
  }
  for_each_weight(network, [&](const std::string& name, at::Tensor& tensor) {
    const auto found = weights.find(name);
    if (found == weights.end() || found->second.sizes() != tensor.sizes())
      throw Error{"there is no '" + name + "' of this network's shape among the weights"};
    tensor = found->second.to(network.precision()).clone();
  });
}

void write_trained(const std::filesystem::path& file, const TrainedNetwork& trained) {
  TensorFile content{named_weights(trained.network), trained.about};
  content.tensors[kEpochs] = tensor_of(trained.epochs);
  content.tensors[kMetrics] = at::tensor(trained.metrics, at::kDouble);
  write_tensors(file, content);
}

TrainedNetwork read_trained(const Graph& graph, const std::filesystem::path& file) {
  TensorFile content = read_tensors(file);
  TrainedNetwork trained{Network{graph}, {}, {}, std::move(content.about)};
  const auto refuse = [&](const std::string& message) {
    throw InputError{
        Diagnostic{{file.string()}, message, "these are the weights of another network"}};
  };
  try {
    set_weights(trained.network, content.tensors);
    trained.epochs = epochs_of(content.tensors[kEpochs]);
  } catch (const Error& error) {
    refuse(error.diagnostics().front().message);
  }
  const at::Tensor metrics = content.tensors[kMetrics];
  if (!metrics.defined() || metrics.scalar_type() != at::kDouble || metrics.dim() != 1)
    refuse("it does not tell what was measured");
  trained.metrics.assign(metrics.data_ptr<double>(), metrics.data_ptr<double>() + metrics.numel());
  return trained;
}

}  // namespace thimble
