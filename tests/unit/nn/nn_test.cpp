#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <type_traits>

#include <malloc.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <thimble/core/error.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/ntk/ntk.hpp>
#include <thimble/nn/patterns.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "support/cells.hpp"

namespace thimble {
namespace {

at::Tensor images(const Graph& graph, int batch, at::ScalarType precision = at::kDouble,
                  std::uint64_t seed = 7) {
  const Shape& shape = graph.node(0).shape;
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn({batch, shape.channels, shape.height, shape.width}, generator, at::kFloat)
      .to(precision);
}

Network network(const Graph& graph, at::ScalarType precision = at::kDouble,
                std::uint64_t seed = 1) {
  Network made{graph, precision};
  made.initialise(Init::torch_default, seed, "test");
  return made;
}

/// Of batch norms, which start at 1 and 0.
void draw_scales_and_shifts(Network& net) {
  auto generator = at::detail::createCPUGenerator(3);
  for (NodeId id = 0; id < net.graph().size(); ++id) {
    if (net.graph().node(id).op != Op::batch_norm) continue;
    net.parameters(id).weight.uniform_(-1.0, 2.0, generator);
    net.parameters(id).weight[0].zero_();
    net.parameters(id).bias.uniform_(-1.0, 1.0, generator);
  }
}

double relative_error(const at::Tensor& value, const at::Tensor& truth) {
  const double scale = truth.abs().max().item<double>();
  return (value - truth).abs().max().item<double>() / (scale > 0.0 ? scale : 1.0);
}

/// Every way from the input to the output goes through small graphs like these.
struct Case {
  std::string name;
  Graph graph;
  int batch = 4;
};

Graph linear_only() {
  Graph g;
  g.linear(g.input({3, 2, 2}), 5);
  return g;
}

/// The operators that the tangent kernel does not know.
Graph joined() {
  Graph g;
  const NodeId x = g.conv(g.input({3, 9, 7}), {.out = 4, .kernel = {3, 3}, .padding = {1, 1}});
  const NodeId a = g.relu(g.batch_norm(x), Activation::relu6);
  const NodeId b = g.max_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
  const NodeId both = g.concat({{a, b}});
  g.softmax(g.linear(g.global_avg_pool(g.max_pool(both, {})), 5));
  return g;
}

Graph two_linear_layers() {
  Graph g;
  g.linear(g.relu(g.linear(g.input({2, 3, 3}), 7)), 4);
  return g;
}

Graph biased_convolutions() {
  Graph g;
  NodeId x = g.input({2, 6, 5});
  x = g.conv(x, {.out = 4, .kernel = {3, 2}, .padding = {1, 0}, .bias = true});
  x = g.conv(g.relu(x), {.out = 3, .kernel = {1, 3}, .stride = {1, 2}, .bias = true});
  g.linear(x, 3);
  return g;
}

Graph grouped_convolutions() {
  Graph g;
  NodeId x = g.input({4, 7, 7});
  x = g.batch_norm(g.conv(x, {.out = 6, .kernel = {3, 3}, .padding = {1, 1}, .groups = 2}));
  x = g.relu(x);
  x = g.batch_norm(
      g.conv(x, {.out = 6, .kernel = {5, 5}, .stride = {2, 2}, .padding = {2, 2}, .groups = 6}));
  x = g.conv(g.relu(x), {.out = 5, .kernel = {1, 1}});
  g.linear(g.global_avg_pool(g.relu(g.batch_norm(x))), 3);
  return g;
}

Graph strange_windows() {
  Graph g;
  NodeId x = g.input({2, 11, 9});
  x = g.batch_norm(g.conv(x, {.out = 3, .kernel = {4, 7}, .stride = {3, 2}, .padding = {2, 4}}));
  const NodeId pooled =
      g.avg_pool(g.relu(x), {.kernel = {3, 3}, .stride = {2, 1}, .padding = {1, 1}});
  x = g.batch_norm(g.avg_pool(pooled, {.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 0}}));
  x = g.conv(x, {.out = 4, .kernel = {1, 1}, .stride = {2, 2}, .padding = {1, 1}});
  g.linear(g.relu(x), 2);
  return g;
}

/// Batch norms and ReLUs with several readers, an addition of one, one that adds a node twice.
Graph shared_nodes() {
  Graph g;
  const NodeId x = g.input({3, 5, 5});
  const NodeId stem = g.batch_norm(g.conv(x, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}}));
  const NodeId positive = g.relu(stem);
  const NodeId a = g.conv(positive, {.out = 4});
  const NodeId b = g.conv(positive, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}});
  const NodeId twice = g.add(std::vector<NodeId>{a, b, a});
  const NodeId normed = g.batch_norm(twice);
  const NodeId one = g.add(std::vector<NodeId>{normed});
  const NodeId sum = g.add(std::vector<NodeId>{one, normed, stem, positive});
  const NodeId renormed = g.batch_norm(g.add(std::vector<NodeId>{g.relu(sum), twice}));
  g.linear(g.global_avg_pool(g.batch_norm(g.relu(renormed))), 4);
  return g;
}

