// Our optimisers against LibTorch's own, and the layout of the buffer they work on.

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <torch/optim/adamw.h>
#include <torch/optim/sgd.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/optimiser.hpp>

namespace thimble::optimiser_test {
namespace {

Graph small_graph() {
  Graph g;
  NodeId x = g.input({3, 6, 6});
  x = g.conv(x, {.out = 4, .kernel = {3, 3}, .padding = {1, 1}, .bias = true});
  x = g.relu(g.batch_norm(x));
  g.linear(g.global_avg_pool(x), 5);
  return g;
}

Network network(at::ScalarType precision = at::kDouble) {
  Network made{small_graph(), precision};
  made.initialise(Init::kaiming_normal_fan_in, 1, "test");
  return made;
}

at::Tensor gradient_for(const at::Tensor& values, std::uint64_t seed) {
  auto generator = at::detail::createCPUGenerator(seed);
  return at::randn(values.sizes(), generator, at::kDouble).to(values.scalar_type());
}

TEST(FlatParameters, HoldWhatTheNetworkHas) {
  Network net = network();
  const Network before = net.clone();
  const FlatParameters flat{net};
  for (NodeId id = 0; id < net.graph().size(); ++id) {
    if (!net.parameters(id).weight.defined()) continue;
    EXPECT_TRUE(at::equal(net.parameters(id).weight, before.parameters(id).weight));
    EXPECT_TRUE(net.parameters(id).weight.storage().is_alias_of(flat.values().storage()));
  }
  flat.values().fill_(3);
  for (const at::Tensor& parameter : net.all_parameters())
    EXPECT_TRUE(at::equal(parameter, at::full_like(parameter, 3)));
}

TEST(FlatParameters, DecayWeightsOfConvolutionsAndLinearLayersAlone) {
  Network net = network();
  const FlatParameters flat{net};
  std::int64_t decaying = 0;
  for (const ParameterRun& run : flat.runs()) decaying += run.decays ? run.end - run.begin : 0;
  EXPECT_EQ(decaying, 4 * 3 * 9 + 5 * 4);
  EXPECT_EQ(flat.runs().back().end, 4 * 3 * 9 + 4 + 4 + 4 + 5 * 4 + 5);
}

/// Twenty steps of both on the same gradients.
template <class Theirs, class Options>
void expect_equal(const Recipe& recipe, Options options) {
  Network net = network();
  const FlatParameters flat{net};
  Optimiser ours{recipe, flat};
  // LibTorch's decays all of its group, or nothing.
  std::vector<at::Tensor> decaying, others;
  for (const ParameterRun& run : flat.runs())
    (run.decays ? decaying : others)
        .push_back(flat.values().slice(0, run.begin, run.end).clone().requires_grad_());
  Theirs with_decay{decaying, options.weight_decay(recipe.weight_decay)};
  Theirs without{others, options.weight_decay(0)};
  for (std::uint64_t step = 0; step < 20; ++step) {
    const at::Tensor gradient = gradient_for(flat.values(), step);
    ours.step(gradient, recipe.learning_rate);
    std::size_t decays = 0, stays = 0;
    for (const ParameterRun& run : flat.runs())
      (run.decays ? decaying[decays++] : others[stays++]).mutable_grad() =
          gradient.slice(0, run.begin, run.end).clone();
    with_decay.step();
    without.step();
  }
  std::size_t decays = 0, stays = 0;
  for (const ParameterRun& run : flat.runs())
    EXPECT_TRUE(at::allclose(flat.values().slice(0, run.begin, run.end),
                             run.decays ? decaying[decays++] : others[stays++], 1e-12, 1e-14));
}

TEST(Optimiser, StepsAsLibTorchsSgdDoes) {
  Recipe recipe;
  recipe.weight_decay = 0.03;
  expect_equal<torch::optim::SGD>(
      recipe, torch::optim::SGDOptions{recipe.learning_rate}.momentum(0.9).nesterov(true));
}

TEST(Optimiser, StepsAsLibTorchsAdamWDoes) {
  Recipe recipe = Recipe::series();
  recipe.weight_decay = 0.3;
  expect_equal<torch::optim::AdamW>(recipe, torch::optim::AdamWOptions{recipe.learning_rate});
}

TEST(Optimiser, StepsInFloatAsInDouble) {
  for (const Recipe& recipe : {Recipe{}, Recipe::series()}) {
    Network exact = network(), rounded = network(at::kFloat);
    const FlatParameters in_double{exact}, in_float{rounded};
    Optimiser one{recipe, in_double}, other{recipe, in_float};
    for (std::uint64_t step = 0; step < 20; ++step) {
      one.step(gradient_for(in_double.values(), step), recipe.learning_rate);
      other.step(gradient_for(in_float.values(), step), recipe.learning_rate);
    }
    EXPECT_TRUE(at::allclose(in_float.values().to(at::kDouble), in_double.values(), 1e-3, 1e-4));
  }
}

TEST(Optimiser, LeavesAllButTheLastLayerAlone) {
  for (Recipe recipe : {Recipe{}, Recipe::series()}) {
    recipe.learns = Learns::last_layer;
    Network net = network();
    const FlatParameters flat{net};
    const at::Tensor before = flat.values().clone();
    Optimiser{recipe, flat}.step(gradient_for(flat.values(), 0), recipe.learning_rate);
    int last = 0;
    for (const ParameterRun& run : flat.runs()) {
      last += run.is_last ? 1 : 0;
      EXPECT_EQ(at::equal(flat.values().slice(0, run.begin, run.end),
                          before.slice(0, run.begin, run.end)),
                !run.is_last);
    }
    EXPECT_GT(last, 0);
  }
}

TEST(Optimiser, ClipsTheNormOfGradients) {
  Recipe recipe;
  recipe.momentum = 0;
  recipe.weight_decay = 0;
  recipe.gradient_clip = 2;
  Network net = network();
  const FlatParameters flat{net};
  Optimiser optimiser{recipe, flat};
  for (const double norm : {1.0, 50.0}) {
    const at::Tensor before = flat.values().clone();
    const at::Tensor gradient = gradient_for(flat.values(), 1);
    optimiser.step(gradient * (norm / gradient.norm().item<double>()), 0.5);
    EXPECT_NEAR((flat.values() - before).norm().item<double>(), 0.5 * std::min(norm, 2.0), 1e-9);
  }
}

TEST(Optimiser, RefusesWhatIsNotFiniteAndChangesNothing) {
  Network net = network();
  const FlatParameters flat{net};
  Optimiser optimiser{Recipe{}, flat};
  const at::Tensor before = flat.values().clone();
  at::Tensor gradient = gradient_for(flat.values(), 1);
  gradient[3] = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(optimiser.step(gradient, 0.1), Error);
  EXPECT_TRUE(at::equal(flat.values(), before));
}

}  // namespace
}  // namespace thimble::optimiser_test
