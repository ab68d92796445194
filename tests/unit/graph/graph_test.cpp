#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <support/problem_of.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/graph.hpp>
#include <thimble/graph/transforms.hpp>

namespace thimble::graph_test {
namespace {

using Ids = std::vector<NodeId>;

/// "input conv+relu add(1,0)": the nodes in order, with what they read and the output marked.
std::string sketch(const Graph& graph) {
  std::string text;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    text += (id > 0 ? " " : "") + std::string{name_of(node.op)};
    if (node.has_bias && node.op == Op::conv) text += "+bias";
    if (node.op != Op::relu && node.activation != Activation::none)
      text += node.activation == Activation::relu ? "+relu" : "+relu6";
    text += '(';
    for (const NodeId input : graph.inputs(id)) text += std::to_string(input) + ",";
    if (text.back() == ',') text.pop_back();
    text += id == graph.output() ? ")!" : ")";
  }
  return text;
}

TEST(Graph, InfersShapesFromWindows) {
  Graph g;
  const NodeId x = g.input({3, 32, 16});
  const auto shape = [&](NodeId id) { return g.node(id).shape; };
  EXPECT_EQ(shape(g.conv(x, {.out = 8})), (Shape{8, 32, 16}));
  EXPECT_EQ(shape(g.conv(x, {.out = 8, .kernel = {3, 3}})), (Shape{8, 30, 14}));
  EXPECT_EQ(shape(g.conv(x, {.out = 8, .kernel = {3, 5}, .stride = {2, 1}, .padding = {1, 2}})),
            (Shape{8, 16, 16}));
  EXPECT_EQ(shape(g.conv(x, {.out = 1, .kernel = {32, 16}})), (Shape{1, 1, 1}));
  EXPECT_EQ(shape(g.avg_pool(x, {})), (Shape{3, 16, 8}));
  EXPECT_EQ(shape(g.avg_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}})),
            (Shape{3, 32, 16}));
  EXPECT_EQ(shape(g.batch_norm(x)), (Shape{3, 32, 16}));
  EXPECT_EQ(shape(g.relu(x)), (Shape{3, 32, 16}));
  EXPECT_EQ(shape(g.global_avg_pool(x)), (Shape{3, 1, 1}));
  EXPECT_EQ(shape(g.linear(x, 10)), (Shape{10, 1, 1}));
  EXPECT_EQ(shape(g.add(Ids{x, x})), (Shape{3, 32, 16}));
  EXPECT_EQ(g.node(g.add(x, x)).input_count, 2U);
  EXPECT_EQ(to_string(g.node(x).shape), "3x32x16");
  EXPECT_EQ(g.node(x).shape.elements(), 3 * 32 * 16);
}

TEST(Graph, TakesItsLastNodeAsOutputUntilToldOtherwise) {
  Graph g;
  const NodeId x = g.input({1, 4, 4});
  const NodeId r = g.relu(x);
  EXPECT_EQ(g.output(), r);
  g.set_output(x);
  EXPECT_EQ(g.output(), x);
  EXPECT_THROW(g.set_output(2), Error);
  EXPECT_THROW(g.set_output(-1), Error);
}

TEST(Graph, RefusesShapesThatDoNotFit) {
  Graph g;
  const NodeId x = g.input({4, 8, 8});
  const NodeId y = g.input({4, 4, 4});
  EXPECT_EQ(problem_of([&] { g.conv(x, {.out = 6, .groups = 4}); }),
            "conv '': 4 to 6 channels in 4 groups");
  EXPECT_THROW(g.conv(x, {.out = 4, .groups = 3}), Error);
  EXPECT_THROW(g.conv(x, {.out = 4, .groups = 0}), Error);
  EXPECT_THROW(g.conv(x, {.out = 0}), Error);
  EXPECT_EQ(problem_of([&] {
              g.conv(x, {.out = 4, .kernel = {9, 1}});
            }),
            "conv '': kernel 9, stride 1, padding 0 do not fit 4x8x8");
  EXPECT_THROW(g.conv(x, {.out = 4, .kernel = {0, 1}}), Error);
  EXPECT_THROW(g.conv(x, {.out = 4, .stride = {1, 0}}), Error);
  EXPECT_THROW(g.conv(x, {.out = 4, .padding = {-1, 0}}), Error);
  EXPECT_THROW(g.avg_pool(x, {.kernel = {2, 2}, .padding = {2, 0}}), Error);
  EXPECT_EQ(problem_of([&] { g.add(Ids{x, y}); }), "add '': 4x8x8 and 4x4x4");
  EXPECT_THROW(g.add(Ids{}), Error);
  EXPECT_THROW(g.linear(x, 0), Error);
  EXPECT_THROW(g.input({0, 1, 1}), Error);
  EXPECT_THROW(g.zero({1, -1, 1}), Error);
  for (const NodeId missing : {-1, 99}) {
    EXPECT_EQ(problem_of([&] { g.relu(missing); }), "graph has no node " + std::to_string(missing));
    EXPECT_THROW(g.conv(missing, {.out = 1}), Error);
    EXPECT_THROW(g.add(Ids{x, missing}), Error);
  }
  EXPECT_EQ(g.size(), 2) << "a refused node leaves nothing behind";
}

