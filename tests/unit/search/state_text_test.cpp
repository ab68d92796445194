#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search/scoring.hpp>

namespace thimble::state_text_test {
namespace {

Graph supernet() {
  Graph graph;
  NodeId at = graph.input({3, 8, 8});
  for (const char* const name : {"edge_0_1", "edge_0_2"})
    at = graph.choice(name, {{"skip", [&, at] { return at; }},
                             {"relu", [&, at] { return graph.relu(at); }},
                             {"pool", [&, at] {
                                return graph.avg_pool(at, {{3, 3}, {1, 1}, {1, 1}});
                              }}});
  graph.set_output(graph.linear(graph.global_avg_pool(at), 10));
  return graph;
}

TEST(StateText, IsReadBackAsTheStateItWasWrittenOf) {
  const Graph graph = supernet();
  for (std::uint64_t first = 1; first < 8; ++first)
    for (std::uint64_t second = 1; second < 8; ++second) {
      const AliveOptions alive{first, second};
      EXPECT_EQ(parse_state(graph, state_text(graph, alive)), alive);
    }
}

TEST(StateText, WhatIsNoneIsRefused) {
  const Graph graph = supernet();
  for (const char* const text :
       {"", "edge_0_1={skip}", "edge_0_1={skip},edge_0_2={conv}", "edge_0_2={skip},edge_0_1={relu}",
        "edge_0_1={skip},edge_0_2={relu},", "}={,}={"})
    EXPECT_THROW(parse_state(graph, text), InputError) << text;
}

}  // namespace
}  // namespace thimble::state_text_test
