// Proxies made of gradients and weights, against LibTorch's tape and against numbers by hand.

#include <algorithm>

#include <support/scene.hpp>

#include <thimble/nn/propagation/propagation.hpp>

namespace thimble::gradient_proxies_test {
namespace {

using testing::expect_naive;
using testing::make;
using testing::plugins;
using testing::Scene;
using testing::Taped;

double sum_of(const at::Tensor& tensor) { return tensor.sum(at::kDouble).item<double>(); }

/// Sums term(weight, loss gradient) over convolutions and the classifier.
template <class Term>
auto over_tape(const Term& term) {
  return [term](const Scene& scene) {
    const Taped taped{scene.network()};
    const auto gradients = taped.loss_gradients(scene.batches()[0]);
    double sum = 0;
    for (std::size_t i = 0; i < gradients.size(); ++i)
      sum += sum_of(term(taped.leaves[i].detach(), gradients[i]));
    return sum;
  };
}

/// For proxies whose formula says their pass.
template <class Naive>
void expect_naive_under_own_pass(const std::string& name, const std::string& parameters,
                                 const Naive& naive) {
  PluginLoader loader = plugins();
  const auto proxy = make<Proxy>(loader, name, parameters);
  for (const auto& [title, graph] : conformance::single_networks()) {
    SCOPED_TRACE(name + " on " + title);
    const Scene scene{graph, proxy->pass()};
    const double expected = naive(scene);
    const double tolerance = scene.network().precision() == at::kDouble ? 1e-8 : 1e-4;
    EXPECT_NEAR(scene.score(*proxy), expected, tolerance * std::abs(expected));
  }
}

/// Every proxy of this file that looks at data.
const std::vector<std::string>& data_proxies() {
  static const std::vector<std::string> names{"fisher", "grad_norm", "gradsign", "grasp",
                                              "plain",  "snip",      "zico"};
  return names;
}

/// Networks and batches of one's own making under a proxy in double.
class Bench {
 public:
  explicit Bench(const std::string& name, const std::string& more = "")
      : proxy_{make<Proxy>(
            loader_, name,
            std::ranges::count(data_proxies(), name) == 0
                ? "{}"
                : "{batch: 8, double_precision: true" + (more.empty() ? "" : ", " + more) + "}")} {}

  Scene scene(const Graph& graph) const { return Scene{graph, proxy_->pass()}; }
  double score(const Network& network, const std::vector<Samples>& batches) const {
    Observation seen{network, batches, proxy_->reads()};
    return proxy_->score(seen);
  }
  double score(const Scene& scene) const { return score(scene.network(), scene.batches()); }

