#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>

namespace thimble {

/// What a node computes. The networks of all search spaces are built of these.
enum class Op : std::uint8_t {
  input,            ///< what the network is given
  zero,             ///< all zeros; reads nothing
  conv,             ///< 2-D convolution, grouped or not, zero padded
  batch_norm,       ///< per channel, with scale and shift
  relu,             ///< which of the two is in Node::activation
  avg_pool,         ///< mean over the valid cells of each window (padding is not counted)
  max_pool,         ///< maximum over the valid cells of each window
  global_avg_pool,  ///< mean over height and width
  linear,           ///< fully connected, with bias, on the flattened input
  add,              ///< sum of all inputs
  concat,           ///< channels of all inputs, one behind the other
  softmax,          ///< over all elements; only behind the last layer
  mask,             ///< the first channels as they are, zeros in place of the others
  choice,           ///< open: the mean of the alive options, until one of them is left
};

THIMBLE_EXPORT const char* name_of(Op op);

enum class Activation : std::uint8_t {
  none,
  relu,   ///< max(x, 0)
  relu6,  ///< min(max(x, 0), 6)
};

/// Channels, height, width. The number of samples is never part of a shape; a time series of
/// length T with S sensors is 1 x T x S.
struct Shape {
  int channels = 0;
  int height = 0;
  int width = 0;

  std::int64_t pixels() const noexcept { return std::int64_t{height} * width; }
  std::int64_t elements() const noexcept { return channels * pixels(); }
  bool operator==(const Shape&) const = default;
};

/// "16x32x32".
THIMBLE_EXPORT std::string to_string(const Shape& shape);

struct Extent {
  int height = 1;
  int width = 1;
  bool operator==(const Extent&) const = default;
};

/// Index of a node in its graph; nodes are in topological order.
using NodeId = std::int32_t;

/// One operator. `kernel`, `stride` and `padding` speak for convolutions and pools only.
struct Node {
  Op op = Op::input;
  bool has_bias = false;
  /// Of a relu node: what it is. Of others: what is fused into them, in `deployed` graphs only.
  Activation activation = Activation::none;
  int groups = 1;
  Shape shape;  ///< of the output
  Extent kernel;
  Extent stride;
  Extent padding{0, 0};
  std::int32_t first_channels = 0;  ///< of a mask: how many it lets through
  std::int32_t decision = -1;       ///< of a choice: index into decisions()
  std::int32_t option = -1;  ///< the option this node was built for: index into options(), or -1
  /// Of a choice: the options that are left of its decision, a bit each; its inputs are these, in
  /// this order. options_in() lists them.
  std::uint64_t alive = 0;
  std::int32_t name = -1;
  std::uint32_t first_input = 0;
  std::uint32_t input_count = 0;
};

/// What a choice decides, and the options it has; several choices may share one.
struct ChoiceDecision {
  std::string name;
  std::vector<std::string> options;
};

/// For every decision of a graph, bit i says whether option i is alive.
using AliveOptions = std::vector<std::uint64_t>;

/// For every decision of a graph, a number for each option: logits, shares, slopes.
using OptionNumbers = std::vector<std::vector<double>>;

/// A network as data: typed operators with shapes, in topological order. The one representation
/// that proxies, hardware and searchers share; it knows neither weights nor who built it.
/// A graph with open choices is a supernet.
///
/// Building is plain code; each verb appends a node and returns its id. A verb throws Error when
/// the shapes do not fit. Copies share their names until one is changed. `const` is thread safe.
class THIMBLE_EXPORT Graph {
 public:
  Graph() : words_{std::make_shared<Words>()} {}

  struct Conv {
    int out = 0;
    Extent kernel{1, 1};
    Extent stride{1, 1};
    Extent padding{0, 0};
    int groups = 1;
    bool bias = false;
  };
  struct Pool {
    Extent kernel{2, 2};
    Extent stride{2, 2};
    Extent padding{0, 0};
  };
  /// An option's label, and the code that builds it and returns its last node.
  using Option = std::pair<std::string, std::function<NodeId()>>;