/// A biased convolution of zeros still feeds its reader.
Graph fed_by_zeros() {
  Graph g;
  const NodeId x = g.input({2, 4, 4});
  const NodeId nothing = g.zero({2, 4, 4});
  const NodeId constant = g.conv(nothing, {.out = 3, .bias = true});
  const NodeId a = g.conv(constant, {.out = 3, .bias = true});
  const NodeId b = g.batch_norm(g.conv(g.relu(x), {.out = 3}));
  const NodeId dead = g.conv(b, {.out = 9});
  static_cast<void>(dead);
  const NodeId c = g.batch_norm(g.conv(g.batch_norm(nothing), {.out = 3}));
  g.linear(g.add(std::vector<NodeId>{a, b, c}), 2);
  return g;
}

/// No classifier: all elements of the last image are summed up.
Graph image_output() {
  Graph g;
  const NodeId x = g.batch_norm(g.input({2, 4, 4}));
  const NodeId y = g.batch_norm(g.conv(x, {.out = 2}));
  g.add(std::vector<NodeId>{g.relu(x), g.relu(y)});
  return g;
}

std::vector<Case> cases() {
  using test::every_edge;
  using test::nas_bench_201;
  std::vector<Case> made{{"linear", linear_only(), 3},
                         {"two linear layers", two_linear_layers(), 5},
                         {"biased convolutions", biased_convolutions(), 4},
                         {"grouped convolutions", grouped_convolutions(), 6},
                         {"strange windows", strange_windows(), 4},
                         {"shared nodes", shared_nodes(), 3},
                         {"fed by zeros", fed_by_zeros(), 4},
                         {"image output", image_output(), 4}};
  for (const char* name : {"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"})
    made.push_back({name, nas_bench_201(every_edge({name}), 3, 8), 4});
  const std::vector<test::EdgeOptions> mixed{{"nor_conv_3x3"}, {"none"},         {"avg_pool_3x3"},
                                             {"none"},         {"skip_connect"}, {"nor_conv_1x1"}};
  made.push_back({"mixed cell", nas_bench_201(mixed, 4, 8), 8});
  made.push_back({"wide cell, channels last", nas_bench_201(mixed, 16, 8), 8});
  const auto all =
      every_edge({"none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"});
  made.push_back({"supernet", nas_bench_201(all, 3, 8), 2});
  made.push_back({"supernet, two blocks of lanes", nas_bench_201(all, 2, 8), 19});
  const Graph pruned = restricted(nas_bench_201(all, 3, 8), {0b11111, 1, 0b110, 0b10010, 8, 0b11});
  made.push_back({"pruned supernet", pruned, 5});
  return made;
}

/// Batch norm with the batch's statistics taken as constants, which is what `frozen` means.
at::Tensor frozen_gram(const Network& given, const at::Tensor& x) {
  const at::AutoGradMode with_grad{true};
  Network copy = given.clone();
  std::vector<at::Tensor> leaves;
  const Graph& g = copy.graph();
  for (NodeId id = 0; id < g.size(); ++id) {
    auto& weight = copy.parameters(id).weight;
    if (!weight.defined()) continue;
    weight = weight.detach().clone().requires_grad_();
    leaves.push_back(weight);
  }
  // A graph of one operator at a time, run with autograd, but for batch norm.
  std::vector<at::Tensor> out;
  for (NodeId id = 0; id < g.size(); ++id) {
    const Node& node = g.node(id);
    const auto& [weight, bias] = copy.parameters(id);
    const auto in = [&](std::size_t i = 0) {
      return out[static_cast<std::size_t>(g.inputs(id)[i])];
    };
    switch (node.op) {
      case Op::input: out.push_back(x); break;
      case Op::conv:
        out.push_back(at::conv2d(in(), weight, bias, {node.stride.height, node.stride.width},
                                 {node.padding.height, node.padding.width}, 1, node.groups));
        break;
      case Op::batch_norm: {
        const auto mean = in().detach().mean({0, 2, 3}, true);
        const auto variance = (in().detach() - mean).pow(2).mean({0, 2, 3}, true);
        const auto normalised = (in() - mean) / (variance + 1e-5).sqrt();
        out.push_back(normalised * weight.view({1, -1, 1, 1}) + bias.view({1, -1, 1, 1}));
        break;
      }
      case Op::relu: out.push_back(in().relu()); break;
      case Op::avg_pool:
        out.push_back(at::avg_pool2d(in(), {node.kernel.height, node.kernel.width},
                                     {node.stride.height, node.stride.width},
                                     {node.padding.height, node.padding.width}, false, false));
        break;
      case Op::global_avg_pool: out.push_back(in().mean({2, 3}, true)); break;
      case Op::linear: out.push_back(at::linear(in().flatten(1), weight, bias)); break;
      case Op::zero: out.push_back(at::zeros_like(out[0])); break;
      case Op::add:
      case Op::choice: {
        auto sum = in();
        for (std::size_t i = 1; i < node.input_count; ++i) sum = sum + in(i);
        out.push_back(node.op == Op::choice ? sum / static_cast<double>(node.input_count) : sum);
        break;
      }
      default: ADD_FAILURE() << name_of(node.op);
    }
  }
  std::vector<at::Tensor> rows;
  for (std::int64_t b = 0; b < x.size(0); ++b) {
    std::vector<at::Tensor> row;
    for (const auto& part :
         torch::autograd::grad({out.back()[b].sum()}, leaves, {}, true, false, true))
      if (part.defined()) row.push_back(part.flatten());
    rows.push_back(at::cat(row));
  }
  const auto jacobian = at::stack(rows).detach();
  return jacobian.mm(jacobian.t());
}

