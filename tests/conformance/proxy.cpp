// Laws of proxies.

#include <atomic>
#include <cmath>

#include <ATen/Parallel.h>

#include <thimble/core/random.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/proxy.hpp>

#include "networks.hpp"
#include "subject.hpp"

namespace thimble::conformance {
namespace {

constexpr std::int64_t kMostSamples = 16;  // laws hold for small batches too, and take less time

/// A network under the proxy's pass, with batches that need no dataset.
class World {
 public:
  World(const Graph& graph, const Pass& pass)
      : network_{pass.batch_norm == BatchNorm::off ? without_batch_norm(live(graph)) : live(graph),
                 pass.double_precision ? at::kDouble : at::kFloat} {
    network_.initialise(pass.init, 1, "weights");
    const Graph& kept = network_.graph();
    const Shape& in = kept.node(0).shape;
    const int classes = kept.node(kept.output()).shape.channels;
    const std::int64_t count = std::min<std::int64_t>(pass.batch, kMostSamples);
    Random random = Random::stream(1, {"images"});
    for (int i = 0; i < pass.batches; ++i) {
      at::Tensor images = at::ones({count, in.channels, in.height, in.width});
      if (pass.input != InputKind::ones)
        random.fill_normal({images.data_ptr<float>(), static_cast<std::size_t>(images.numel())}, 1);
      batches_.push_back({images.to(network_.precision()), at::arange(count) % classes});
    }
  }

  const Network& network() const { return network_; }
  Observation observe(const Reads& reads) const { return Observation{network_, batches_, reads}; }
  double score(const Proxy& proxy) const {
    Observation seen = observe(proxy.reads());
    return proxy.score(seen);
  }

  /// Everything that a proxy sees and must leave as it is.
  std::vector<at::Tensor> tensors() const {
    auto all = network_.all_parameters();
    for (const Samples& samples : batches_) {
      all.push_back(samples.images);
      all.push_back(samples.labels);
    }
    return all;
  }

 private:
  Network network_;
  std::vector<Samples> batches_;
};

at::Tensor generator_state() { return at::globalContext().defaultGenerator(at::kCPU).get_state(); }

class ProxyLaws : public testing::Test {
 protected:
  void SetUp() override {
    proxy_ = make<Proxy>();
    for (const auto& [name, graph] : graphs())
      worlds_.emplace_back(name, World{graph, proxy_->pass()});
  }

  std::vector<NamedGraph> graphs() const {
    auto all = single_networks();
    if (proxy_->accepts_supernets()) all.emplace_back("a supernet", supernet());
    return all;
  }

