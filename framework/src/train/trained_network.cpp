#include <thimble/train/trained_network.hpp>

#include <algorithm>
#include <cmath>
#include <string_view>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

// In a file of weights, names that no node has.
constexpr const char* kEpochs = "training/epochs";
constexpr const char* kMetrics = "training/metrics";
constexpr const char* kKept = "pruning/kept";
constexpr const char* kBoard = "int8/";
constexpr const char* kBoardEpochs = "training/int8_epochs";
constexpr const char* kBoardMetrics = "training/int8_metrics";

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

std::vector<double> numbers_of(const at::Tensor& metrics) {
  if (!metrics.defined() || metrics.scalar_type() != at::kDouble || metrics.dim() != 1)
    throw Error{"it does not tell what it should"};
  return {metrics.data_ptr<double>(), metrics.data_ptr<double>() + metrics.numel()};
}

/// By groups of channels; nothing when it was not pruned.
KeptChannels kept_in(const Graph& graph, const TensorFile& content) {
  KeptChannels made;
  const auto found = content.tensors.find(kKept);
  if (found == content.tensors.end()) return made;
  const std::vector<double> kept = numbers_of(found->second);
  if (!std::ranges::all_of(kept, [](double is_kept) { return is_kept == 0 || is_kept == 1; }))
    throw Error{"it does not tell which channels were kept"};
  std::size_t next = 0;
  for (const ChannelGroup& group : coupled_channels(graph).groups) {
    const std::size_t end = next + at(group.channels);
    if (end > kept.size()) break;
    made.emplace_back(kept.begin() + static_cast<std::ptrdiff_t>(next),
                      kept.begin() + static_cast<std::ptrdiff_t>(end));
    next = end;
  }
  if (next != kept.size()) throw Error{"its channels are not those of this network"};
  return made;
}

std::string range_name(const Graph& graph, NodeId id) { return kBoard + graph.name(id) + ".range"; }
std::string scale_name(const Graph& graph, NodeId id) {
  return kBoard + graph.name(id) + ".scales";
}

void add_board(TensorFile& content, const BoardNetwork& board) {
  for (const auto& [name, tensor] : named_weights(network_of(board.real)))
    content.tensors[kBoard + name] = tensor;
  for (NodeId id = 0; id < board.real.graph.size(); ++id) {
    const auto& [lowest, highest] = board.real.ranges[at(id)];
    content.tensors[range_name(board.real.graph, id)] = at::tensor({lowest, highest});
    if (const auto& scales = board.real.parameters[at(id)].scales; !scales.empty())
      content.tensors[scale_name(board.real.graph, id)] = at::tensor(scales);
  }
  content.tensors[kBoardEpochs] = tensor_of(board.learned.epochs);
  content.tensors[kBoardMetrics] = at::tensor(board.learned.metrics, at::kDouble);
}

/// Of a node's filters, where they were learned.
std::vector<float> scales_in(const Graph& graph, NodeId id, const TensorFile& content) {
  const auto found = content.tensors.find(scale_name(graph, id));
  if (found == content.tensors.end()) return {};
  const Node& node = graph.node(id);
  const std::int64_t wanted = node.op == Op::linear ? 1 : node.shape.channels;
  const at::Tensor& scales = found->second;
  if (scales.scalar_type() != at::kFloat || scales.sizes() != at::IntArrayRef{wanted} ||
      !(scales.isfinite() & (scales > 0)).all().item<bool>())
    throw Error{"the scales of '" + graph.name(id) + "' are none"};
  return {scales.data_ptr<float>(), scales.data_ptr<float>() + wanted};
}

/// With the folded graph of a network, and the file's numbers.
BoardNetwork board_of(const Graph& graph, const TensorFile& content) {
  std::map<std::string, at::Tensor> weights;
  for (const auto& [name, tensor] : content.tensors)
    if (name.starts_with(kBoard)) weights[name.substr(std::string_view{kBoard}.size())] = tensor;
  Network network{as_filters(deployed(graph))};
  set_weights(network, weights);
  BoardNetwork made{
      {network.graph(), parameters_of(network), {}},
      {epochs_of(content.tensors.at(kBoardEpochs)), numbers_of(content.tensors.at(kBoardMetrics))}};
  for (NodeId id = 0; id < network.graph().size(); ++id) {
    const auto range = content.tensors.find(range_name(network.graph(), id));
    if (range == content.tensors.end() || range->second.sizes() != at::IntArrayRef{2} ||
        range->second.scalar_type() != at::kFloat)
      throw Error{"there is no range of '" + network.graph().name(id) + "'"};
    const auto* const ends = range->second.data_ptr<float>();
    if (!std::isfinite(ends[0]) || !std::isfinite(ends[1]) || ends[0] > ends[1])
      throw Error{"the range of '" + network.graph().name(id) + "' is none"};
    made.real.ranges.push_back({ends[0], ends[1]});
    made.real.parameters[at(id)].scales = scales_in(network.graph(), id, content);
  }
  return made;
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
    if (!found->second.isfinite().all().item<bool>())
      throw Error{"'" + name + "' has values that are not finite",
                  "whoever wrote the file had none: train the network again"};
    tensor = found->second.to(network.precision()).clone();
  });
}

void write_trained(const std::filesystem::path& file, const TrainedNetwork& trained) {
  TensorFile content{named_weights(trained.network), trained.about};
  content.tensors[kEpochs] = tensor_of(trained.learned.epochs);
  content.tensors[kMetrics] = at::tensor(trained.learned.metrics, at::kDouble);
  std::vector<double> kept;
  for (const auto& group : trained.kept_channels)
    kept.insert(kept.end(), group.begin(), group.end());
  if (!kept.empty()) content.tensors[kKept] = at::tensor(kept, at::kDouble);
  if (trained.board) add_board(content, *trained.board);
  write_tensors(file, content);
}

TrainedNetwork read_trained(const Graph& graph, const std::filesystem::path& file) {
  TensorFile content = read_tensors(file);
  try {
    const KeptChannels kept = kept_in(graph, content);
    TrainedNetwork trained{
        Network{kept.empty() ? graph : pruned_to(graph, coupled_channels(graph), kept).graph}};
    trained.kept_channels = kept;
    set_weights(trained.network, content.tensors);
    trained.learned = {epochs_of(content.tensors[kEpochs]), numbers_of(content.tensors[kMetrics])};
    if (content.tensors.contains(kBoardMetrics) && content.tensors.contains(kBoardEpochs))
      trained.board = board_of(trained.network.graph(), content);
    trained.about = std::move(content.about);
    return trained;
  } catch (const Error& error) {
    const auto& [where, message, note] = error.diagnostics().front();
    throw InputError{Diagnostic{{file.string()},
                                message,
                                note.empty() ? "these are the weights of another network" : note}};
  }
}

}  // namespace thimble