TEST(Ntk, EqualsTheGramMatrixByRows) {
  for (const Case& c : cases()) {
    const Network net = network(c.graph);
    const at::Tensor x = images(c.graph, c.batch);
    const at::Tensor truth = ntk_gram_by_rows(net, x);
    const at::Tensor gram = ntk_gram(net, x, SampleCoupling::coupled);
    if (c.name != "none") {
      EXPECT_GT(truth.abs().max().item<double>(), 0.0) << c.name;
    }
    EXPECT_LT(relative_error(gram, truth), 1e-10) << c.name;
  }
}

TEST(Ntk, UsesWhateverScalesAndShiftsBatchNormHas) {
  const Graph graph = shared_nodes();
  Network net = network(graph);
  draw_scales_and_shifts(net);
  const at::Tensor x = images(graph, 5);
  EXPECT_LT(relative_error(ntk_gram(net, x, SampleCoupling::coupled), ntk_gram_by_rows(net, x)),
            1e-10);
}

TEST(Ntk, FrozenEqualsAutogradWithConstantStatistics) {
  const auto supernet = test::nas_bench_201(
      test::every_edge({"skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}), 3, 8);
  for (const Graph& graph : {supernet, grouped_convolutions(), strange_windows()}) {
    const Network net = network(graph);
    const at::Tensor x = images(graph, 5);
    const at::Tensor truth = frozen_gram(net, x);
    EXPECT_LT(relative_error(ntk_gram(net, x, SampleCoupling::frozen), truth), 1e-10);
    EXPECT_GT(relative_error(ntk_gram(net, x, SampleCoupling::coupled), truth), 1e-6);
  }
}

TEST(Ntk, OfALinearNetworkIsTheGramMatrixOfTheInputs) {
  // f_k(x) = w_k x + b_k, so g_b has x_b once for each of the 5 classes.
  const Graph graph = linear_only();
  const at::Tensor x = images(graph, 6);
  const at::Tensor rows = x.flatten(1);
  for (const SampleCoupling coupling : {SampleCoupling::coupled, SampleCoupling::frozen})
    EXPECT_LT(relative_error(ntk_gram(network(graph), x, coupling), 5.0 * rows.mm(rows.t())),
              1e-14);
}

TEST(Ntk, WorkedByHand) {
  // y = v * max(0, w * x) with w = 2, v = 3: dy/dv = max(0, 2 x), dy/dw = 3 x for x > 0.
  Graph graph;
  graph.linear(graph.relu(graph.conv(graph.input({1, 1, 1}), {.out = 1})), 1);
  Network net{graph, at::kDouble};
  net.parameters(1).weight.fill_(2.0);
  net.parameters(3).weight.fill_(3.0);
  const at::Tensor x = at::tensor({1.0, -1.0, 4.0}, at::kDouble).view({3, 1, 1, 1});
  const at::Tensor gram = ntk_gram(net, x, SampleCoupling::coupled);
  const at::Tensor truth =
      at::tensor({13.0, 0.0, 52.0, 0.0, 0.0, 0.0, 52.0, 0.0, 208.0}, at::kDouble).view({3, 3});
  EXPECT_TRUE(at::equal(gram, truth)) << gram;
}

TEST(Ntk, FloatIsCloseToDouble) {
  const Graph graph = test::nas_bench_201(
      test::every_edge({"skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"}), 3, 16);
  const Network precise = network(graph, at::kDouble);
  const Network fast = network(graph, at::kFloat);
  const at::Tensor x = images(graph, 16);
  const at::Tensor truth = ntk_gram(precise, x, SampleCoupling::coupled);
  const at::Tensor gram = ntk_gram(fast, x.to(at::kFloat), SampleCoupling::coupled);
  EXPECT_LT(relative_error(gram, truth), 1e-4);
  EXPECT_NEAR(condition_number(gram) / condition_number(truth), 1.0, 1e-2);
}

TEST(Ntk, ConstantChannelsAndSingleSamplesStayFinite) {
  const Graph graph = test::nas_bench_201(test::every_edge({"nor_conv_3x3"}), 3, 8);
  const Network net = network(graph);
  EXPECT_TRUE(ntk_gram(net, at::ones({4, 3, 8, 8}, at::kDouble), SampleCoupling::coupled)
                  .isfinite()
                  .all()
                  .item<bool>());
  const at::Tensor one = images(graph, 1);
  EXPECT_LT(relative_error(ntk_gram(net, one, SampleCoupling::coupled), ntk_gram_by_rows(net, one)),
            1e-10);
}

TEST(Ntk, IsZeroForADisconnectedNetworkWithoutConstants) {
  Graph bare;
  bare.input({1, 2, 2});
  bare.linear(bare.zero({1, 2, 2}), 2);
  const Network net = network(bare);
  const at::Tensor gram = ntk_gram(net, images(bare, 3), SampleCoupling::coupled);
  EXPECT_EQ(gram.abs().max().item<double>(), 0.0);
  EXPECT_EQ(condition_number(gram), 1e12);
}

/// A line of /proc/self/status, in bytes.
std::int64_t status_bytes(const std::string& key) {
  std::ifstream status{"/proc/self/status"};
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":")) return std::stoll(line.substr(key.size() + 1)) << 10;
  return 0;
}

TEST(Ntk, HoldsNoMoreThanItSays) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers hold memory of their own";
#endif
  for (const auto precision : {at::kFloat, at::kDouble}) {
    const Graph graph =
        test::nas_bench_201(test::every_edge({"nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3"}), 4);
    const Network of = network(graph, precision);
    const auto x = images(graph, 64, precision);
    malloc_trim(0);  // what is free must not be taken again unseen
    if (!(std::ofstream{"/proc/self/clear_refs"} << 5 << std::flush))
      GTEST_SKIP() << "the system does not let a program reset the peak of its memory";
    const std::int64_t before = status_bytes("VmRSS");
    ntk_gram(of, x, SampleCoupling::coupled);
    const std::int64_t held = status_bytes("VmHWM") - before;
    const std::int64_t said = ntk_bytes(graph, 64, precision == at::kFloat ? 4 : 8);
    EXPECT_LE(held, said);
    EXPECT_GE(held, said / 4) << "or the bound would bar what fits";
  }
}