  std::unique_ptr<Proxy> proxy_;
  std::vector<std::pair<std::string, World>> worlds_;
};

TEST_F(ProxyLaws, GivesFiniteScores) {
  for (const auto& [name, world] : worlds_)
    EXPECT_TRUE(std::isfinite(world.score(*proxy_))) << name;
}

TEST_F(ProxyLaws, LeavesTheNetworkAsItFoundIt) {
  for (const auto& [name, world] : worlds_) {
    SCOPED_TRACE(name);
    const auto tensors = world.tensors();
    std::vector<at::Tensor> before;
    std::vector<bool> wanted_gradients;
    for (const at::Tensor& tensor : tensors) {
      before.push_back(tensor.clone());
      wanted_gradients.push_back(tensor.requires_grad());
    }
    world.score(*proxy_);
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      EXPECT_TRUE(at::equal(tensors[i], before[i])) << "tensor " << i << " has other values";
      EXPECT_EQ(tensors[i].requires_grad(), wanted_gradients[i]) << "tensor " << i;
      EXPECT_FALSE(tensors[i].grad().defined()) << "tensor " << i << " has a gradient";
    }
  }
}

TEST_F(ProxyLaws, GivesTheSameScoreAgain) {
  const auto other = make<Proxy>();
  for (const auto& [name, world] : worlds_) {
    const double once = world.score(*proxy_);
    EXPECT_EQ(world.score(*proxy_), once) << name;
    EXPECT_EQ(world.score(*other), once) << name;
    Observation seen = world.observe(proxy_->reads());  // shared by all proxies of one pass
    proxy_->score(seen);
    EXPECT_EQ(proxy_->score(seen), once) << name;
  }
}

TEST_F(ProxyLaws, DoesNotMindWhatItScoredBefore) {
  std::vector<double> forwards;
  std::vector<double> backwards;
  for (const auto& [name, world] : worlds_) forwards.push_back(world.score(*proxy_));
  for (std::size_t i = worlds_.size(); i-- > 0;)
    backwards.insert(backwards.begin(), worlds_[i].second.score(*proxy_));
  EXPECT_EQ(forwards, backwards);
}

TEST_F(ProxyLaws, ScoresOnTwoThreadsAtOnce) {
  std::vector<double> alone;
  for (const auto& [name, world] : worlds_) alone.push_back(world.score(*proxy_));
  std::atomic<bool> is_same = true;
  on_two_threads([&](std::size_t thread) {
    for (std::size_t k = 0; k < 10 * worlds_.size(); ++k) {
      const std::size_t i = (k + thread) % worlds_.size();
      if (worlds_[i].second.score(*proxy_) != alone[i]) is_same = false;
    }
  });
  EXPECT_TRUE(is_same);
}

TEST_F(ProxyLaws, LeavesLibTorchAsItFoundIt) {
  const at::Tensor before = generator_state();
  const int threads = at::get_num_threads();
  for (const auto& [name, world] : worlds_) world.score(*proxy_);
  EXPECT_TRUE(at::equal(generator_state(), before)) << "it drew from the global generator";
  EXPECT_TRUE(at::GradMode::is_enabled());
  EXPECT_FALSE(c10::InferenceMode::is_enabled());
  EXPECT_EQ(at::get_num_threads(), threads);
}

TEST_F(ProxyLaws, DoesNotDependOnTheGlobalGenerator) {
  const World& world = worlds_.front().second;
  at::manual_seed(1);
  const double once = world.score(*proxy_);
  at::manual_seed(2);
  EXPECT_EQ(world.score(*proxy_), once);
}

TEST_F(ProxyLaws, HasOneDirectionAndOnePass) {
  const auto direction = proxy_->direction();
  const std::string pass = to_yaml(write_params(proxy_->pass()));
  for (const auto& [name, world] : worlds_) world.score(*proxy_);
  EXPECT_EQ(proxy_->direction(), direction);
  EXPECT_EQ(to_yaml(write_params(proxy_->pass())), pass);
}

TEST_F(ProxyLaws, AsksForAPassThatCanBe) {
  const Pass pass = proxy_->pass();
  EXPECT_GE(pass.batch, 1);
  EXPECT_GE(pass.batches, 1);
  EXPECT_GE(pass.repeats, 1);
  EXPECT_TRUE(pass.net.is_scalar() || pass.net.is_map());
}

TEST_F(ProxyLaws, CombinesEqualRepeatsToTheSame) {
  const double score = worlds_.front().second.score(*proxy_);
  for (const std::size_t repeats : {1U, 2U, 5U}) {
    const std::vector<double> equal(repeats, score);
    EXPECT_NEAR(proxy_->combine(equal), score, 1e-9 * std::abs(score)) << repeats << " repeats";
  }
}

TEST_F(ProxyLaws, CombinesDifferentRepeatsToSomethingBetween) {
  std::vector<double> scores;
  for (const auto& [name, world] : worlds_) scores.push_back(world.score(*proxy_));
  const auto [least, most] = std::minmax_element(scores.begin(), scores.end());
  const double slack = 1e-9 * std::max(std::abs(*least), std::abs(*most));
  EXPECT_GE(proxy_->combine(scores), *least - slack);
  EXPECT_LE(proxy_->combine(scores), *most + slack);
}

}  // namespace
}  // namespace thimble::conformance