TEST(Graph, NamesNodesByTheirScope) {
  Graph g;
  const NodeId x = g.input({1, 4, 4});
  NodeId inner = -1;
  {
    const Graph::Scope stage{g, "stage0"};
    {
      const Graph::Scope cell{g, "cell1"};
      inner = g.relu(x);
    }
    EXPECT_TRUE(g.name(g.relu(x)).starts_with("stage0/relu"));
  }
  EXPECT_EQ(g.name(inner), "stage0/cell1/relu1");
  EXPECT_TRUE(g.name(g.relu(x)).starts_with("relu"));
  EXPECT_NE(g.name(x), g.name(inner));
}

TEST(Graph, KeepsCopiesApart) {
  Graph g;
  const NodeId x = g.input({1, 4, 4});
  Graph copy = g;
  const Graph::Scope scope{copy, "copy"};
  copy.relu(x);
  g.batch_norm(x);
  EXPECT_EQ(copy.name(1), "copy/relu1");
  EXPECT_EQ(g.name(1), "batch_norm1");
}

TEST(Graph, RefusesChoicesThatCannotBe) {
  Graph g;
  const NodeId x = g.input({4, 8, 8});
  EXPECT_THROW(g.choice("none", {}), Error);
  const std::vector<Graph::Option> many(65, {"same", [&] { return x; }});
  EXPECT_THROW(g.choice("many", many), Error);
  EXPECT_EQ(problem_of([&] {
              g.choice("shapes",
                       {{"a", [&] { return x; }}, {"b", [&] { return g.conv(x, {.out = 2}); }}});
            }),
            "choice 'shapes': option 'a' gives 4x8x8, option 'b' gives 2x8x8");
  g.choice("op", {{"a", [&] { return x; }}, {"b", [&] { return g.relu(x); }}});
  EXPECT_EQ(problem_of([&] {
              g.choice("op", {{"a", [&] { return x; }}});
            }),
            "choices of 'op' have different options: a, b and a");
}

/// input, then two choices of one decision, a ReLU and a skip each.
Graph twins() {
  Graph g;
  NodeId x = g.input({2, 4, 4});
  for (int i = 0; i < 2; ++i)
    x = g.choice("op", {{"skip", [&] { return x; }}, {"relu", [&] { return g.relu(x); }}});
  return g;
}

/// input; outer: skip, or inner: conv or pool, with a ReLU behind.
Graph nested() {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  g.choice(
      "outer",
      {{"skip", [&] { return x; }},
       {"deep", [&] {
          const NodeId inner = g.choice(
              "inner",
              {{"conv", [&] { return g.conv(x, {.out = 2}); }},
               {"pool", [&] {
                  return g.avg_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
                }}});
          return g.relu(inner);
        }}});
  return g;
}

TEST(Restricted, DecidesChoicesOfOneNameTogether) {
  const Graph g = twins();
  ASSERT_EQ(g.decisions().size(), 1U);
  EXPECT_TRUE(g.is_supernet());
  EXPECT_EQ(sketch(resolved(g, std::vector<int>{0})), "input()!");
  EXPECT_EQ(sketch(resolved(g, std::vector<int>{1})), "input() relu(0) relu(1)!");
  EXPECT_EQ(sketch(restricted(g, all_alive(g))), sketch(g)) << "all alive changes nothing";
}

TEST(Restricted, DropsWhatBelongsToDeadOptions) {
  const Graph g = nested();
  EXPECT_EQ(sketch(g), "input() conv(0) avg_pool(0) choice(1,2) relu(3) choice(0,4)!");
  EXPECT_EQ(sketch(resolved(g, std::vector<int>{0, 0})), "input()!");
  EXPECT_EQ(sketch(resolved(g, std::vector<int>{1, 1})), "input() avg_pool(0) relu(1)!");
  EXPECT_EQ(sketch(restricted(g, {3, 1})), "input() conv(0) relu(1) choice(0,2)!");
  EXPECT_EQ(sketch(restricted(g, {2, 3})), "input() conv(0) avg_pool(0) choice(1,2) relu(3)!");
  EXPECT_EQ(sketch(restricted(restricted(g, {2, 3}), {2, 2})),
            sketch(resolved(g, std::vector<int>{1, 1})))
      << "step by step comes to the same";
}

