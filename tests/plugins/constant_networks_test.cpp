// What proxies say of networks in which nothing depends on anything: no score with its reason where
// the formula has none, the worst that there is where it has one, and never a 0 that would rank.

#include <support/scene.hpp>

#include <thimble/core/error.hpp>

namespace thimble::constant_networks_test {
namespace {

using ::testing::HasSubstr;
using testing::make;
using testing::plugins;

/// A stem and a block, in scopes, whose convolutions have weights of zero.
Network dead_network(const Pass& pass) {
  Graph g;
  NodeId x = g.input({3, 8, 8});
  for (const std::string name : {"stem", "block"}) {
    const Graph::Scope scope{g, name};
    x = conformance::conv_bn_relu(g, x, 4);
  }
  conformance::classifier(g, x);
  Network network{pass.batch_norm == BatchNorm::off ? without_batch_norm(g) : g,
                  pass.double_precision ? at::kDouble : at::kFloat};
  network.initialise(pass.init, 1, "weights");
  for (NodeId id = 0; id < network.graph().size(); ++id)
    if (network.graph().node(id).op == Op::conv) network.parameters(id).weight.zero_();
  return network;
}

class DeadNetwork {
 public:
  double score(const std::string& name, const std::string& more = "") {
    const auto proxy = make<Proxy>(loader_, name, "{" + more + "}");
    const Pass pass = proxy->pass();
    const Network network = dead_network(pass);
    std::vector<Samples> batches;
    for (int i = 0; i < pass.batches; ++i)
      batches.push_back(
          {at::randn({8, 3, 8, 8}, at::kFloat).to(network.precision()), at::arange(8) % 4});
    Observation seen{network, batches, proxy->reads()};
    return proxy->score(seen);
  }

  std::string reason(const std::string& name, const std::string& more = "") {
    try {
      const double value = score(name, more);
      return std::isfinite(value) ? "scored " + std::to_string(value) : "not finite";
    } catch (const Error& error) {
      return error.diagnostics().front().message;
    }
  }

 private:
  PluginLoader loader_ = plugins();
};

TEST(ConstantNetworks, HaveNoGradientToAddUp) {
  DeadNetwork dead;
  for (const std::string name : {"snip", "plain", "grad_norm", "fisher", "zico", "grasp"})
    EXPECT_EQ(dead.reason(name), "the loss does not depend on any weight") << name;
  EXPECT_THAT(dead.reason("grad_norm", "norm: whole"), HasSubstr("does not depend")) << "biases";
  EXPECT_EQ(dead.reason("gradsign"), "no weight has a gradient that samples agree on");
  EXPECT_EQ(dead.reason("synflow"), "nothing flows from the input to the output");
}

TEST(ConstantNetworks, HaveNoCorrelationAndNoEntropy) {
  DeadNetwork dead;
  for (const std::string name : {"jacov", "epe_nas"})
    EXPECT_THAT(dead.reason(name), HasSubstr("do not depend on some sample")) << name;
  EXPECT_EQ(dead.reason("naswot"), "samples cannot be told apart by their ReLU patterns");
  EXPECT_EQ(dead.reason("meco"), "no channel varies over its pixels");
  EXPECT_EQ(dead.reason("zen"), "a batch norm's input is constant");
  for (const std::string score : {"expressivity", "progressivity"})
    EXPECT_THAT(dead.reason("az_nas", "score: " + score), HasSubstr("has no entropy")) << score;
}

TEST(ConstantNetworks, AreTheWorstWhereTheFormulaSaysSo) {
  DeadNetwork dead;
  EXPECT_EQ(dead.score("swap"), 1) << "one pattern: no ReLU lets anything through";
  EXPECT_EQ(dead.score("linear_regions"), 1) << "one region";
  EXPECT_EQ(dead.score("ntk", "net: full"), 1e12) << "a kernel that is zero";
  EXPECT_NEAR(dead.score("az_nas", "score: trainability"), 2 - 1e6, 1) << "nothing passes";
}

TEST(ConstantNetworks, MayBeSoBecauseTheirImagesHaveOnePixel) {
  PluginLoader loader = plugins();
  Graph g;
  conformance::classifier(g, conformance::conv_bn_relu(g, g.input({1, 1, 1}), 4));
  Network network{g};
  network.initialise(Init::torch_default, 1, "weights");
  const std::vector<Samples> batches{{at::randn({8, 1, 1, 1}), at::arange(8) % 4}};
  for (const std::string name : {"meco", "jacov", "epe_nas"}) {
    const auto proxy = make<Proxy>(loader, name);
    Observation seen{network, batches, proxy->reads()};
    EXPECT_THROW(proxy->score(seen), Error) << name << ": one pixel is constant";
  }
}

/// Narrow and wide networks run in different engines.
class SameSamples : public ::testing::TestWithParam<int> {};

TEST_P(SameSamples, HaveNothingToTellThemApart) {
  PluginLoader loader = plugins();
  Graph g;
  NodeId x = conformance::conv_bn_relu(g, g.input({3, 8, 8}), GetParam());
  conformance::classifier(g, conformance::conv_bn_relu(g, x, GetParam()));
  Network network{g};
  network.initialise(Init::torch_default, 1, "weights");
  const Samples batch{at::full({8, 3, 8, 8}, 0.37), at::arange(8) % 4};
  const std::vector<Samples> batches{batch, batch};
  const auto score = [&](const std::string& name) {
    const auto proxy = make<Proxy>(loader, name);
    Observation seen{network, batches, proxy->reads()};
    return proxy->score(seen);
  };
  const auto of_eigenvalue = [](double v) { return -std::log(v + 1e-5) - 1 / (v + 1e-5); };
  const double one_direction = of_eigenvalue(8) + 7 * of_eigenvalue(0);
  EXPECT_NEAR(score("jacov"), one_direction, 1e-3 * std::abs(one_direction));
  EXPECT_THROW(score("zico"), Error) << "no gradient varies between the batches";
  EXPECT_THROW(score("naswot"), Error) << "one pattern";
  EXPECT_EQ(score("linear_regions"), 1);
}
INSTANTIATE_TEST_SUITE_P(Widths, SameSamples, ::testing::Values(4, 64));

}  // namespace
}  // namespace thimble::constant_networks_test
