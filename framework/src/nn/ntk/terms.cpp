#include "terms.hpp"

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

namespace thimble::ntk {
namespace {

bool has_weight(Op op) { return op == Op::conv || op == Op::linear || op == Op::batch_norm; }

bool is_windowed(Op op) {
  return op == Op::conv || op == Op::linear || op == Op::avg_pool || op == Op::global_avg_pool;
}

/// What terms cannot say, or nothing.
std::string unknown_name(const Node& node) {
  const bool is_relu6 = node.op == Op::relu && node.activation != Activation::relu;
  if (is_relu6) return "relu6";
  if (node.op == Op::max_pool || node.op == Op::concat || node.op == Op::softmax ||
      node.op == Op::mask)
    return name_of(node.op);
  return node.op != Op::relu && node.activation != Activation::none ? "fused ReLUs" : "";
}

class Walk {
 public:
  explicit Walk(const Graph& graph) : graph_{graph} {
    const auto count = static_cast<std::size_t>(graph.size());
    terms_.into.resize(count);
    terms_.norms.resize(count);
    terms_.is_wanted.resize(count);
    terms_.readers.resize(count);
    terms_.uses.resize(count);
  }

  Terms walk() {
    count_edges();
    std::vector<bool> is_stored(static_cast<std::size_t>(graph_.size()));
    is_stored[at(graph_.output())] = true;
    for (NodeId id = graph_.output(); id >= 0; --id) {
      if (!is_stored[at(id)] && terms_.into[at(id)].empty()) continue;
      if (terms_.is_wanted[at(id)]) descend(id, {.from = id});
    }
    return std::move(terms_);
  }

 private:
  /// Looks at what the output depends on only.
  void count_edges() {
    for (NodeId id = graph_.output(); id >= 0; --id) {
      if (terms_.uses[at(id)] == 0 && id != graph_.output()) continue;
      for (const NodeId input : graph_.inputs(id)) ++terms_.uses[at(input)];
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      bool wanted = has_weight(graph_.node(id).op);
      for (const NodeId input : graph_.inputs(id)) wanted = wanted || terms_.is_wanted[at(input)];
      terms_.is_wanted[at(id)] = wanted;
    }
  }

  bool is_shared(NodeId id) const { return terms_.uses[at(id)] > 1; }

  /// From a node whose cotangent is `term.factor` times the one stored at `term.from`.
  void descend(NodeId id, Term term) {
    const Node& node = graph_.node(id);
    if (node.op != Op::add && node.op != Op::choice) return descend_chain(id, term);
    if (node.op == Op::choice) term.factor /= static_cast<double>(node.input_count);
    for (const NodeId input : graph_.inputs(node)) {
      if (is_shared(input)) {
        finish(input, term);
      } else {
        descend(input, term);
      }
    }
  }

  void descend_chain(NodeId id, Term term) {
    if (graph_.node(id).op == Op::batch_norm) {
      term.norm = id;
      terms_.norms[at(term.from)].push_back(term);
      id = graph_.inputs(id)[0];
      // A pool divides cell by cell, which does not fit into one step with batch norm.
      if (is_shared(id) || graph_.node(id).op == Op::avg_pool) return finish(id, term);
    }
    if (is_windowed(graph_.node(id).op)) {
      term.window = id;
      id = graph_.inputs(id)[0];
      if (is_shared(id)) return finish(id, term);
    }
    if (graph_.node(id).op == Op::relu) {
      term.is_rectified = true;
      id = graph_.inputs(id)[0];
    }
    finish(id, term);
  }

  void finish(NodeId to, Term term) {
    term.to = to;
    const bool has_weights = term.window >= 0 && has_weight(graph_.node(term.window).op);
    if (!terms_.is_wanted[at(to)] && !has_weights) return;
    terms_.into[at(to)].push_back(term);
    ++terms_.readers[at(term.from)];
  }

  const Graph& graph_;
  Terms terms_;
};

}  // namespace

std::string unknown_in(const Graph& graph) {
  std::vector<bool> is_read(static_cast<std::size_t>(graph.size()));
  is_read[at(graph.output())] = true;
  for (NodeId id = graph.output(); id >= 0; --id) {
    if (!is_read[at(id)]) continue;
    if (std::string name = unknown_name(graph.node(id)); !name.empty()) return name;
    for (const NodeId input : graph.inputs(id)) is_read[at(input)] = true;
  }
  return "";
}

Terms terms_of(const Graph& graph) {
  if (const std::string unknown = unknown_in(graph); !unknown.empty())
    throw Error{
        "the tangent kernel with frozen statistics of a network with " + unknown + " is not built",
        "coupled statistics take any network"};
  return Walk{graph}.walk();
}

}  // namespace thimble::ntk
