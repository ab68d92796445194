#include "terms.hpp"

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>

namespace thimble::ntk {
namespace {

bool has_weight(Op op) { return op == Op::conv || op == Op::linear || op == Op::batch_norm; }

bool is_windowed(Op op) {
  return op == Op::conv || op == Op::linear || op == Op::avg_pool || op == Op::global_avg_pool;
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
      require_known(graph_.node(id));
      for (const NodeId input : graph_.inputs(id)) ++terms_.uses[at(input)];
    }
    for (NodeId id = 0; id < graph_.size(); ++id) {
      bool wanted = has_weight(graph_.node(id).op);
      for (const NodeId input : graph_.inputs(id)) wanted = wanted || terms_.is_wanted[at(input)];
      terms_.is_wanted[at(id)] = wanted;
    }
  }

  static void require_known(const Node& node) {
    const bool is_relu6 = node.op == Op::relu && node.activation != Activation::relu;
    if (is_relu6 || node.op == Op::max_pool || node.op == Op::concat || node.op == Op::softmax ||
        node.op == Op::mask)
      throw Error{fmt::format("the tangent kernel of a network with {} is not built",
                              is_relu6 ? "relu6" : name_of(node.op))};
    if (node.op != Op::relu && node.activation != Activation::none)
      throw Error{"the tangent kernel of a deployed graph"};
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

Terms terms_of(const Graph& graph) { return Walk{graph}.walk(); }

}  // namespace thimble::ntk
