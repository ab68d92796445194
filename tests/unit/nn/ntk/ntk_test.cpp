#include <cmath>
#include <fstream>
#include <string>
#include <thread>

#include <malloc.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/autograd/autograd.h>

#include <support/small_networks.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/ntk/ntk.hpp>
#include <thimble/nn/propagation/propagation.hpp>

namespace thimble::ntk_test {
namespace {

using test::Case;
using test::cases;
using test::draw_scales_and_shifts;
using test::grouped_convolutions;
using test::images;
using test::joined;
using test::linear_only;
using test::network;
using test::relative_error;
using test::shared_nodes;
using test::strange_windows;

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

TEST(Ntk, TakesOperatorsThatDoNotGoSideBySide) {
  Graph graph;
  const NodeId x = graph.conv(graph.input({3, 9, 7}), {.out = 4, .kernel = {3, 3}});
  const NodeId a = graph.relu(graph.batch_norm(x), Activation::relu6);
  const NodeId b = graph.max_pool(x, {.kernel = {3, 3}, .stride = {1, 1}, .padding = {1, 1}});
  graph.linear(graph.global_avg_pool(graph.concat({{a, b}})), 5);
  const Network net = network(graph);
  const at::Tensor images_of_it = images(graph, 5);
  EXPECT_LT(relative_error(ntk_gram(net, images_of_it, SampleCoupling::coupled),
                           ntk_gram_by_rows(net, images_of_it)),
            1e-10);
  EXPECT_GT(ntk_bytes(graph, 5, 8), 5 * 8 * params(graph));
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
    ntk_gram(network(graph), images(graph, 2), SampleCoupling::frozen);
    FAIL() << "built";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("softmax"));
    EXPECT_THAT(error.what(), ::testing::HasSubstr("coupled statistics take any network"));
  }
}

TEST(Names, AreThoseOfTheEnumerators) {
  EXPECT_EQ(names_of(Init{}).size(), 4U);
  EXPECT_EQ(names_of(Init{})[1].first, "kaiming_normal_fan_out");
  EXPECT_EQ(names_of(SampleCoupling{})[0].first, "coupled");
  EXPECT_EQ(names_of(SampleCoupling{})[1].second, SampleCoupling::frozen);
}

}  // namespace
}  // namespace thimble::ntk_test