TEST(Ntk, IsTheSameOnEveryThreadAndLeavesTheNetworkAlone) {
  const Graph graph = test::nas_bench_201(test::every_edge({"nor_conv_3x3", "skip_connect"}), 3, 8);
  const Network net = network(graph, at::kFloat);
  const at::Tensor x = images(graph, 6, at::kFloat);
  const auto before = net.parameters(1).weight.clone();
  const at::Tensor truth = ntk_gram(net, x, SampleCoupling::coupled);
  std::vector<at::Tensor> grams(4);
  std::vector<std::thread> threads;
  for (auto& gram : grams)
    threads.emplace_back([&] { gram = ntk_gram(net, x, SampleCoupling::coupled); });
  for (auto& thread : threads) thread.join();
  for (const auto& gram : grams) EXPECT_TRUE(at::equal(gram, truth));
  EXPECT_TRUE(at::equal(before, net.parameters(1).weight));
  EXPECT_FALSE(net.parameters(1).weight.requires_grad());
}

TEST(ConditionNumber, IsTheRatioOfTheExtremeEigenvalues) {
  const auto matrix = [](double a, double b) { return at::diag(at::tensor({a, b}, at::kDouble)); };
  EXPECT_DOUBLE_EQ(condition_number(matrix(8.0, 2.0)), 4.0);
  EXPECT_DOUBLE_EQ(condition_number(matrix(8.0, 0.0)), 1e12);
  EXPECT_DOUBLE_EQ(condition_number(matrix(8.0, -1.0)), 1e12);
  EXPECT_DOUBLE_EQ(condition_number(matrix(0.0, 0.0)), 1e12);
  EXPECT_TRUE(std::isnan(condition_number(matrix(NAN, 1.0))));
  EXPECT_TRUE(std::isnan(condition_number(matrix(INFINITY, 1.0))));
}

TEST(Ntk, NamesTheOperatorThatItDoesNotKnow) {
  const Graph graph = joined();
  try {
    ntk_gram(network(graph), images(graph, 2), SampleCoupling::coupled);
    FAIL() << "built";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("softmax"));
  }
}

TEST(Network, KnowsTheOperatorsOfJoinedNetworks) {
  const Graph graph = joined();
  const Network net = network(graph);
  const at::Tensor x = images(graph, 3) * 20;
  const Forward forward = propagate_forward(net, x);
  const auto outputs = [&](NodeId id) { return forward.output(id); };
  EXPECT_LE(outputs(3).max().item<double>(), 6.0);
  EXPECT_GE(outputs(3).max().item<double>(), 1.0);
  EXPECT_EQ(outputs(4)[0][2][0][0].item<double>(),
            outputs(1)[0][2].narrow(0, 0, 2).narrow(1, 0, 2).max().item<double>());
  EXPECT_TRUE(at::equal(outputs(5).narrow(1, 4, 4), outputs(4)));
  EXPECT_LE(relative_error(outputs(graph.output()).sum(1), at::ones({3}, at::kDouble)), 1e-12);
}

