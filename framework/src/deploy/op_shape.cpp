#include <thimble/deploy/op_shape.hpp>

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble {
namespace {

bool has_window(Kernel kernel) {
  return kernel == Kernel::conv || kernel == Kernel::depthwise || kernel == Kernel::avg_pool ||
         kernel == Kernel::max_pool;
}

/// The words of a text, read one after the other.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_{text}, words_{split(text, ' ')} {}

  [[noreturn]] void refuse(const std::string& what, std::string_view word) const {
    throw InputError{fmt::format("{}: {} {}", in_quotes(text_), what, in_quotes(word)),
                     "an operator is written like 'conv 16x32x32 -> 8x32x32 window 3x3 stride 1x1 "
                     "padding 1x1 groups 1'"};
  }

  std::string_view next() {
    if (is_at_end()) return {};
    return words_[at_++];
  }
  bool is_next(std::string_view word) const { return at_ < words_.size() && words_[at_] == word; }
  bool is_at_end() const { return at_ == words_.size(); }

  void expect(std::string_view word) {
    const std::string_view found = next();
    if (found != word) refuse("expected " + in_quotes(word) + ", found", found);
  }

  int integer(std::string_view word, int least) const {
    constexpr int kMost = 1 << 20;
    const auto value = parse_integer(word);
    if (!value || *value < least || *value > kMost) refuse("no size is", word);
    return static_cast<int>(*value);
  }

  Shape shape() {
    const std::string_view word = next();
    const auto sizes = split(word, 'x');
    if (sizes.size() != 3) refuse("no shape is", word);
    return {integer(sizes[0], 1), integer(sizes[1], 1), integer(sizes[2], 1)};
  }

  Extent extent(std::string_view name, int least) {
    expect(name);
    const std::string_view word = next();
    const auto sizes = split(word, 'x');
    if (sizes.size() != 2) refuse("no extent is", word);
    return {integer(sizes[0], least), integer(sizes[1], least)};
  }

  Kernel kernel() {
    const std::string_view word = next();
    const auto* const found = std::find_if(std::begin(kKernels), std::end(kKernels),
                                           [&](Kernel kernel) { return name_of(kernel) == word; });
    if (found == std::end(kKernels)) refuse("no operator is", word);
    return *found;
  }

 private:
  std::string_view text_;
  std::vector<std::string> words_;
  std::size_t at_ = 0;
};

bool is_pool(Kernel kernel) { return kernel == Kernel::avg_pool || kernel == Kernel::max_pool; }

std::string text_of(const Extent& extent) {
  return fmt::format("{}x{}", extent.height, extent.width);
}

/// Tensors of these shapes, made of one input.
std::vector<NodeId> terms_of(Graph& graph, const OpShape& op) {
  const NodeId x = graph.input({1, op.output.height, op.output.width});
  std::vector<NodeId> terms;
  for (const Shape& shape : op.inputs) terms.push_back(graph.conv(x, {.out = shape.channels}));
  return terms;
}

Graph graph_of(const OpShape& op) {
  Graph graph;
  const Graph::Pool pool{op.window, op.stride, op.padding};
  const auto x = [&] { return graph.input(op.inputs.at(0)); };
  switch (op.kernel) {
    case Kernel::conv:
    case Kernel::depthwise:
      graph.conv(x(), {op.output.channels, op.window, op.stride, op.padding, op.groups, true});
      break;
    case Kernel::linear: graph.linear(x(), op.output.channels); break;
    case Kernel::avg_pool: graph.avg_pool(x(), pool); break;
    case Kernel::max_pool: graph.max_pool(x(), pool); break;
    case Kernel::mean: graph.global_avg_pool(x()); break;
    case Kernel::relu: graph.relu(x()); break;
    case Kernel::add: graph.add(terms_of(graph, op)); break;
    case Kernel::concat: graph.concat(terms_of(graph, op)); break;
    case Kernel::softmax: graph.softmax(x()); break;
  }
  if (op.has_relu) graph.relu(graph.output());
  return graph;
}

void require(const Int8Network& made, const OpShape& op) {
  if (made.layers.empty() || op_shape(made, made.layers.back()) != op)
    throw InputError{"no network has the operator " + in_quotes(to_string(op))};
}

}  // namespace

OpShape op_shape(const Int8Network& network, const Int8Layer& layer) {
  OpShape op;
  op.kernel = layer.kernel;
  for (const int input : layer.inputs) op.inputs.push_back(network.tensor(input).shape);
  op.output = network.tensor(layer.output).shape;
  if (!has_window(layer.kernel)) return op;
  op.window = layer.window;
  op.stride = layer.stride;
  op.padding = layer.padding;
  op.groups = layer.groups;
  op.has_relu = is_pool(layer.kernel) && layer.lowest > -128;
  return op;
}

std::string to_string(const OpShape& op) {
  std::string text = name_of(op.kernel);
  for (const Shape& input : op.inputs) text += ' ' + to_string(input);
  text += " -> " + to_string(op.output);
  if (has_window(op.kernel))
    text += fmt::format(" window {} stride {} padding {} groups {}", text_of(op.window),
                        text_of(op.stride), text_of(op.padding), op.groups);
  if (op.has_relu) text += " relu";
  return text;
}

OpShape op_shape_of(std::string_view text) {
  Reader words{text};
  OpShape op;
  op.kernel = words.kernel();
  do {
    op.inputs.push_back(words.shape());
  } while (!words.is_next("->") && !words.is_at_end());
  words.expect("->");
  op.output = words.shape();
  if (has_window(op.kernel)) {
    op.window = words.extent("window", 1);
    op.stride = words.extent("stride", 1);
    op.padding = words.extent("padding", 0);
    words.expect("groups");
    op.groups = words.integer(words.next(), 1);
    if (is_pool(op.kernel) && words.is_next("relu")) {
      words.next();
      op.has_relu = true;
    }
  }
  if (!words.is_at_end()) words.refuse("nothing follows, found", words.next());
  return op;
}

Int8Network network_of(const OpShape& op, const std::string& name) {
  Int8Network made = lower(drawn_network(graph_of(op), 1));
  made.name = name;
  require(made, op);
  return made;
}

Int8Network blank_network_of(const OpShape& op) {
  Int8Network made = skeleton(deployed(graph_of(op)));
  require(made, op);
  made.layers.erase(made.layers.begin(), made.layers.end() - 1);
  Int8Layer& layer = made.layers.back();
  const auto channels = static_cast<std::size_t>(weights(op) > 0 ? op.output.channels : 1);
  layer.bias.resize(channels);
  layer.rescale.resize(channels);
  if (op.kernel == Kernel::add) layer.input_rescale.resize(op.inputs.size());
  return made;
}

std::int64_t weights(const OpShape& op) {
  const std::int64_t cells = std::int64_t{op.window.height} * op.window.width;
  switch (op.kernel) {
    case Kernel::conv: return op.output.channels * cells * op.inputs[0].channels / op.groups;
    case Kernel::depthwise: return op.output.channels * cells;
    case Kernel::linear: return op.output.channels * op.inputs[0].elements();
    default: return 0;
  }
}

std::int64_t macs(const OpShape& op) {
  const std::int64_t outputs = op.output.elements();
  if (op.kernel == Kernel::linear) return outputs * (op.inputs[0].elements() + 1);
  if (op.kernel != Kernel::conv && op.kernel != Kernel::depthwise) return 0;
  return outputs * op.window.height * op.window.width * (op.inputs[0].channels / op.groups);
}

}  // namespace thimble
