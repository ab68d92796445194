#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/graph/blocks.hpp>
#include <thimble/graph/transforms.hpp>

#include "support/cells.hpp"

namespace thimble::blocks_test {
namespace {

/// A stem and two cells with these six edges each, and a classifier.
Graph cells(const std::vector<test::EdgeOptions>& edges) {
  Graph g;
  NodeId x = g.input({3, 8, 8});
  {
    const Graph::Scope scope{g, "stem"};
    x = g.batch_norm(g.conv(x, {.out = 4}));
  }
  for (const std::string name : {"cell0", "cell1"}) {
    const Graph::Scope stage{g, "stage"};
    const Graph::Scope scope{g, name};
    x = test::cell(g, x, edges);
  }
  g.linear(g.global_avg_pool(g.relu(x)), 10);
  return g;
}

/// Around the blocks' outputs, without those of edges.
std::vector<std::string> scopes(const Graph& graph) {
  std::vector<std::string> names;
  for (const NodeId id : block_outputs(graph)) {
    const std::string& name = graph.name(id);
    names.push_back(name.substr(0, std::min(name.find("/edge"), name.rfind('/'))));
  }
  return names;
}

const std::vector<std::string> kStemAndCells{"stem", "stage/cell0", "stage/cell1"};

TEST(Blocks, AreTheInnermostScopes) {
  const Graph g = cells(test::every_edge({"nor_conv_1x1"}));
  EXPECT_EQ(scopes(g), kStemAndCells);
  const auto outputs = block_outputs(g);
  EXPECT_EQ(g.node(outputs[0]).op, Op::batch_norm);
  EXPECT_EQ(g.node(outputs[1]).op, Op::add);
}

TEST(Blocks, AreTheSameForCellsWithoutBranches) {
  const std::vector<test::EdgeOptions> chain{{"nor_conv_3x3"}, {"none"}, {"nor_conv_1x1"},
                                             {"none"},         {"none"}, {"skip_connect"}};
  const Graph g = live(cells(chain));
  EXPECT_EQ(scopes(g), kStemAndCells);
  EXPECT_EQ(g.node(block_outputs(g)[1]).op, Op::batch_norm);
}

TEST(Blocks, DoNotMindDeadEndsAndChoices) {
  std::vector<test::EdgeOptions> edges = test::every_edge({"none"});
  edges[0] = {"nor_conv_3x3"};  // which nobody goes on from
  edges[3] = {"nor_conv_1x1"};
  EXPECT_EQ(scopes(cells(edges)), kStemAndCells);
  EXPECT_EQ(scopes(cells(test::every_edge({"none", "skip_connect", "nor_conv_1x1"}))),
            kStemAndCells);
}

TEST(Blocks, AreTheSameForEveryCellOfASpace) {
  std::vector<test::EdgeOptions> edges = test::every_edge({"none", "skip_connect"});
  edges[0] = edges[2] = {"nor_conv_1x1", "nor_conv_3x3"};
  const Graph supernet = cells(edges);
  EXPECT_EQ(scopes(supernet), kStemAndCells);
  EXPECT_EQ(scopes(live(resolved(supernet, std::vector<int>{0, 0, 1, 0, 0, 1}))), kStemAndCells);
  EXPECT_EQ(scopes(live(resolved(supernet, std::vector<int>{1, 1, 0, 1, 0, 1}))), kStemAndCells);
}

TEST(Blocks, LeaveOutWhatDoesNothing) {
  std::vector<test::EdgeOptions> identity = test::every_edge({"none"});
  identity[3] = {"skip_connect"};
  EXPECT_EQ(scopes(live(cells(identity))), (std::vector<std::string>{"stem"}));
}

TEST(Blocks, LeaveOutWhatIsPassedBy) {
  Graph g;
  const NodeId x = g.input({3, 8, 8});
  NodeId inner = -1;
  {
    const Graph::Scope scope{g, "branch"};
    inner = g.conv(x, {.out = 3});
  }
  {
    const Graph::Scope scope{g, "sum"};
    g.add(std::vector<NodeId>{x, inner});
  }
  EXPECT_EQ(scopes(g), (std::vector<std::string>{"sum"}));
}

TEST(Blocks, AreSingleNodesWithoutScopes) {
  Graph g;
  const NodeId conv = g.conv(g.input({3, 8, 8}), {.out = 3});
  const NodeId norm = g.batch_norm(conv);
  const NodeId sum = g.add(std::vector<NodeId>{conv, norm});
  g.linear(g.global_avg_pool(sum), 10);
  EXPECT_EQ(block_outputs(g), (std::vector<NodeId>{conv, sum}));
}

}  // namespace
}  // namespace thimble::blocks_test