TEST(Network, GivesLogitsAndEveryActivation) {
  for (const Case& c : cases()) {
    const Network net = network(c.graph);
    const at::Tensor x = images(c.graph, c.batch);
    const at::Tensor logits = net.forward(x);
    const Forward all = propagate_forward(net, x);
    for (NodeId id = 0; id < c.graph.size(); ++id) {
      const Shape& shape = c.graph.node(id).shape;
      EXPECT_EQ(all.output(id).numel(), c.batch * shape.elements()) << c.name;
    }
    EXPECT_EQ(logits.numel(), c.batch * c.graph.node(c.graph.output()).shape.elements());
    EXPECT_LE(relative_error(logits_of(net, all).flatten(), logits.flatten()), 1e-12) << c.name;
    EXPECT_TRUE(logits.isfinite().all().item<bool>()) << c.name;
  }
}

/// Channels last, with numbers of channels that no vector divides; sums that several nodes read,
/// one that only a ReLU does, and more terms than wait at once.
Graph wide_and_odd() {
  Graph g;
  const auto normalised = [&](NodeId x, int out, int size) {
    return g.batch_norm(
        g.conv(x, {.out = out, .kernel = {size, size}, .padding = {size / 2, size / 2}}));
  };
  const NodeId x = normalised(g.input({3, 6, 5}), 70, 3);
  const NodeId y = g.relu(x, Activation::relu6);
  const NodeId pooled = g.avg_pool(x, {{3, 5}, {1, 1}, {1, 2}});
  const std::vector<NodeId> terms{x, pooled, normalised(y, 70, 1)};
  const NodeId sum = g.add(terms);
  std::vector<NodeId> readers{sum, x};
  for (int i = 0; i < 6; ++i) readers.push_back(normalised(g.relu(sum), 70, 1));
  const NodeId end = g.relu(g.add(readers));
  const std::vector<NodeId> parts{end, normalised(end, 33, 3), y};
  const NodeId last = g.batch_norm(g.concat(parts));
  g.linear(g.global_avg_pool(g.max_pool(g.relu(last), {})), 4);
  return g;
}

TEST(Propagation, PutsOffWithoutChangingValues) {
  const Graph graph = wide_and_odd();
  Network net = network(graph);
  draw_scales_and_shifts(net);
  const at::Tensor x = images(graph, 5);
  const Forward forward = propagate_forward(net, x);
  EXPECT_TRUE(std::ranges::any_of(forward.blends, [](const auto& b) { return !b.is_plain(); }));
  for (NodeId id = 0; id < graph.size(); ++id) {
    Graph cut = graph;
    cut.set_output(id);
    Network part{cut, at::kDouble};
    for (NodeId i = 0; i < graph.size(); ++i) part.parameters(i) = net.parameters(i);
    const at::Tensor truth = part.forward(x);
    const at::Tensor found = forward.output(id);
    EXPECT_LE(relative_error(found.flatten(), truth.flatten()), 1e-10) << graph.name(id);
    EXPECT_TRUE(at::allclose(forward.output(id, 3), found[3], 1e-12, 1e-12));
  }
}

/// Gradients of <seed, logits> by LibTorch's tape: parameters in the order of nodes, then images.
std::vector<at::Tensor> taped_gradients(const Network& net, const at::Tensor& x,
                                        const at::Tensor& seed) {
  Network copy = net.clone();
  std::vector<at::Tensor> leaves;
  for (NodeId id = 0; id < copy.graph().size(); ++id) {
    auto& [weight, bias] = copy.parameters(id);
    for (at::Tensor* const tensor : {&weight, &bias})
      if (tensor->defined()) leaves.push_back(*tensor = tensor->detach().clone().requires_grad_());
  }
  leaves.push_back(x.clone().requires_grad_());
  const at::Tensor product = (copy.forward(leaves.back()).flatten(1) * seed).sum();
  return torch::autograd::grad({product}, leaves, {}, false, false, /*allow_unused=*/true);
}

