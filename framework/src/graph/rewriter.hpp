#pragma once

#include <span>
#include <utility>
#include <vector>

#include <thimble/graph/graph.hpp>

namespace thimble {

/// Copies a graph node by node; each old node is kept, dropped, or replaced by another.
class Rewriter {
 public:
  explicit Rewriter(const Graph& from) : from_{from}, to_{from.words_} {
    to_.nodes_.reserve(from.nodes_.size());
    to_.edges_.reserve(from.edges_.size());
    became_.assign(from.nodes_.size(), -1);
  }

  /// The new node that stands for an old one, or -1 when it was dropped.
  NodeId operator[](NodeId old) const { return became_[static_cast<std::size_t>(old)]; }

  void replace(NodeId old, NodeId by) { became_[static_cast<std::size_t>(old)] = by; }

  void keep(NodeId old, std::span<const NodeId> new_inputs) {
    Node node = from_.node(old);
    node.first_input = static_cast<std::uint32_t>(to_.edges_.size());
    node.input_count = static_cast<std::uint32_t>(new_inputs.size());
    to_.edges_.insert(to_.edges_.end(), new_inputs.begin(), new_inputs.end());
    to_.nodes_.push_back(node);
    replace(old, to_.size() - 1);
  }

  Node& made(NodeId id) { return to_.nodes_[static_cast<std::size_t>(id)]; }
  const Graph& graph() const { return to_; }

  /// True for the option of every node that belongs to no option or to alive ones only.
  static std::vector<bool> alive_nodes(const Graph& graph, const AliveOptions& alive) {
    const auto& options = graph.words_->options;
    std::vector<bool> is_alive(options.size());
    for (std::size_t i = 0; i < options.size(); ++i) {
      const auto& [decision, option, outer] = options[i];
      is_alive[i] = ((alive[static_cast<std::size_t>(decision)] >> option) & 1U) != 0 &&
                    (outer < 0 || is_alive[static_cast<std::size_t>(outer)]);
    }
    return is_alive;
  }

  Graph finish() {
    to_.output_ = (*this)[from_.output_];
    return std::move(to_);
  }

 private:
  const Graph& from_;
  Graph to_;
  std::vector<NodeId> became_;
};

}  // namespace thimble
