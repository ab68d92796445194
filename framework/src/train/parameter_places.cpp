#include <thimble/train/parameter_places.hpp>

#include <map>
#include <string>
#include <utility>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

at::Tensor as_tensor(const std::vector<int>& channels) {
  return at::tensor(std::vector<std::int64_t>{channels.begin(), channels.end()});
}

/// Of the numbers of a weight, those of these outputs and inputs.
at::Tensor places_of_weight(const Network& whole, NodeId id, std::int64_t begin,
                            const std::vector<int>& outputs, const std::vector<int>& inputs) {
  const Node& node = whole.graph().node(id);
  const at::Tensor& weight = whole.parameters(id).weight;
  at::Tensor all = at::arange(weight.numel(), at::kLong).view(weight.sizes()) + begin;
  all = all.index_select(0, as_tensor(outputs));
  // Depthwise, or of a group whose channels all stay.
  const bool reads_all = node.op == Op::batch_norm || node.groups > 1;
  if (reads_all) return all.flatten();
  const std::int64_t pixels = node.op == Op::linear ? whole.graph().input_shape(node).pixels() : 1;
  if (node.op == Op::linear) all = all.view({all.size(0), -1, pixels});
  return all.index_select(1, as_tensor(inputs)).flatten();
}

}  // namespace

std::vector<ParameterBegin> parameter_begins(const Network& network) {
  std::vector<ParameterBegin> begins(at(network.graph().size()));
  std::int64_t next = 0;
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto& [weight, bias] = network.parameters(id);
    if (weight.defined()) begins[at(id)].weight = std::exchange(next, next + weight.numel());
    if (bias.defined()) begins[at(id)].bias = std::exchange(next, next + bias.numel());
  }
  return begins;
}

at::Tensor parameter_places(const Network& whole, const Graph& part,
                            const std::vector<std::vector<int>>& kept) {
  std::map<std::string_view, NodeId> originals;
  for (NodeId id = 0; id < whole.graph().size(); ++id) originals[whole.graph().name(id)] = id;
  const auto begins = parameter_begins(whole);
  std::vector<at::Tensor> places;
  for (NodeId id = 0; id < part.size(); ++id) {
    const NodeId original = originals.at(part.name(id));
    const auto [weight, bias] = begins[at(original)];
    if (weight >= 0)
      places.push_back(
          places_of_weight(whole, original, weight, kept[at(id)], kept[at(part.inputs(id)[0])]));
    if (bias >= 0) places.push_back(as_tensor(kept[at(id)]) + bias);
  }
  if (places.empty()) throw Error{"a network without parameters cannot be trained"};
  return at::cat(places);
}

}  // namespace thimble