TEST(Propagation, GivesTheGradientsOfTheTape) {
  auto all = cases();
  all.push_back({"joined", joined()});
  all.push_back({"wide and odd", wide_and_odd(), 5});
  Graph tall;
  tall.conv(tall.input({3, 5, 2}),
            {.out = 20, .kernel = {15, 3}, .stride = {2, 1}, .padding = {7, 1}});
  all.push_back({"tall window", tall});
  for (const auto precision : {at::kDouble, at::kFloat}) {
    for (const Case& c : all) {
      SCOPED_TRACE(c.name);
      Network net = network(c.graph, precision);
      draw_scales_and_shifts(net);
      const at::Tensor x = images(c.graph, c.batch, precision);
      const Forward forward = propagate_forward(net, x);
      const auto seed = at::randn_like(logits_of(net, forward));
      Wanted wanted;
      wanted.outputs = {0};
      const auto found = propagate_backward(net, forward, c.graph.output(), seed, wanted);
      const auto expected = taped_gradients(net, x, seed);
      std::size_t place = 0;
      for (NodeId id = 0; id < c.graph.size(); ++id) {
        const auto& [weight, bias] = found.parameters[static_cast<std::size_t>(id)];
        for (const at::Tensor* const tensor : {&weight, &bias}) {
          const auto& own = net.parameters(id);
          if (!(tensor == &weight ? own.weight : own.bias).defined()) continue;
          const at::Tensor& truth = expected[place++];
          ASSERT_EQ(tensor->defined(), truth.defined()) << c.graph.name(id);
          if (truth.defined()) {
            EXPECT_TRUE(at::allclose(*tensor, truth, precision == at::kDouble ? 1e-8 : 1e-3,
                                     precision == at::kDouble ? 1e-10 : 1e-3))
                << c.graph.name(id);
          }
        }
      }
      const bool depends_on_input = expected.back().defined();
      ASSERT_EQ(found.outputs[0].defined(), depends_on_input);
      if (depends_on_input && precision == at::kDouble) {
        EXPECT_LE(relative_error(found.outputs[0], expected.back()), 1e-8);
      }
    }
  }
}

TEST(Propagation, DifferentiatesDepthwiseConvolutions) {
  for (const int channels : {5, 8, 64, 70})
    for (const Extent kernel : {Extent{3, 3}, {5, 5}, {7, 7}, {3, 5}, {1, 11}})
      for (const Extent stride : {Extent{1, 1}, {2, 2}, {3, 1}, {1, 2}})
        for (const int batch : {1, 3})
          for (const auto precision : {at::kDouble, at::kFloat}) {
            Graph graph;
            graph.conv(graph.input({channels, 11, 6}),
                       {.out = channels,
                        .kernel = kernel,
                        .stride = stride,
                        .padding = {kernel.height / 2, kernel.width / 2},
                        .groups = channels,
                        .bias = true});
            const Network net = network(graph, precision);
            const at::Tensor x = images(graph, batch, precision);
            const Forward forward = propagate_forward(net, x);
            const at::Tensor seed = at::randn_like(logits_of(net, forward));
            const auto found = propagate_backward(net, forward, 1, seed, {.outputs = {0}});
            const auto truth = taped_gradients(net, x, seed);
            const double tolerance = precision == at::kDouble ? 1e-12 : 1e-5;
            const auto is_close = [&](const at::Tensor& a, const at::Tensor& b) {
              return relative_error(a.to(at::kDouble).flatten(), b.to(at::kDouble).flatten()) <=
                     tolerance;
            };
            Network taped = net.clone();
            taped.parameters(1).weight.requires_grad_();
            EXPECT_TRUE(is_close(logits_of(net, forward), taped.forward(x).flatten(1).detach()));
            EXPECT_TRUE(is_close(found.parameters[1].weight, truth[0]));
            EXPECT_TRUE(is_close(found.parameters[1].bias, truth[1]));
            EXPECT_TRUE(is_close(found.outputs[0], truth[2]))
                << channels << " channels, " << kernel.height << "x" << kernel.width << ", stride "
                << stride.height << "x" << stride.width;
          }
}

/// Sums of squares about zero would cancel here.
TEST(Propagation, StandsChannelsThatVaryLittle) {
  Graph graph;
  const NodeId y = graph.relu(graph.batch_norm(graph.input({64, 6, 6})));
  graph.linear(graph.global_avg_pool(graph.conv(y, {.out = 64})), 4);
  const at::Tensor x = 5 + 0.01 * images(graph, 8, at::kFloat);
  const at::Tensor seed = at::randn({8, 4});
  const auto gradient_of = [&](at::ScalarType precision) {
    const Network net = network(graph, precision);
    EXPECT_TRUE(net.is_channels_last());
    const Forward forward = propagate_forward(net, x.to(precision));
    return propagate_backward(net, forward, graph.output(), seed.to(precision), {.outputs = {0}});
  };
  const auto truth = gradient_of(at::kDouble);
  const auto found = gradient_of(at::kFloat);
  EXPECT_LE(relative_error(found.outputs[0], truth.outputs[0]), 2e-3) << "gates near zero may flip";
  EXPECT_LE(relative_error(found.parameters[1].weight, truth.parameters[1].weight), 1e-4);
}

