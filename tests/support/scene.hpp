#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>

#include <conformance/networks.hpp>
#include <support/world.hpp>

#include <thimble/core/random.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/proxy.hpp>

namespace thimble::testing {

/// A small network under a proxy's pass, with batches that need no dataset.
class Scene {
 public:
  Scene(const Graph& graph, const Pass& pass, std::uint64_t seed = 1)
      : network_{pass.batch_norm == BatchNorm::off ? without_batch_norm(live(graph)) : live(graph),
                 pass.double_precision ? at::kDouble : at::kFloat} {
    network_.initialise(pass.init, seed, "weights");
    const Shape& in = network_.graph().node(0).shape;
    const int classes = network_.graph().node(network_.graph().output()).shape.channels;
    Random random = Random::stream(seed, {"images"});
    for (int i = 0; i < pass.batches; ++i) {
      at::Tensor images = at::ones({pass.batch, in.channels, in.height, in.width});
      if (pass.input != InputKind::ones)
        random.fill_normal({images.data_ptr<float>(), static_cast<std::size_t>(images.numel())}, 1);
      batches_.push_back({images.to(network_.precision()), at::arange(pass.batch) % classes});
    }
  }

  const Network& network() const { return network_; }
  const Graph& graph() const { return network_.graph(); }
  const std::vector<Samples>& batches() const { return batches_; }

  double score(const Proxy& proxy) const {
    Observation seen{network_, batches_, proxy.reads()};
    return proxy.score(seen);
  }

 private:
  Network network_;
  std::vector<Samples> batches_;
};

/// A copy whose weights are leaves of LibTorch's tape: what gradients by hand are checked against.
struct Taped {
  Network network;
  std::vector<at::Tensor> leaves;  ///< of convolutions and fully connected layers, by node

  explicit Taped(const Network& original) : network{original.clone()} {
    for (NodeId id = 0; id < network.graph().size(); ++id) {
      auto& [weight, bias] = network.parameters(id);
      const Op op = network.graph().node(id).op;
      if (op != Op::conv && op != Op::linear) continue;
      leaves.push_back(weight = weight.detach().clone().requires_grad_());
    }
  }

  /// Gradients of the mean cross-entropy, by leaf.
  std::vector<at::Tensor> loss_gradients(const Samples& samples) const {
    const auto loss =
        at::cross_entropy_loss(network.forward(samples.images).flatten(1), samples.labels);
    return torch::autograd::grad({loss}, leaves, {}, false, false, /*allow_unused=*/true);
  }
};

/// Checks a proxy on every small network, in float and in double, against naive(Scene), which
/// computes the score in another way. `parameters` are the proxy's, without braces.
template <class Naive>
void expect_naive(const std::string& name, const std::string& parameters, const Naive& naive) {
  PluginLoader loader = plugins();
  for (const bool is_double : {false, true}) {
    const std::string yaml =
        "{batch: 8, double_precision: " + std::string{is_double ? "true" : "false"} +
        (parameters.empty() ? "" : ", " + parameters) + "}";
    const auto proxy = make<Proxy>(loader, name, yaml);
    for (const auto& [title, graph] : conformance::single_networks()) {
      SCOPED_TRACE(name + " on " + title + (is_double ? " in double" : " in float"));
      const Scene scene{graph, proxy->pass()};
      const double expected = naive(scene);
      EXPECT_NEAR(scene.score(*proxy), expected, (is_double ? 1e-8 : 1e-4) * std::abs(expected));
    }
  }
}

}  // namespace thimble::testing