/// input; one choice between a skip, a ReLU, a convolution and a pool.
Graph four_options() {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  g.choice("op", {{"skip", [&] { return x; }},
                  {"relu", [&] { return g.relu(x); }},
                  {"conv", [&] { return g.conv(x, {.out = 2}); }},
                  {"pool", [&] {
                     return g.avg_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
                   }}});
  return g;
}

TEST(Restricted, MayBeRestrictedAgain) {
  const Graph g = four_options();
  for (std::uint64_t first = 1; first < 16; ++first) {
    for (std::uint64_t second = 1; second < 16; ++second) {
      if ((first & second) == 0) continue;
      SCOPED_TRACE(std::to_string(first) + " then " + std::to_string(second));
      const Graph at_once = restricted(g, {first & second});
      EXPECT_EQ(sketch(restricted(restricted(g, {first}), {second})), sketch(at_once));
      const Node& node = at_once.node(at_once.output());
      EXPECT_EQ(node.alive, node.op == Op::choice ? first & second : 0) << "a bit for each input";
    }
  }
}

TEST(Restricted, RefusesADecisionThatWasTakenOtherwise) {
  const Graph g = four_options();
  EXPECT_EQ(problem_of([&] { restricted(restricted(g, {0b0110}), {0b1001}); }),
            "nothing is left of 'op/choice4': its decision was taken otherwise");
  EXPECT_EQ(problem_of([&] { restricted(restricted(g, {0b0010}), {0b1000}); }),
            "nothing is left of 'op/relu/relu1': its decision was taken otherwise");
}

TEST(Restricted, KeepsNames) {
  const Graph g = nested();
  const Graph pool = resolved(g, std::vector<int>{1, 1});
  EXPECT_EQ(pool.name(1), g.name(2));
  EXPECT_EQ(pool.name(2), g.name(4));
}

TEST(Restricted, RefusesMasksThatFitNoGraph) {
  const Graph g = nested();
  EXPECT_THROW(restricted(g, {3}), Error);
  EXPECT_THROW(restricted(g, {0, 1}), Error);
  EXPECT_THROW(restricted(g, {4, 1}), Error);
}

TEST(AllAlive, HasABitForEveryOption) {
  EXPECT_EQ(all_alive(nested()), (AliveOptions{3, 3}));
  Graph g;
  const NodeId x = g.input({1, 1, 1});
  std::vector<Graph::Option> options;
  for (int i = 0; i < 64; ++i) options.push_back({std::to_string(i), [&] { return x; }});
  g.choice("wide", options);
  EXPECT_EQ(all_alive(g), AliveOptions{~std::uint64_t{0}});
}

TEST(IsConnected, AsksForAPathFromTheInput) {
  Graph g;
  const NodeId x = g.input({1, 4, 4});
  const NodeId z = g.zero({1, 4, 4});
  EXPECT_FALSE(is_connected(g)) << "the output is the zero";
  g.relu(z);
  EXPECT_FALSE(is_connected(g)) << "and what is made of it";
  g.add(Ids{z, x});
  EXPECT_TRUE(is_connected(g));
  Graph only;
  only.input({1, 1, 1});
  EXPECT_TRUE(is_connected(only));
}

TEST(Live, DropsZeroBranchesAndDeadEnds) {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  const NodeId z = g.zero({2, 4, 4});
  const NodeId of_zero = g.batch_norm(g.relu(z));
  const NodeId kept = g.conv(x, {.out = 2});
  g.relu(kept);  // a dead end
  const NodeId sum = g.add(Ids{of_zero, kept, x});
  const NodeId single = g.add(Ids{z, sum});
  g.set_output(single);
  EXPECT_EQ(sketch(live(g)), "input() conv(0) add(1,0)!");
  EXPECT_EQ(live(g).name(1), g.name(kept));
}

TEST(Live, KeepsRepeatedTerms) {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  g.add(Ids{x, x});
  EXPECT_EQ(sketch(live(g)), "input() add(0,0)!") << "x + x is not x";
}

TEST(Live, KeepsZerosInTheMeanOfAChoice) {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  g.choice("op", {{"none",
                   [&] {
                     return g.batch_norm(g.zero({2, 4, 4}));
                   }},
                  {"skip", [&] { return x; }}});
  EXPECT_EQ(sketch(live(g)), "input() zero() choice(1,0)!");
}