/// By the weights of these.
void expect_gradients_as_in_double(const Graph& graph, const std::vector<NodeId>& nodes) {
  const auto gradients = [&](at::ScalarType precision) {
    const Network net = network(graph, precision);
    const Forward forward = propagate_forward(net, images(graph, 16, precision));
    const auto seed = at::ones_like(logits_of(net, forward));
    return propagate_backward(net, forward, graph.output(), seed, {}).parameters;
  };
  const auto exact = gradients(at::kDouble), rough = gradients(at::kFloat);
  for (const NodeId id : nodes)
    EXPECT_LE(relative_error(rough[static_cast<std::size_t>(id)].weight.to(at::kDouble),
                             exact[static_cast<std::size_t>(id)].weight),
              1e-4);
}

/// As in InceptionTime on few steps; oneDNN's own padding corrupts the heap there, or leaves
/// gradients unwritten.
TEST(Propagation, StandsWindowsThatAreLargerThanTheirInput) {
  for (const int window : {31, 33, 39, 55, 63})
    for (const int stride : {1, 2})
      for (const int inputs : {1, 24}) {
        SCOPED_TRACE(::testing::Message() << window << " by " << stride << " of " << inputs);
        Graph graph;
        const NodeId x = graph.conv(graph.input({3, 32, 4}), {.out = inputs});
        graph.conv(
            x,
            {.out = 24, .kernel = {window, 1}, .stride = {stride, 4}, .padding = {window / 2, 0}});
        graph.linear(graph.relu(graph.output()), 4);
        expect_gradients_as_in_double(graph, {x, x + 1});
      }
}

/// As on many sensors; oneDNN writes beyond its buffers from 66 columns on.
TEST(Propagation, StandsStridesOfSinglePixels) {
  for (const Extent stride : {Extent{1, 2}, Extent{2, 1}, Extent{2, 2}, Extent{1, 3}})
    for (const int sensors : {9, 27, 66})
      for (const int outputs : {8, 16, 64}) {
        SCOPED_TRACE(::testing::Message() << stride.height << "x" << stride.width << " of "
                                          << sensors << ", " << outputs);
        Graph graph;
        const NodeId x = graph.conv(graph.input({1, 24, sensors}), {.out = 8});
        const NodeId y = graph.conv(x, {.out = outputs, .stride = stride});
        const NodeId z = graph.conv(graph.relu(y), {.out = 64});
        graph.linear(graph.relu(graph.global_avg_pool(z)), 4);
        expect_gradients_as_in_double(graph, {x, y, z});
      }
}

TEST(Propagation, StartsAndStopsAnywhere) {
  const Graph graph = two_linear_layers();  // input, linear, relu, linear
  const Network net = network(graph);
  const at::Tensor x = images(graph, 3);
  const Forward forward = propagate_forward(net, x);
  const at::Tensor seed = at::ones_like(forward.output(2));
  const Wanted wanted{.parameters = false, .outputs = {1}};
  const auto found = propagate_backward(net, forward, 2, seed, wanted);
  EXPECT_TRUE(at::equal(found.outputs[1], (forward.output(1) > 0).to(at::kDouble)));
  EXPECT_FALSE(found.outputs[0].defined());
  EXPECT_FALSE(found.parameters[1].weight.defined());
}

TEST(Propagation, DifferentiatesTheCrossEntropy) {
  const auto logits = at::tensor({1.0, 2.0, -1.0, 0.5, 0.0, 3.0}, at::kDouble).view({2, 3});
  const auto labels = at::tensor({2, 0}, at::kLong);
  const auto leaf = logits.clone().requires_grad_();
  at::cross_entropy_loss(leaf, labels).backward();
  EXPECT_LE(relative_error(cross_entropy_gradient(logits, labels), leaf.grad()), 1e-14);
}

TEST(Network, SharesWeightsWithWhatIsDerivedFromItsGraph) {
  const Graph supernet = test::te_nas_supernet();
  const Graph single = resolved(supernet, std::vector<int>{2, 1, 0, 3, 2, 1});
  const Network a = network(supernet, at::kFloat);
  const Network b = network(single, at::kFloat);
  int shared = 0;
  for (NodeId i = 0; i < single.size(); ++i) {
    for (NodeId j = 0; j < supernet.size(); ++j) {
      if (single.name(i) != supernet.name(j) || !b.parameters(i).weight.defined()) continue;
      EXPECT_TRUE(at::equal(b.parameters(i).weight, a.parameters(j).weight));
      ++shared;
    }
  }
  EXPECT_GT(shared, 10);
  Network other{single};
  other.initialise(Init::torch_default, 2, "test");
  EXPECT_FALSE(at::equal(other.parameters(1).weight, b.parameters(1).weight));
  const Network precise = network(single, at::kDouble);
  EXPECT_TRUE(at::equal(precise.parameters(1).weight, b.parameters(1).weight.to(at::kDouble)));
}

static_assert(!std::is_copy_constructible_v<Network> && !std::is_copy_assignable_v<Network>,
              "a copy would have the same weights: clone() says what is meant");