 private:
  PluginLoader loader_ = plugins();
  std::unique_ptr<Proxy> proxy_;
};

/// A copy with the weights of one convolution or classifier, by place, times `factor`.
Network scaled(const Network& network, std::size_t place, double factor) {
  Network copy = network.clone();
  at::Tensor& weight = copy.parameters(weighted_nodes(copy.graph())[place]).weight;
  weight = weight * factor;
  return copy;
}

TEST(Snip, SumsWeightTimesGradient) {
  expect_naive("snip", "", over_tape([](const auto& w, const auto& g) { return (w * g).abs(); }));
}

TEST(Plain, SumsSignedWeightTimesGradient) {
  const Bench plain{"plain"};
  const auto naive = over_tape([](const auto& w, const auto& g) { return w * g; });
  const auto size = over_tape([](const auto& w, const auto& g) { return (w * g).abs(); });
  // Terms in front of batch norm cancel: the sum is exact to what was summed, not to itself.
  for (const auto& [title, graph] : conformance::single_networks()) {
    const Scene scene = plain.scene(graph);
    EXPECT_NEAR(plain.score(scene), naive(scene), 1e-12 * size(scene)) << title;
  }
}

TEST(GradNorm, SumsNormsOfLayers) {
  expect_naive("grad_norm", "", over_tape([](const auto&, const auto& g) {
                 return g.to(at::kDouble).square().sum().sqrt();
               }));
}

TEST(GradNorm, TakesOneNormOfAllParameters) {
  expect_naive("grad_norm", "norm: whole", [](const Scene& scene) {
    Network copy = scene.network().clone();
    std::vector<at::Tensor> leaves;
    for (NodeId id = 0; id < copy.graph().size(); ++id)
      for (at::Tensor* const values : {&copy.parameters(id).weight, &copy.parameters(id).bias})
        if (values->defined())
          leaves.push_back(*values = values->detach().clone().requires_grad_());
    const Samples& samples = scene.batches()[0];
    const auto loss = at::cross_entropy_loss(copy.forward(samples.images), samples.labels);
    double squares = 0;
    for (const auto& gradient : torch::autograd::grad({loss}, leaves))
      squares += sum_of(gradient.to(at::kDouble).square());
    return std::sqrt(squares);
  });
}

/// Outputs of all nodes on LibTorch's tape, of the few operators that small networks have.
std::vector<at::Tensor> taped_outputs(const Network& network, const at::Tensor& images) {
  const Graph& graph = network.graph();
  std::vector<at::Tensor> outputs;
  for (NodeId id = 0; id < graph.size(); ++id) {
    const auto& [weight, bias] = network.parameters(id);
    const auto in = [&](std::size_t i) {
      return outputs[static_cast<std::size_t>(graph.inputs(id)[i])];
    };
    at::Tensor out;
    switch (graph.node(id).op) {
      case Op::input: out = images.detach().requires_grad_(); break;
      case Op::conv: out = at::conv2d(in(0), weight, bias, {1, 1}, {1, 1}); break;
      case Op::batch_norm:
        out = at::batch_norm(in(0), weight, bias, {}, {}, true, 0, 1e-5, false);
        break;
      case Op::relu: out = at::relu(in(0)); break;
      case Op::avg_pool: out = at::avg_pool2d(in(0), {3, 3}, {1, 1}, {1, 1}, false, false); break;
      case Op::global_avg_pool: out = in(0).mean({2, 3}); break;
      case Op::linear: out = at::linear(in(0), weight, bias); break;
      case Op::add:
        out = in(0);
        for (std::size_t i = 1; i < graph.inputs(id).size(); ++i) out = out + in(i);
        break;
      default: ADD_FAILURE() << "no such operator here";
    }
    outputs.push_back(out);
  }
  return outputs;
}

double naive_fisher(const Scene& scene, bool per_channel) {
  const Samples& samples = scene.batches()[0];
  const auto outputs = taped_outputs(scene.network(), samples.images);
  const auto loss = at::cross_entropy_loss(outputs.back(), samples.labels);
  double sum = 0;
  for (const NodeId id : weighted_nodes(scene.graph())) {
    const auto& output = outputs[static_cast<std::size_t>(id)];
    const auto gradient = torch::autograd::grad({loss}, {output}, {}, /*retain_graph=*/true)[0];
    const auto signals = (output * gradient).to(at::kDouble).reshape({8, output.size(1), -1});
    const auto weights = scene.network().parameters(id).weight.numel();
    const double times = per_channel ? 1 : static_cast<double>(weights / output.size(1));
    sum += times * sum_of(signals.sum(2).square()) / 8 / 2;
  }
  return sum;
}

TEST(Fisher, SumsSquaredSignalsOfChannelsForEveryWeight) {
  expect_naive("fisher", "", [](const Scene& scene) { return naive_fisher(scene, false); });
}

TEST(Fisher, CountsAChannelOnceWhenTold) {
  expect_naive("fisher", "per_channel: true",
               [](const Scene& scene) { return naive_fisher(scene, true); });
}

/// H is symmetric: theta . (H g) = g . (H theta).
double naive_grasp(const Scene& scene, double temperature) {
  const Taped taped{scene.network()};
  const Samples& samples = scene.batches()[0];
  const auto logits = taped.network.forward(samples.images) / temperature;
  const auto gradients =
      torch::autograd::grad({at::log_softmax(logits, 1)}, taped.leaves,
                            {at::one_hot(samples.labels, logits.size(1)) / -8.0}, true, true);
  at::Tensor product = at::zeros({}, logits.options());
  for (std::size_t i = 0; i < gradients.size(); ++i)
    product = product + (taped.leaves[i].detach() * gradients[i]).sum();
  const auto curved = torch::autograd::grad({product}, taped.leaves);
  double sum = 0;
  for (std::size_t i = 0; i < gradients.size(); ++i)
    sum -= sum_of(gradients[i].detach() * curved[i]);
  return sum;
}

TEST(Grasp, SumsWeightTimesCurvatureAlongTheGradient) {
  expect_naive("grasp", "", [](const Scene& scene) { return naive_grasp(scene, 1); });
}

TEST(Grasp, DividesLogitsByTheTemperature) {
  expect_naive("grasp", "temperature: 3", [](const Scene& scene) { return naive_grasp(scene, 3); });
}

TEST(Grasp, IsADerivativeAlongTheGradient) {
  const Bench grasp{"grasp"};
  const Scene scene = grasp.scene(conformance::residual_network());
  const Samples& samples = scene.batches()[0];
  const Taped here{scene.network()};
  const auto along = here.loss_gradients(samples);
  const auto product_at = [&](double step) {
    Taped there{scene.network()};
    double product = 0;
    {
      const at::NoGradGuard no_grad;
      for (std::size_t i = 0; i < along.size(); ++i) there.leaves[i] += step * along[i];
    }
    const auto gradients = there.loss_gradients(samples);
    for (std::size_t i = 0; i < along.size(); ++i)
      product += sum_of(here.leaves[i].detach() * gradients[i]);
    return product;
  };
  constexpr double kStep = 1e-6;
  const double expected = -(product_at(kStep) - product_at(-kStep)) / (2 * kStep);
  EXPECT_NEAR(grasp.score(scene), expected, 1e-4 * std::abs(expected));
}

TEST(Synflow, SumsTheFlowOfAbsoluteWeights) {
  for (const std::string parameters : {"{}", "{batch_norm: batch}"})
    expect_naive_under_own_pass("synflow", parameters, [](const Scene& scene) {
      Taped taped{scene.network()};
      {
        const at::NoGradGuard no_grad;
        for (auto& weight : taped.leaves) weight.abs_();
      }
      const auto flow = taped.network.forward(scene.batches()[0].images).sum();
      const auto gradients = torch::autograd::grad({flow}, taped.leaves);
      double sum = 0;
      for (std::size_t i = 0; i < gradients.size(); ++i)
        sum += sum_of((taped.leaves[i] * gradients[i]).abs());
      return std::log(sum);
    });
}

TEST(Synflow, LooksAtOneImageOfOnesWithoutBatchNorm) {
  PluginLoader loader = plugins();
  const Pass pass = make<Proxy>(loader, "synflow")->pass();
  EXPECT_EQ(pass.input, InputKind::ones);
  EXPECT_EQ(pass.batch, 1);
  EXPECT_EQ(pass.batch_norm, BatchNorm::off);
  EXPECT_TRUE(pass.double_precision);
}

TEST(Synflow, ShiftsByTheLogarithmOfALayersScale) {
  const Bench synflow{"synflow"};
  const Scene scene = synflow.scene(conformance::plain_network(3));
  const double score = synflow.score(scene);
  for (const double factor : {-1.0, 3.0, -1e30})
    EXPECT_NEAR(synflow.score(scaled(scene.network(), 1, factor), scene.batches()),
                score + std::log(std::abs(factor)), 1e-12 * std::abs(score) + 1e-12);
}

TEST(Synflow, RefusesANetworkThatNothingFlowsThrough) {
  const Bench synflow{"synflow"};
  const Scene scene = synflow.scene(conformance::plain_network(2));
  EXPECT_THROW(synflow.score(scaled(scene.network(), 0, 0), scene.batches()), Error);
}

TEST(L2Norm, SumsNormsOfLayers) {
  expect_naive_under_own_pass("l2_norm", "{}", [](const Scene& scene) {
    double sum = 0;
    for (const auto& weight : Taped{scene.network()}.leaves)
      sum += std::sqrt(sum_of(weight.detach().to(at::kDouble).square()));
    return sum;
  });
}

TEST(L2Norm, IsLinearInALayersScale) {
  const Bench l2_norm{"l2_norm"};
  const Scene scene = l2_norm.scene(conformance::plain_network(3));
  const auto at_scale = [&](double factor) {
    return l2_norm.score(scaled(scene.network(), 1, factor), scene.batches());
  };
  EXPECT_NEAR(at_scale(5) - at_scale(3), at_scale(-2) - at_scale(0), 1e-5 * at_scale(5));
}

TEST(GradSign, CountsSignsOfSamplesAlone) {
  expect_naive("gradsign", "", [](const Scene& scene) {
    const Taped taped{scene.network()};
    const auto& [images, labels] = scene.batches()[0];
    std::vector<at::Tensor> votes;
    for (const auto& weight : taped.leaves) votes.push_back(at::zeros_like(weight));
    for (std::int64_t i = 0; i < images.size(0); ++i) {
      const auto gradients = taped.loss_gradients({images[i].unsqueeze(0), labels[i].reshape(1)});
      for (std::size_t k = 0; k < votes.size(); ++k) votes[k] += gradients[k].sign();
    }
    double sum = 0;
    for (const auto& vote : votes) sum += sum_of(vote.abs());
    return sum;
  });
}

TEST(GradSign, IsLargestWhenAllSamplesAgree) {
  const Bench gradsign{"gradsign"};
  for (const auto& [title, graph] : conformance::single_networks()) {
    const Scene scene = gradsign.scene(graph);
    double weights = 0;
    for (const auto& weight : Taped{scene.network()}.leaves)
      weights += static_cast<double>(weight.numel());
    EXPECT_LT(gradsign.score(scene), 8 * weights) << title;

    const auto& [images, labels] = scene.batches()[0];
    const Samples one{images.narrow(0, 0, 1), labels.narrow(0, 0, 1)};
    const Samples same{one.images.repeat({8, 1, 1, 1}), one.labels.repeat({8})};
    const double agreed = gradsign.score(scene.network(), {same});
    EXPECT_EQ(agreed, 8 * gradsign.score(scene.network(), {one})) << title;
    EXPECT_LE(agreed, 8 * weights) << title;
  }
}

TEST(Zico, SumsLogarithmsOfMeansOverDeviations) {
  for (const int batches : {2, 3})
    expect_naive("zico", "batches: " + std::to_string(batches), [](const Scene& scene) {
      const Taped taped{scene.network()};
      std::vector<std::vector<at::Tensor>> gradients(taped.leaves.size());
      for (const Samples& samples : scene.batches()) {
        const auto batch = taped.loss_gradients(samples);
        for (std::size_t i = 0; i < batch.size(); ++i)
          gradients[i].push_back(batch[i].to(at::kDouble).flatten());
      }
      double sum = 0;
      for (const auto& layer : gradients) {
        const auto all = at::stack(layer);
        const auto deviation = all.std(0, /*unbiased=*/false);
        const auto varies = deviation > 0;
        sum += std::log(sum_of(all.abs().mean(0).index({varies}) / deviation.index({varies})));
      }
      return sum;
    });
}

TEST(Zico, RefusesOneBatch) {
  PluginLoader loader = plugins();
  EXPECT_THROW(make<Proxy>(loader, "zico", "{batches: 1}"), Error);
}

// One weight w = 2, two classes of weights u = v = 1, one image of one pixel x = 1 of the first
// class: equal logits, so dL/du = -wx/2 = -1, dL/dv = 1, and dL/dw = x(v - u)/2 = 0.
TEST(GradientProxies, AgreeWithNumbersByHand) {
  Graph graph;
  const NodeId conv = graph.conv(graph.input({1, 1, 1}), {.out = 1, .kernel = {1, 1}});
  const NodeId linear = graph.linear(graph.global_avg_pool(conv), 2);
  Network network{graph, at::kDouble};
  network.parameters(conv).weight.fill_(2.0);
  network.parameters(linear).weight.fill_(1.0);
  const auto image = [](double pixel) {
    return Samples{at::full({1, 1, 1, 1}, pixel, at::kDouble), at::zeros({1}, at::kLong)};
  };
  const auto score = [&](const std::string& name) {
    return Bench{name}.score(network, {image(1), image(2)});
  };
  EXPECT_DOUBLE_EQ(score("snip"), 2);
  EXPECT_DOUBLE_EQ(score("plain"), 0);
  EXPECT_DOUBLE_EQ(score("grad_norm"), std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(score("fisher"), 1);  // the signals of the logits are -1 and 1
  EXPECT_DOUBLE_EQ(score("gradsign"), 2);
  EXPECT_DOUBLE_EQ(score("grasp"), -2);            // H g = (1, -2, 2)
  EXPECT_DOUBLE_EQ(score("zico"), std::log(6.0));  // u and v: mean 3/2 over deviation 1/2
  EXPECT_DOUBLE_EQ(score("l2_norm"), 2 + std::sqrt(2.0));
  EXPECT_DOUBLE_EQ(score("synflow"), std::log(8.0));  // 2 |w| (|u| + |v|)
}

TEST(GradientProxies, DoNotMindTheOrderOfSamples) {
  const auto order = at::tensor({3, 1, 7, 0, 2, 6, 4, 5}, at::kLong);
  for (const std::string& name : data_proxies()) {
    const Bench bench{name};
    const Scene scene = bench.scene(conformance::residual_network());
    std::vector<Samples> shuffled;
    for (const auto& [images, labels] : scene.batches())
      shuffled.push_back({images.index_select(0, order), labels.index_select(0, order)});
    const double score = bench.score(scene);
    EXPECT_NEAR(bench.score(scene.network(), shuffled), score, 1e-9 * std::abs(score)) << name;
  }
}

// What batch norm undoes: gradients shrink as weights grow.
TEST(GradientProxies, DoNotMindTheScaleOfWeightsBeforeBatchNorm) {
  for (const std::string name : {"fisher", "gradsign", "plain", "snip", "zico"}) {
    const Bench bench{name, "init: standard_normal"};  // large against batch norm's epsilon
    const Scene scene = bench.scene(conformance::plain_network(3));
    const double score = bench.score(scene);
    EXPECT_NEAR(bench.score(scaled(scene.network(), 1, 4), scene.batches()), score,
                1e-3 * std::abs(score))
        << name;
  }
}

}  // namespace
}  // namespace thimble::gradient_proxies_test
