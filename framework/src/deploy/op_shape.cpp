#include <thimble/deploy/op_shape.hpp>

#include <algorithm>
#include <limits>
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

bool is_pool(Kernel kernel) { return kernel == Kernel::avg_pool || kernel == Kernel::max_pool; }

/// The parts lie within the text, so that their places are known.
std::vector<std::string_view> parts_of(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t at = 0; at <= text.size(); at += parts.back().size() + 1)
    parts.push_back(text.substr(at, std::min(text.find(separator, at), text.size()) - at));
  return parts;
}

/// The words of a text, read one after the other.
class Reader {
 public:
  Reader(std::string_view text, Location where)
      : text_{text}, where_{std::move(where)}, words_{parts_of(text, ' ')} {}

  [[noreturn]] void refuse(const std::string& what, std::string_view word,
                           const std::string& note =
                               "an operator is written like 'conv 16x32x32 -> 8x32x32 window 3x3 "
                               "stride 1x1 padding 1x1 groups 1'") const {
    Location place = where_;
    if (place.line > 0) place.column += static_cast<int>(word.data() - text_.data());
    throw InputError{
        Diagnostic{place, fmt::format("{}: {} {}", in_quotes(text_), what, in_quotes(word)), note}};
  }

  std::string_view at(std::size_t index) const { return words_.at(index); }
  std::string_view next() { return is_at_end() ? text_.substr(text_.size()) : words_[at_++]; }
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
    const auto sizes = parts_of(word, 'x');
    if (sizes.size() != 3) refuse("no shape is", word);
    return {integer(sizes[0], 1), integer(sizes[1], 1), integer(sizes[2], 1)};
  }

  Extent extent(std::string_view name, int least) {
    expect(name);
    const std::string_view word = next();
    const auto sizes = parts_of(word, 'x');
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
  Location where_;
  std::vector<std::string_view> words_;
  std::size_t at_ = 0;
};

/// How often the window fits when `below` more rows or columns are padded behind than in front; 0
/// when it does not.
Extent windows(const OpShape& op, int below) {
  const auto along = [below](int size, int window, int stride, int padding) {
    const int rest = size + 2 * padding + below - window;
    return rest < 0 ? 0 : rest / stride + 1;
  };
  const Shape& in = op.inputs.front();
  return {along(in.height, op.window.height, op.stride.height, op.padding.height),
          along(in.width, op.window.width, op.stride.width, op.padding.width)};
}

/// The rows and columns that the output has. Where SAME padding is odd, its rest lies below and to
/// the right; an output is taken for one of that kind when it is as large.
Extent windows(const OpShape& op) {
  const auto along = [](int size, int stride, int even, int odd, int stated) {
    return stated == odd && odd == (size + stride - 1) / stride ? odd : even;
  };
  const Extent even = windows(op, 0);
  const Extent odd = windows(op, 1);
  const Shape& in = op.inputs.front();
  return {along(in.height, op.stride.height, even.height, odd.height, op.output.height),
          along(in.width, op.stride.width, even.width, odd.width, op.output.width)};
}

/// What the operator makes of its inputs.
Shape output_of(const OpShape& op) {
  const Shape& in = op.inputs.front();
  switch (op.kernel) {
    case Kernel::conv: return {op.output.channels, windows(op).height, windows(op).width};
    case Kernel::depthwise:
    case Kernel::avg_pool:
    case Kernel::max_pool: return {in.channels, windows(op).height, windows(op).width};
    case Kernel::linear: return {op.output.channels, 1, 1};
    case Kernel::mean: return {in.channels, 1, 1};
    case Kernel::relu:
    case Kernel::add:
    case Kernel::softmax: return in;
    case Kernel::concat: break;
  }
  std::int64_t channels = 0;
  for (const Shape& input : op.inputs) channels += input.channels;
  constexpr std::int64_t kMost = std::numeric_limits<int>::max();
  return {static_cast<int>(std::min(channels, kMost)), in.height, in.width};
}

void require_inputs(const OpShape& op, const Reader& words) {
  const Shape& first = op.inputs.front();
  for (std::size_t i = 1; i < op.inputs.size(); ++i) {
    const std::string_view word = words.at(i + 1);
    if (op.kernel != Kernel::add && op.kernel != Kernel::concat)
      words.refuse("a second input is", word, fmt::format("a {} has one", name_of(op.kernel)));
    Shape shape = op.inputs[i];
    if (op.kernel == Kernel::concat) shape.channels = first.channels;
    if (shape != first)
      words.refuse("the first input does not go with", word,
                   op.kernel == Kernel::add ? "what is added has one shape"
                                            : "what is joined has one height and width");
  }
  if (op.kernel == Kernel::softmax && first.pixels() != 1)
    words.refuse("a softmax has one pixel, not", words.at(1), "write Cx1x1");
}

void require_groups(const OpShape& op, const Reader& words, std::string_view word) {
  const int in = op.inputs.front().channels;
  const bool is_depthwise = op.groups > 1 && op.groups == in && op.groups == op.output.channels;
  if (is_pool(op.kernel) && op.groups != 1)
    words.refuse("a pool has no groups, found", word, "write 'groups 1'");
  if (op.kernel == Kernel::depthwise && op.groups != in)
    words.refuse("each channel is a group, found", word, fmt::format("write 'groups {}'", in));
  if (in % op.groups != 0 || op.output.channels % op.groups != 0)
    words.refuse(fmt::format("{} to {} channels in groups", in, op.output.channels), word,
                 "the number of groups divides both");
  if (is_depthwise != (op.kernel == Kernel::depthwise))
    words.refuse("these channels and groups are not those of a", words.at(0),
                 "a 'depthwise' has as many groups as channels, and 2 at least; else it is 'conv'");
}

void require_windows(const OpShape& op, const Reader& words, std::size_t window) {
  constexpr std::size_t kPadding = 4;  // words behind the window's
  constexpr std::size_t kGroups = 6;
  const Extent found = windows(op);
  if (found.height < 1 || found.width < 1)
    words.refuse("the padded input is smaller than the window", words.at(window),
                 "make the window smaller or the padding larger");
  const bool is_lost = 2 * op.padding.height > op.window.height ||  //
                       2 * op.padding.width > op.window.width;
  if (is_pool(op.kernel) && is_lost)
    words.refuse("a window may lie in the padding alone:", words.at(window + kPadding),
                 "padding is half of the window at most");
  require_groups(op, words, words.at(window + kGroups));
}

/// Nothing is refused that op_shape() makes of a network, or that pads with SAME.
void require_possible(const OpShape& op, const Reader& words) {
  require_inputs(op, words);
  const std::size_t output = op.inputs.size() + 2;
  if (has_window(op.kernel)) require_windows(op, words, output + 2);
  if (const Shape made = output_of(op); op.output != made)
    words.refuse(fmt::format("the output is {}, not", to_string(made)), words.at(output),
                 "write the shape that follows from the inputs");
}

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

[[noreturn]] void refuse(const OpShape& op) {
  throw InputError{"no network has the operator " + in_quotes(to_string(op)),
                   "networks pad by as much at either end"};
}

Graph graph_of(const OpShape& op) {
  if (has_window(op.kernel) && windows(op, 0) != Extent{op.output.height, op.output.width})
    refuse(op);
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
  if (made.layers.empty() || op_shape(made, made.layers.back()) != op) refuse(op);
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

OpShape op_shape_of(std::string_view text, const Location& where) {
  Reader words{text, where};
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
  require_possible(op, words);
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