TEST(Network, HasWeightsOfItsOwnWhenCloned) {
  const Network net = network(two_linear_layers());
  const at::Tensor before = net.parameters(1).weight.clone();
  Network other = net.clone();
  EXPECT_TRUE(at::equal(other.parameters(1).weight, before));
  other.initialise(Init::standard_normal, 9, "another");
  EXPECT_FALSE(at::equal(other.parameters(1).weight, before));
  EXPECT_TRUE(at::equal(net.parameters(1).weight, before));
}

TEST(Network, RunsWithConstantChannels) {
  Graph graph;
  const NodeId x = graph.input({2, 4, 4});
  const std::vector<NodeId> parts{graph.zero({3, 4, 4}), x};
  graph.conv(graph.concat(parts), {.out = 4});
  const Network whole = network(graph), part = network(live(graph));
  const at::Tensor batch = images(graph, 3);
  EXPECT_TRUE(at::allclose(whole.forward(batch), part.forward(batch)));
}

TEST(Network, DrawsWhatTheInitialisersSay) {
  Graph graph;
  NodeId x = graph.input({32, 8, 8});
  x = graph.conv(x, {.out = 128, .kernel = {3, 3}, .groups = 2, .bias = true});
  graph.linear(x, 10);
  Network net{graph};
  const auto deviation = [&](NodeId id) { return net.parameters(id).weight.std().item<double>(); };
  net.initialise(Init::kaiming_normal_fan_in, 1, "a");
  EXPECT_NEAR(deviation(1), std::sqrt(2.0 / (16 * 9)), 2e-3);
  net.initialise(Init::kaiming_normal_fan_out, 1, "a");
  EXPECT_NEAR(deviation(1), std::sqrt(2.0 / (128 * 9)), 1e-3);
  EXPECT_NEAR(deviation(2), std::sqrt(2.0 / 10), 1e-2);
  EXPECT_EQ(net.parameters(1).bias.abs().max().item<double>(), 0.0);
  net.initialise(Init::torch_default, 1, "a");
  EXPECT_NEAR(net.parameters(1).weight.abs().max().item<double>(), 1.0 / 12.0, 1e-4);
  EXPECT_GT(net.parameters(1).bias.abs().max().item<double>(), 0.0);
  EXPECT_LE(net.parameters(1).bias.abs().max().item<double>(), 1.0 / 12.0);
}

TEST(Network, SaysWhatIsWrongWithItsInput) {
  const Network net = network(linear_only());
  EXPECT_THROW(net.forward(at::zeros({2, 3, 2, 3}, at::kDouble)), Error);
  EXPECT_THROW(net.forward(at::zeros({2, 3, 2, 2}, at::kFloat)), Error);
}

TEST(Network, CanBeTrainedThrough) {
  const Network net = network(test::nas_bench_201(test::every_edge({"nor_conv_3x3"}), 3, 8));
  for (const auto& parameter : net.all_parameters()) parameter.requires_grad_();
  net.forward(images(net.graph(), 3)).sum().backward();
  for (const auto& parameter : net.all_parameters()) EXPECT_TRUE(parameter.grad().defined());
}

TEST(LinearRegions, AreTheDifferentStringsOfSigns) {
  const auto options =
      test::every_edge({"skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"});
  for (const int size : {1, 3}) {
    Graph graph;
    NodeId x = graph.input({1, size, size});
    graph.relu(graph.batch_norm(test::cell(graph, x, options)));
    const Network net = network(graph, at::kFloat);
    std::vector<at::Tensor> batches;
    std::set<std::string> naive;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
      batches.push_back(images(graph, 200, at::kFloat, seed));
      std::vector<std::string> bits(200);
      const Forward all = propagate_forward(net, batches.back());
      for (NodeId id = 0; id < graph.size(); ++id) {
        if (graph.node(id).op != Op::relu) continue;
        const auto flat = all.output(id).flatten(1);
        for (std::int64_t b = 0; b < 200; ++b)
          for (std::int64_t i = 0; i < flat.size(1); ++i)
            bits[static_cast<std::size_t>(b)] += flat[b][i].item<float>() > 0 ? '1' : '0';
      }
      naive.insert(bits.begin(), bits.end());
    }
    EXPECT_EQ(count_linear_regions(net, batches), static_cast<std::int64_t>(naive.size()));
    EXPECT_GT(naive.size(), 1U);
  }
}

TEST(LinearRegions, AreOneWithoutReluAndNoneWithoutSamples) {
  const Network net = network(linear_only(), at::kFloat);
  EXPECT_EQ(count_linear_regions(net, {images(net.graph(), 9, at::kFloat)}), 1);
  EXPECT_EQ(count_linear_regions(net, {}), 0);
}

TEST(Names, AreThoseOfTheEnumerators) {
  EXPECT_EQ(names_of(Init{}).size(), 4U);
  EXPECT_EQ(names_of(Init{})[1].first, "kaiming_normal_fan_out");
  EXPECT_EQ(names_of(SampleCoupling{})[0].first, "coupled");
  EXPECT_EQ(names_of(SampleCoupling{})[1].second, SampleCoupling::frozen);
}

}  // namespace
}  // namespace thimble