  NodeId input(const Shape& shape);
  NodeId zero(const Shape& shape);
  NodeId conv(NodeId x, const Conv& conv);
  NodeId batch_norm(NodeId x);
  NodeId relu(NodeId x, Activation activation = Activation::relu);
  NodeId avg_pool(NodeId x, const Pool& pool);
  NodeId max_pool(NodeId x, const Pool& pool);
  NodeId global_avg_pool(NodeId x);
  NodeId linear(NodeId x, int out);
  /// The sum of one or more nodes of one shape.
  NodeId add(std::span<const NodeId> terms);
  NodeId add(NodeId x, NodeId y);
  /// The channels of one or more nodes of one height and width.
  NodeId concat(std::span<const NodeId> parts);
  /// Of a node of one pixel.
  NodeId softmax(NodeId x);
  /// An open choice between options of one shape; at most 64. Choices of one name are decided
  /// together and must have the same labels.
  NodeId choice(const std::string& decision, const std::vector<Option>& options);
  /// An open choice of how many of x's channels there are: option "w" is its first w, masked in a
  /// supernet (a dynamic convolution: Wan et al., arXiv 2004.05565) and nothing else is left where
  /// all choices are made. `widths` ascend and end with all channels; one width is no choice. What
  /// makes x is read by nobody else, no batch norm stands behind this without a convolution
  /// between, and terms of a sum behind it have one width.
  NodeId channels(NodeId x, const std::string& decision, std::span<const int> widths);
  void set_output(NodeId node);

  /// Names every node built while it lives "outer/inner/...".
  class THIMBLE_EXPORT Scope {
   public:
    Scope(Graph& graph, const std::string& name);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Graph& graph_;
    std::size_t length_;
  };

  std::span<const Node> nodes() const noexcept { return nodes_; }
  const Node& node(NodeId id) const { return nodes_[static_cast<std::size_t>(id)]; }
  NodeId size() const noexcept { return static_cast<NodeId>(nodes_.size()); }
  NodeId output() const noexcept { return output_; }
  std::span<const NodeId> inputs(const Node& node) const {
    return std::span{edges_}.subspan(node.first_input, node.input_count);
  }
  std::span<const NodeId> inputs(NodeId id) const { return inputs(node(id)); }
  /// Of what a node with one input reads, or one with several reads first.
  const Shape& input_shape(const Node& reader) const { return node(inputs(reader)[0]).shape; }
  /// A name that stays the same in every graph derived from this one: weights go by it.
  const std::string& name(NodeId id) const;
  const std::vector<ChoiceDecision>& decisions() const { return words_->decisions; }
  /// True when a choice is still open.
  bool is_supernet() const noexcept;

 private:
  friend class Rewriter;
  struct OwnedOption {
    std::int32_t decision;
    std::int32_t option;
    std::int32_t outer;  ///< the option around this one, or -1
  };
  /// Everything made of text: shared by all graphs derived from one.
  struct Words {
    std::vector<std::string> names;
    std::vector<ChoiceDecision> decisions;
    std::vector<OwnedOption> options;
  };

  explicit Graph(std::shared_ptr<Words> words) : words_{std::move(words)} {}
  Words& words();
  NodeId append(Node node, std::span<const NodeId> inputs);
  NodeId append_windowed(Node node, NodeId x);
  NodeId mask(NodeId x, int first_channels);
  NodeId append_pool(Op op, NodeId x, const Pool& pool);
  std::int32_t decision_index(const std::string& decision, const std::vector<Option>& options);
  void require(NodeId id) const;

  std::vector<Node> nodes_;
  std::vector<NodeId> edges_;
  NodeId output_ = -1;
  std::shared_ptr<Words> words_;
  std::string scope_;
  std::int32_t current_option_ = -1;
};

}  // namespace thimble