TEST(Live, KeepsZerosForTheChannelsOfAConcatenation) {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  const NodeId constant = g.relu(g.zero({3, 4, 4}));
  g.conv(g.concat(Ids{constant, x, constant}), {.out = 4});
  const Graph made = live(g);
  EXPECT_EQ(sketch(made), "input() zero() concat(1,0,1) conv(2)!");
  EXPECT_EQ(made.node(1).shape, (Shape{3, 4, 4}));
}

TEST(Live, RefusesADisconnectedGraph) {
  Graph g;
  g.input({1, 1, 1});
  g.zero({1, 1, 1});
  EXPECT_EQ(problem_of([&] { live(g); }), "no path from the input to the output");
}

TEST(Deployed, FoldsBatchNormAndFusesRelu) {
  Graph g;
  NodeId x = g.input({2, 8, 8});
  x = g.relu(g.batch_norm(g.conv(x, {.out = 4, .kernel = {3, 3}})));
  x = g.relu(g.avg_pool(x, {}));
  x = g.relu(g.add(Ids{x, x}));
  x = g.relu(g.linear(g.global_avg_pool(x), 5));
  EXPECT_EQ(sketch(deployed(g)),
            "input() conv+bias+relu(0) avg_pool+relu(1) add+relu(2,2) global_avg_pool(3) "
            "linear+relu(4)!");
}

TEST(Deployed, LeavesAReluWithOtherReadersAlone) {
  Graph g;
  const NodeId x = g.input({2, 8, 8});
  const NodeId c = g.conv(x, {.out = 2});
  g.add(Ids{g.relu(c), c});
  EXPECT_EQ(sketch(deployed(g)), "input() conv(0) relu(1) add(2,1)!");
  Graph output;
  const NodeId y = output.conv(output.input({2, 8, 8}), {.out = 2});
  output.relu(y);
  output.set_output(y);
  EXPECT_EQ(sketch(deployed(output)), "input() conv(0)!") << "the caller reads the output";
}

TEST(Deployed, KeepsReluAndBatchNormThatHaveNobodyToJoin) {
  Graph g;
  g.relu(g.batch_norm(g.relu(g.input({2, 8, 8}))));
  EXPECT_EQ(sketch(deployed(g)), "input() relu(0) batch_norm(1) relu(2)!");
  Graph twice;
  twice.batch_norm(twice.relu(twice.conv(twice.input({2, 8, 8}), {.out = 2})));
  EXPECT_EQ(sketch(deployed(twice)), "input() conv+relu(0) batch_norm(1)!")
      << "behind the ReLU it cannot be folded";
}

TEST(Deployed, MergesEqualReluAndPools) {
  Graph g;
  const NodeId x = g.input({2, 8, 8});
  const Graph::Pool same{.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}};
  const NodeId a = g.conv(g.relu(x), {.out = 2});
  const NodeId b = g.conv(g.relu(x), {.out = 2});
  g.add(Ids{a, b, g.avg_pool(x, same), g.avg_pool(x, same)});
  EXPECT_EQ(sketch(deployed(g)), "input() relu(0) conv(1) conv(1) avg_pool(0) add(2,3,4,4)!")
      << "convolutions have weights of their own";
  Graph other;
  const NodeId y = other.input({2, 8, 8});
  const NodeId narrow = other.avg_pool(y, {.kernel = {1, 1}, .stride = {1, 1}});
  other.add(Ids{narrow, other.avg_pool(y, same)});
  EXPECT_EQ(sketch(deployed(other)), "input() avg_pool(0) avg_pool(0) add(1,2)!");
}

TEST(Deployed, MergesChainsOfEqualNodes) {
  Graph g;
  const NodeId x = g.input({2, 8, 8});
  const NodeId a = g.relu(g.avg_pool(x, {}));
  const NodeId b = g.relu(g.avg_pool(x, {}));
  g.add(Ids{a, b});
  EXPECT_EQ(sketch(deployed(g)), "input() avg_pool+relu(0) add(1,1)!");
}

TEST(Deployed, RefusesOpenChoices) {
  EXPECT_EQ(problem_of([] { deployed(nested()); }),
            "a network with open choices cannot be deployed");
}

TEST(Deployed, LeavesTheGraphItCameFromAlone) {
  Graph g;
  g.relu(g.batch_norm(g.conv(g.input({2, 8, 8}), {.out = 4})));
  const std::string before = sketch(g);
  deployed(g);
  EXPECT_EQ(sketch(g), before);
}

}  // namespace
}  // namespace thimble::graph_test
