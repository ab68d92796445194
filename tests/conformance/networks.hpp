#pragma once

#include <array>
#include <string>
#include <utility>
#include <vector>

#include <thimble/graph/graph.hpp>

/// Small networks that every proxy can score and every target can run.
namespace thimble::conformance {

inline NodeId conv_bn_relu(Graph& g, NodeId x, int out) {
  return g.relu(g.batch_norm(g.conv(x, {.out = out, .kernel = {3, 3}, .padding = {1, 1}})));
}

inline NodeId classifier(Graph& g, NodeId x) { return g.linear(g.global_avg_pool(x), 4); }

/// `depth` convolutions, one behind the other.
inline Graph plain_network(int depth) {
  Graph g;
  NodeId x = g.input({3, 8, 8});
  for (int i = 0; i < depth; ++i) x = conv_bn_relu(g, x, 8);
  classifier(g, x);
  return g;
}

/// A cell as search spaces have them: two paths and a skip, added up.
inline Graph residual_network() {
  Graph g;
  const NodeId stem = conv_bn_relu(g, g.input({3, 8, 8}), 8);
  const NodeId deep = conv_bn_relu(g, conv_bn_relu(g, stem, 8), 8);
  const NodeId pooled = g.avg_pool(stem, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
  const std::array terms{stem, deep, pooled};
  classifier(g, conv_bn_relu(g, g.add(terms), 8));
  return g;
}

/// The same with a choice in place of each path.
inline Graph supernet() {
  Graph g;
  NodeId x = conv_bn_relu(g, g.input({3, 8, 8}), 8);
  for (const std::string decision : {"first", "second"}) {
    const NodeId from = x;
    x = g.choice(decision, {{"skip", [&] { return from; }},
                            {"conv", [&] { return conv_bn_relu(g, from, 8); }},
                            {"zero", [&] { return g.zero(g.node(from).shape); }}});
    const std::array terms{from, x};
    x = g.add(terms);
  }
  classifier(g, conv_bn_relu(g, x, 8));
  return g;
}

using NamedGraph = std::pair<std::string, Graph>;

inline std::vector<NamedGraph> single_networks() {
  return {{"one convolution", plain_network(1)},
          {"three convolutions", plain_network(3)},
          {"a residual cell", residual_network()}};
}

}  // namespace thimble::conformance
