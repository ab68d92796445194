#include <thimble/graph/graph.hpp>

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>

namespace thimble {

const char* name_of(Op op) {
  switch (op) {
    case Op::input: return "input";
    case Op::zero: return "zero";
    case Op::conv: return "conv";
    case Op::batch_norm: return "batch_norm";
    case Op::relu: return "relu";
    case Op::avg_pool: return "avg_pool";
    case Op::max_pool: return "max_pool";
    case Op::global_avg_pool: return "global_avg_pool";
    case Op::linear: return "linear";
    case Op::add: return "add";
    case Op::concat: return "concat";
    case Op::softmax: return "softmax";
    case Op::mask: return "mask";
    case Op::choice: return "choice";
  }
  return "?";
}

std::string to_string(const Shape& shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

Graph::Scope::Scope(Graph& graph, const std::string& name)
    : graph_{graph}, length_{graph.scope_.size()} {
  graph_.scope_ += name + "/";
}

Graph::Scope::~Scope() { graph_.scope_.resize(length_); }

Graph::Words& Graph::words() {
  if (words_.use_count() > 1) words_ = std::make_shared<Words>(*words_);
  return *words_;
}

void Graph::require(NodeId id) const {
  if (id < 0 || id >= size()) throw Error{fmt::format("graph has no node {}", id)};
}

NodeId Graph::append(Node node, std::span<const NodeId> inputs) {
  for (const NodeId id : inputs) require(id);
  if (node.shape.channels < 1 || node.shape.height < 1 || node.shape.width < 1)
    throw Error{fmt::format("{} '{}' would have the shape {}", name_of(node.op), scope_,
                            to_string(node.shape))};
  node.first_input = static_cast<std::uint32_t>(edges_.size());
  node.input_count = static_cast<std::uint32_t>(inputs.size());
  node.option = current_option_;
  node.name = static_cast<std::int32_t>(words_->names.size());
  words().names.push_back(fmt::format("{}{}{}", scope_, name_of(node.op), nodes_.size()));
  edges_.insert(edges_.end(), inputs.begin(), inputs.end());
  nodes_.push_back(node);
  return output_ = size() - 1;
}

NodeId Graph::input(const Shape& shape) {
  Node node;
  node.shape = shape;
  return append(node, {});
}

NodeId Graph::zero(const Shape& shape) {
  Node made;
  made.op = Op::zero;
  made.shape = shape;
  return append(made, {});
}

NodeId Graph::append_windowed(Node node, NodeId x) {
  const Shape& in = this->node(x).shape;
  const auto along = [&](int size, int kernel, int stride, int padding) {
    if (kernel < 1 || stride < 1 || padding < 0 || size + 2 * padding < kernel)
      throw Error{fmt::format("{} '{}': kernel {}, stride {}, padding {} do not fit {}",
                              name_of(node.op), scope_, kernel, stride, padding, to_string(in))};
    return (size + 2 * padding - kernel) / stride + 1;
  };
  node.shape.height = along(in.height, node.kernel.height, node.stride.height, node.padding.height);
  node.shape.width = along(in.width, node.kernel.width, node.stride.width, node.padding.width);
  return append(node, {&x, 1});
}

NodeId Graph::conv(NodeId x, const Conv& conv) {
  require(x);
  const int in = node(x).shape.channels;
  if (conv.out < 1 || conv.groups < 1 || in % conv.groups != 0 || conv.out % conv.groups != 0)
    throw Error{fmt::format("conv '{}': {} to {} channels in {} groups", scope_, in, conv.out,
                            conv.groups)};
  Node made;
  made.op = Op::conv;
  made.has_bias = conv.bias;
  made.groups = conv.groups;
  made.shape.channels = conv.out;
  made.kernel = conv.kernel;
  made.stride = conv.stride;
  made.padding = conv.padding;
  return append_windowed(made, x);
}

NodeId Graph::append_pool(Op op, NodeId x, const Pool& pool) {
  require(x);
  Node made;
  made.op = op;
  made.shape.channels = node(x).shape.channels;
  made.kernel = pool.kernel;
  made.stride = pool.stride;
  made.padding = pool.padding;
  if (2 * pool.padding.height > pool.kernel.height || 2 * pool.padding.width > pool.kernel.width)
    throw Error{fmt::format("{} '{}': a window may lie in the padding alone", name_of(op), scope_)};
  return append_windowed(made, x);
}

NodeId Graph::avg_pool(NodeId x, const Pool& pool) { return append_pool(Op::avg_pool, x, pool); }

NodeId Graph::max_pool(NodeId x, const Pool& pool) { return append_pool(Op::max_pool, x, pool); }

NodeId Graph::batch_norm(NodeId x) {
  require(x);
  Node made;
  made.op = Op::batch_norm;
  made.shape = node(x).shape;
  return append(made, {&x, 1});
}

NodeId Graph::relu(NodeId x, Activation activation) {
  require(x);
  Node made;
  made.op = Op::relu;
  made.activation = activation;
  made.shape = node(x).shape;
  return append(made, {&x, 1});
}

NodeId Graph::global_avg_pool(NodeId x) {
  require(x);
  Node made;
  made.op = Op::global_avg_pool;
  made.shape = {node(x).shape.channels, 1, 1};
  return append(made, {&x, 1});
}

NodeId Graph::linear(NodeId x, int out) {
  require(x);
  Node made;
  made.op = Op::linear;
  made.has_bias = true;
  made.shape = {out, 1, 1};
  return append(made, {&x, 1});
}

NodeId Graph::add(NodeId x, NodeId y) { return add(std::array{x, y}); }

NodeId Graph::add(std::span<const NodeId> terms) {
  if (terms.empty()) throw Error{fmt::format("add '{}' has nothing to add", scope_)};
  for (const NodeId term : terms) {
    require(term);
    if (node(term).shape != node(terms[0]).shape)
      throw Error{fmt::format("add '{}': {} and {}", scope_, to_string(node(terms[0]).shape),
                              to_string(node(term).shape))};
  }
  Node made;
  made.op = Op::add;
  made.shape = node(terms[0]).shape;
  return append(made, terms);
}

NodeId Graph::concat(std::span<const NodeId> parts) {
  if (parts.empty()) throw Error{fmt::format("concat '{}' has nothing to join", scope_)};
  Node made;
  made.op = Op::concat;
  for (const NodeId part : parts) {
    require(part);
    const Shape& shape = node(part).shape;
    const Shape& first = node(parts[0]).shape;
    if (shape.height != first.height || shape.width != first.width)
      throw Error{
          fmt::format("concat '{}': {} and {}", scope_, to_string(first), to_string(shape))};
    made.shape = {made.shape.channels + shape.channels, shape.height, shape.width};
  }
  return append(made, parts);
}

NodeId Graph::softmax(NodeId x) {
  require(x);
  Node made;
  made.op = Op::softmax;
  made.shape = node(x).shape;
  if (made.shape.pixels() != 1)
    throw Error{fmt::format("softmax '{}' of {}, not of one pixel", scope_, to_string(made.shape))};
  return append(made, {&x, 1});
}

std::int32_t Graph::decision_index(const std::string& decision,
                                   const std::vector<Option>& options) {
  std::vector<std::string> labels;
  for (const auto& [label, build] : options) labels.push_back(label);
  auto& decisions = words().decisions;
  const auto found = std::find_if(decisions.begin(), decisions.end(),
                                  [&](const ChoiceDecision& d) { return d.name == decision; });
  if (found == decisions.end()) {
    decisions.push_back({decision, std::move(labels)});
    return static_cast<std::int32_t>(decisions.size()) - 1;
  }
  if (found->options != labels)
    throw Error{"choices of " + in_quotes(decision) +
                " have different options: " + join(found->options) + " and " + join(labels)};
  return static_cast<std::int32_t>(found - decisions.begin());
}

NodeId Graph::choice(const std::string& decision, const std::vector<Option>& options) {
  if (options.empty() || options.size() > 64)
    throw Error{fmt::format("choice '{}' has {} options, not 1 to 64", decision, options.size())};
  const Scope scope{*this, decision};
  const std::int32_t index = decision_index(decision, options);
  const std::int32_t outer = current_option_;
  std::vector<NodeId> ends;
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Scope inner{*this, options[i].first};
    words().options.push_back({index, static_cast<std::int32_t>(i), outer});
    current_option_ = static_cast<std::int32_t>(words_->options.size()) - 1;
    ends.push_back(options[i].second());
    current_option_ = outer;
    if (node(ends.back()).shape != node(ends.front()).shape)
      throw Error{fmt::format("choice '{}': option '{}' gives {}, option '{}' gives {}", decision,
                              options[0].first, to_string(node(ends.front()).shape),
                              options[i].first, to_string(node(ends.back()).shape))};
  }
  Node made;
  made.op = Op::choice;
  made.decision = index;
  made.alive = ~std::uint64_t{0} >> (64 - ends.size());
  made.shape = node(ends.front()).shape;
  return append(made, ends);
}

NodeId Graph::mask(NodeId x, int first_channels) {
  Node made;
  made.op = Op::mask;
  made.shape = node(x).shape;
  made.first_channels = first_channels;
  return append(made, {&x, 1});
}

NodeId Graph::channels(NodeId x, const std::string& decision, std::span<const int> widths) {
  require(x);
  const bool ascends = std::ranges::is_sorted(widths, std::ranges::less_equal{});
  if (widths.empty() || widths.front() < 1 || widths.back() != node(x).shape.channels || !ascends)
    throw Error{fmt::format("widths '{}' of {} channels: {}", decision, node(x).shape.channels,
                            fmt::join(widths, ", ")),
                "they ascend and end with all channels"};
  if (widths.size() == 1) return x;
  std::vector<Option> options;
  for (const int width : widths)
    options.emplace_back(std::to_string(width), [this, x, width] { return mask(x, width); });
  return choice(decision, options);
}

void Graph::set_output(NodeId node) {
  require(node);
  output_ = node;
}

const std::string& Graph::name(NodeId id) const {
  return words_->names[static_cast<std::size_t>(node(id).name)];
}

bool Graph::is_supernet() const noexcept {
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [](const Node& node) { return node.op == Op::choice; });
}

}  // namespace thimble
