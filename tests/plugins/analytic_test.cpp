// The analytic board against hand calculations.

#include <array>
#include <cmath>
#include <regex>

#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware.hpp>
#include <thimble/search/uncosted.hpp>
#include <thimble/search_space.hpp>

namespace thimble::analytic_test {
namespace {

class Analytic : public ::testing::Test {
 protected:
  static std::unique_ptr<Hardware> board(const std::string& name) {
    static PluginLoader loader = testing::plugins();
    return testing::make<Hardware>(loader, "analytic", "{board: " + name + "}");
  }

  /// The last operator of a network with the input 16x32x32.
  template <class Build>
  static OpCost last_op(const Hardware& hardware, Build build) {
    Graph graph;
    build(graph, graph.input({16, 32, 32}));
    const Graph ready = deployed(graph);
    return hardware.op_cost(ready, ready.node(ready.output()));
  }
};

constexpr std::array kBoards{"nucleo_f746zg", "nucleo_f446re", "nucleo_l552zeq", "nrf5340_dk",
                             "imxrt1062_evk"};

TEST_F(Analytic, CostsAllFamiliesOfSuperblocks) {
  PluginLoader loader = testing::plugins();
  for (const char* const parameters : {"{channels: 3, height: 32, width: 32, classes: 10}",
                                       "{channels: 1, height: 128, width: 9, classes: 6, families: "
                                       "[inception_time, mbednet_1d, cnn_1d]}"}) {
    const auto space = testing::make<SearchSpace>(loader, "superblocks", parameters);
    for (const char* const name : kBoards)
      EXPECT_EQ(uncosted_at_random(*space, *board(name), "analytic"), "") << name;
  }
}

TEST_F(Analytic, TakesMaxPoolsForAveragesAndConcatenationsForCopies) {
  const auto f446 = board("nucleo_f446re");
  const auto pooled = [&](auto pool) {
    return last_op(*f446, [pool](Graph& g, NodeId x) {
      (g.*pool)(x, {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}});
    });
  };
  const OpCost most = pooled(&Graph::max_pool);
  EXPECT_EQ(most.latency_ms, pooled(&Graph::avg_pool).latency_ms);
  EXPECT_EQ(most.relative_error, 0.5);
  const OpCost joined = last_op(*f446, [](Graph& g, NodeId x) {
    const std::array<NodeId, 2> parts{x, g.conv(x, {.out = 8})};
    g.concat(parts);
  });
  EXPECT_NEAR(joined.latency_ms * 180e3, 500 + 45.4 * 2 * 1024 + 0.71 * 24 * 1024, 1);
}

TEST_F(Analytic, AgreesWithHandCalculationsOnTheF446RE) {
  const auto f446 = board("nucleo_f446re");
  constexpr double kCyclesPerMs = 180e3;
  const OpCost conv3 = last_op(*f446, [](Graph& g, NodeId x) {
    g.batch_norm(g.conv(x, {.out = 16, .kernel = {3, 3}, .padding = {1, 1}}));
  });
  EXPECT_NEAR(conv3.latency_ms * kCyclesPerMs, 9'309'419, 20);
  EXPECT_EQ(conv3.scratch_bytes, 2 * 2 * 144);  // two im2col columns of int16
  const OpCost conv1 =
      last_op(*f446, [](Graph& g, NodeId x) { g.batch_norm(g.conv(x, {.out = 16})); });
  EXPECT_NEAR(conv1.latency_ms * kCyclesPerMs, 1'461'292, 20);
  const OpCost add = last_op(*f446, [](Graph& g, NodeId x) {
    const std::array<NodeId, 2> terms{x, g.batch_norm(g.conv(x, {.out = 16}))};
    g.add(terms);
  });
  EXPECT_NEAR(add.latency_ms * kCyclesPerMs, 2'242'335, 20);
}

TEST_F(Analytic, AddsUpOperatorsAndKeepsTheLargestMomentInRam) {
  const auto f446 = board("nucleo_f446re");
  Graph graph;
  const NodeId x = graph.input({16, 32, 32});
  graph.batch_norm(graph.conv(x, {.out = 16, .kernel = {3, 3}, .padding = {1, 1}}));
  const Cost cost = f446->cost(graph);
  const Graph ready = deployed(graph);
  double sum = f446->target().inference_latency_ms;
  for (const Node& node : ready.nodes()) sum += f446->op_cost(ready, node).latency_ms;
  EXPECT_NEAR(cost.latency_ms.value, sum, 1e-9);
  EXPECT_GE(cost.ram_bytes.value, 2 * 16 * 32 * 32);
  EXPECT_TRUE(std::isnan(cost.energy_mj.value)) << "its power is unknown, so its energy is too";
}

/// A latency is no better than the least trustworthy operator in it, and says whose it is.
TEST_F(Analytic, SaysWhatItsLatenciesRestOn) {
  const auto f446 = board("nucleo_f446re");
  EXPECT_EQ(f446->target().runtime, "TFLM with CMSIS-NN of December 2021");
  Graph graph;
  const NodeId x = graph.input({16, 64, 9});
  const NodeId conv = graph.conv(x, {.out = 16, .kernel = {3, 1}, .padding = {1, 0}});
  EXPECT_EQ(f446->cost(graph).latency_ms.origin, Origin::fitted);
  EXPECT_NEAR(f446->cost(graph).latency_ms.relative_error, 0.05, 0.001);
  for (const auto& [kernel, channels] : {std::pair{Extent{3, 3}, 16}, {Extent{3, 1}, 64}}) {
    Graph other;  // a window, and a size, that nobody measured there
    other.conv(other.input({16, 64, 9}), {.out = channels, .kernel = kernel, .padding = {1, 0}});
    EXPECT_EQ(f446->cost(other).latency_ms.origin, Origin::guessed);
    EXPECT_NEAR(f446->cost(other).latency_ms.relative_error, 0.5, 0.01);
  }
  graph.max_pool(conv, {});
  EXPECT_EQ(f446->cost(graph).latency_ms.origin, Origin::guessed);
  EXPECT_EQ(f446->target().remark, "operators that were not measured are in it");
}

/// Every shipped board states at least what a guess may, where nothing was measured on it.
TEST_F(Analytic, GuessesWidely) {
  for (const char* const name : kBoards) {
    const auto hardware = board(name);
    if (hardware->target().latency_origin != Origin::guessed) continue;
    const OpCost conv = last_op(*hardware, [](Graph& g, NodeId x) { g.conv(x, {.out = 8}); });
    EXPECT_GE(conv.relative_error, 0.5) << name;
  }
  EXPECT_EQ(board("nucleo_f746zg")->target().latency_origin, Origin::guessed);
}

TEST_F(Analytic, KnowsItsBoards) {
  for (const char* const name : kBoards)
    EXPECT_GT(board(name)->target().ram_bytes, 64 * 1024) << name;
  try {
    board("nucleo_f746zgg");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(std::string{error.what()}, ::testing::HasSubstr("did you mean 'nucleo_f746zg'?"));
  }
}

TEST_F(Analytic, RefusesFiguresThatArithmeticCannotHold) {
  const std::string text =
      read_file(std::string{THIMBLE_TEST_SOURCE} + "/framework/boards/nucleo_f446re.yaml");
  for (const char* const key : {"dispatch_cycles", "per_mac", "rom_bytes_per_channel"}) {
    const testing::TemporaryFolder folder;
    const auto file = folder.path() / "nucleo_f446re.yaml";
    write_file(file, std::regex_replace(text, std::regex{std::string{key} + ": [0-9.e-]+"},
                                        std::string{key} + ": 1e15",
                                        std::regex_constants::format_first_only));
    EXPECT_THAT([&] { board(file.string()); },
                ::testing::ThrowsMessage<InputError>(::testing::HasSubstr(key)));
  }
}

}  // namespace
}  // namespace thimble::analytic_test
