// The space against published counts, its text form, its canonical form, and what its networks,
// pruned ones most of all, compute.

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <support/world.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/pruning.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/search_space.hpp>

namespace thimble::superblocks_test {
namespace {

constexpr const char* kSmallImages = "{height: 32, width: 32}";
// 9 sensors, as in recordings of human activity.
constexpr const char* kSeries =
    "{families: [inception_time, mbednet_1d, cnn_1d], channels: 1, height: 128, width: 9, classes: "
    "6}";

// Places in a genotype.
constexpr std::size_t kWidth = 1;
constexpr std::size_t kSparsityOfThird = 10;

class Superblocks : public ::testing::Test {
 protected:
  static std::unique_ptr<SearchSpace> space(const std::string& yaml = "{}",
                                            const char* name = "superblocks") {
    static PluginLoader loader = testing::plugins();
    return testing::make<SearchSpace>(loader, name, yaml);
  }

  static std::string why(const std::function<void()>& act) {
    try {
      act();
    } catch (const Error& error) {
      return error.diagnostics().front().message;
    }
    return "nothing";
  }

  template <class Visit>
  static void for_random(const SearchSpace& space, int count, Visit visit) {
    const auto decisions = space.decisions();
    Random random = Random::stream(7, {"superblocks"});
    for (int i = 0; i < count; ++i) visit(random_genotype(decisions, random));
  }
};

/// A published network at 3x224x224 and 1,000 classes. Digits: what the last one given stands for.
struct Published {
  std::string arch;
  double macs_m;
  double macs_digit;
  double params;
  double params_digit;
};

TEST_F(Superblocks, CountsMacsAndParametersAsPublished) {
  const std::string mobilenet_v1_quarter =
      "baseline=mobilenet_v1,width=0.25,depth_1=2,conv_1=k3s2,sparsity_1=0,depth_2=3,conv_2=k3s2,"
      "sparsity_2=0,depth_3=3,conv_3=k3s1,sparsity_3=0,depth_4=2,conv_4=k3s2,sparsity_4=0";
  const std::vector<Published> records{
      // 300 M: Sandler et al., table 4; 300.8 M and 3,504,872: torchvision's mobilenet_v2.
      {"mobilenet_v2", 300.8, 0.1, 3504872, 1},
      // torchvision's resnet18: 1.81 G, 11,689,512.
      {"resnet18", 1810, 10, 11689512, 1},
      // torchvision's squeezenet1_1: 0.35 G, 1,235,496.
      {"squeezenet", 350, 10, 1235496, 1},
      // Howard et al., table 8: 569 M, 4.2 M. tensorflow/models, slim/nets/mobilenet_v1.md: a
      // quarter as wide, 41 M, 0.47 M.
      {"mobilenet_v1", 569, 1, 4.2e6, 1e5},
      {mobilenet_v1_quarter, 41, 1, 0.47e6, 1e4},
      // KerasHub's preset efficientnet_lite0_ra_imagenet: 4,652,008. Work: 0.39 G, which Tan and
      // Le have for EfficientNet-B0; squeeze-and-excitation is 0.2 % of that. (The 407 M that
      // tensorflow/tpu has for Lite0 are not of convolutions alone: more than B0's, for less.)
      {"efficientnet_lite0", 390, 10, 4652008, 1},
  };
  const auto superblocks = space("{height: 224, width: 224, classes: 1000}");
  for (const Published& published : records) {
    const Graph graph = superblocks->build(superblocks->decode(published.arch));
    EXPECT_NEAR(static_cast<double>(macs(graph)) / 1e6, published.macs_m, published.macs_digit / 2)
        << published.arch;
    EXPECT_NEAR(static_cast<double>(params(graph)), published.params, published.params_digit / 2)
        << published.arch;
  }
}

TEST_F(Superblocks, BeginsForSmallImagesAsIsUsualForThem) {
  // The ResNet18 of CIFAR-10, with a convolution of 3x3 for a stem and no pool: 11,173,962
  // parameters and 0.56 G (github.com/kuangliu/pytorch-cifar and those who count it).
  const auto superblocks = space("{height: 32, width: 32, stem: small}");
  const Graph resnet = superblocks->build(superblocks->decode("resnet18"));
  EXPECT_EQ(params(resnet), 11173962);
  EXPECT_NEAR(static_cast<double>(macs(resnet)) / 1e9, 0.56, 0.005);
}

TEST_F(Superblocks, MakesSmallInputsNoSmallerThanGroupsDo) {
  constexpr auto groups =
      "baseline={},width=0.25,depth_1=1,conv_1=k3s1,sparsity_1=0,depth_2=1,conv_2=k3s1,sparsity_2="
      "0,"
      "depth_3=1,conv_3=k3s1,sparsity_3=0,depth_4=1,conv_4=k3s1,sparsity_4=0";
  const auto superblocks = space("{height: 19, width: 23, stem: small, head: points}");
  const auto decisions = superblocks->decisions();
  for (const std::string& baseline : decisions.front().options) {
    const Graph graph = superblocks->build(superblocks->decode(fmt::format(groups, baseline)));
    const Shape map = graph.node(graph.output()).shape;
    EXPECT_EQ(map.height, 19) << baseline;
    EXPECT_EQ(map.width, 23) << baseline;
  }
}

TEST_F(Superblocks, PrunesNothingWhereNothingMayBePruned) {
  const auto whole = space("{height: 32, width: 32, sparsest: 0}");
  for_random(*whole, 50, [&](const Genotype& genotype) {
    const std::string text = whole->encode(genotype);
    EXPECT_EQ(whole->decode(text), genotype) << text;
    EXPECT_EQ(whole->canonical(whole->canonical(genotype)), whole->canonical(genotype)) << text;
    EXPECT_EQ(params(whole->build(genotype)), params(whole->unpruned(genotype)->graph)) << text;
  });
}

TEST_F(Superblocks, CountsInceptionTimesParametersAsPublished) {
  // timeseriesAI/tsai, nbs/models/inception_time: InceptionTime(3, 2) has 455,490.
  const auto series =
      space("{families: [inception_time], channels: 1, height: 100, width: 3, classes: 2}");
  EXPECT_EQ(params(series->build(series->decode("inception_time"))), 455490);
}

/// At half of its widths the plain network begins as the zoo's does, whose last map goes on.
TEST_F(Superblocks, BeginsThePlainNetworkAsTheZooDoes) {
  const auto series =
      space("{families: [cnn_1d], channels: 1, height: 128, width: 9, classes: 6, sparsest: 0}");
  const Graph plain = series->build(series->decode(
      "baseline=cnn_1d,width=0.5,depth_1=1,conv_1=k5s2,sparsity_1=0,depth_2=1,conv_2=k5s2,"
      "sparsity_2=0,depth_3=1,conv_3=k5s2,sparsity_3=0,depth_4=1,conv_4=k5s1,sparsity_4=0"));
  const auto zoo = space("{networks: [cnn_1d], classes: 6}", "zoo");
  const Graph known = zoo->build(zoo->decode("cnn_1d"));
  constexpr std::int64_t kLastConvolution = 64 * 64 * 5 + 2 * 64;
  EXPECT_EQ(params(plain), params(known) + kLastConvolution);
  EXPECT_EQ(macs(plain), macs(known) + 16 * 64 * 64 * 5);
}

TEST_F(Superblocks, WritesAndReadsRandomGenotypes) {
  for (const char* const settings : {"{}", kSeries}) {
    const auto superblocks = space(settings);
    for_random(*superblocks, 10000, [&](const Genotype& genotype) {
      const std::string text = superblocks->encode(genotype);
      ASSERT_EQ(superblocks->decode(text), genotype) << text;
    });
  }
}

TEST_F(Superblocks, SaysWhatIsWrongWithAText) {
  const auto superblocks = space();
  const std::string good = superblocks->encode(superblocks->decode("resnet18"));
  const auto with = [&](const std::string& word, const std::string& other) {
    std::string text = good;
    return text.replace(text.find(word), word.size(), other);
  };
  const auto message = [&](const std::string& text) {
    return why([&] { superblocks->decode(text); });
  };
  EXPECT_EQ(message(good), "nothing");
  EXPECT_EQ(message("mobilnet_v2"), "no baseline 'mobilnet_v2'; did you mean 'mobilenet_v2'?");
  EXPECT_EQ(message(with("resnet18", "resnet19")),
            "'baseline' has no option 'resnet19'; did you mean 'resnet18'?");
  EXPECT_EQ(message(with("k3s2", "k3s3")), "'conv_2' has no option 'k3s3'; did you mean 'k3s1'?");
  EXPECT_EQ(message(with("width=1", "width=1.5")), "'width' cannot be '1.5'");
  EXPECT_EQ(message(with("sparsity_4=0", "sparsity_4=1")), "'sparsity_4' cannot be '1'");
  EXPECT_EQ(message(with("depth_3", "depht_3")), "'depht_3=2' stands where 'depth_3=...' should");
}

TEST_F(Superblocks, SaysWhatIsWrongWithItsFamilies) {
  EXPECT_EQ(why([] { space("{families: []}"); }),
            "searchspace 'superblocks': 'families' names no baseline");
  EXPECT_EQ(why([] { space("{families: [resnet18, mbednet, resnet18]}"); }),
            "searchspace 'superblocks': 'resnet18' stands twice in 'families'");
  EXPECT_EQ(why([] { space("{families: [resnet18, mbednet_1d]}"); }),
            "searchspace 'superblocks': 'families' mixes networks for images and for time series: "
            "'resnet18' and "
            "'mbednet_1d'");
  EXPECT_THAT(why([] { space("{families: [resnet]}"); }), ::testing::HasSubstr("'resnet'"));
}

TEST_F(Superblocks, BuildsAndLowersWhateverIsDecidedForWhateverInput) {
  const char* const dot = "{channels: 1, height: 1, width: 5}";
  const char* const instant =
      "{families: [inception_time, mbednet_1d], channels: 2, height: 1, width: 1}";
  for (const char* const settings : {"{}", kSmallImages, kSeries, dot, instant}) {
    const auto superblocks = space(settings);
    for_random(*superblocks, 200, [&](const Genotype& genotype) {
      const std::string text = superblocks->encode(genotype);
      const Graph graph = superblocks->build(genotype);
      ASSERT_TRUE(is_connected(graph)) << text;
      ASSERT_EQ(live(graph).size(), graph.size()) << "has dead ends: " << text;
      const Graph deployed_graph = deployed(graph);
      const Int8Network lowered = skeleton(deployed_graph);
      ASSERT_EQ(lowered.layers.size(), deployed_graph.nodes().size() - 1) << text;
    });
  }
}

TEST_F(Superblocks, RunsWhateverIsDecided) {
  const at::NoGradGuard no_grad;
  for (const char* const settings : {kSmallImages, kSeries}) {
    const auto superblocks = space(settings);
    for_random(*superblocks, 25, [&](const Genotype& genotype) {
      Network network{superblocks->build(genotype)};
      network.initialise(Init::kaiming_normal_fan_in, 0, "weights");
      const Shape& in = network.graph().node(0).shape;
      const at::Tensor logits = network.forward(at::ones({2, in.channels, in.height, in.width}));
      const int classes = network.graph().node(network.graph().output()).shape.channels;
      EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{2, classes}));
      EXPECT_TRUE(at::isfinite(logits).all().item<bool>()) << superblocks->encode(genotype);
    });
  }
}

std::vector<Shape> shapes(const Graph& graph) {
  std::vector<Shape> all;
  for (const Node& node : graph.nodes()) all.push_back(node.shape);
  return all;
}

TEST_F(Superblocks, HasOneCanonicalFormForEqualNetworks) {
  for (const char* const settings : {"{}", kSeries}) {
    const auto superblocks = space(settings);
    for_random(*superblocks, 300, [&](Genotype genotype) {
      const Genotype canonical = superblocks->canonical(genotype);
      const std::string text = superblocks->encode(genotype);
      ASSERT_TRUE(shapes(superblocks->build(canonical)) == shapes(superblocks->build(genotype)))
          << text;
      // What lies in between is the same network, too.
      for (std::size_t i = 0; i < genotype.size(); ++i)
        genotype[i] = superblocks->decisions()[i].nearest(std::midpoint(genotype[i], canonical[i]));
      ASSERT_EQ(superblocks->canonical(genotype), canonical) << text;
    });
  }
}

TEST_F(Superblocks, HasTheLeastNumbersAsCanonicalForm) {
  const auto superblocks = space();
  Genotype genotype = superblocks->decode("resnet18");
  genotype[kWidth] = 0.63;            // 322.6 of 512 channels, rounded to 320
  genotype[kSparsityOfThird] = 0.34;  // of 160 channels 105.6 are to stay: 108 do
  const Genotype canonical = superblocks->canonical(genotype);
  // 512 become 320 from a multiplier of 316 / 512 = 0.617 on; the others, what they are, from less.
  EXPECT_EQ(canonical[kWidth], 0.62);
  EXPECT_EQ(canonical[kSparsityOfThird], 0.33);  // 1 - 108 / 160 = 0.325, rounded up
}

TEST_F(Superblocks, WritesNumbersThatAPersonCanRead) {
  const auto superblocks = space();
  for_random(*superblocks, 100, [&](const Genotype& genotype) {
    for (const double value : superblocks->canonical(genotype))
      EXPECT_LE(number_text(value).size(), std::string{"0.38"}.size());
  });
  try {
    superblocks->decode(superblocks->encode(superblocks->decode("resnet18"))
                            .replace(std::string{"baseline=resnet18,width="}.size(), 1, "0.388"));
    FAIL() << "a width between two";
  } catch (const Error& error) {
    EXPECT_EQ(error.diagnostics()[0].message, "'width' cannot be '0.388'");
    EXPECT_EQ(error.diagnostics()[0].note, "its values are 0.01 apart: width=0.39");
  }
}

TEST_F(Superblocks, PrunesTheGroupThatIsAsked) {
  const auto superblocks = space();
  Genotype genotype = superblocks->decode("resnet18");
  const Graph dense = superblocks->build(genotype);
  genotype[kSparsityOfThird] = 0.5;
  const Graph pruned = superblocks->build(genotype);
  for (NodeId id = 0; id < dense.size(); ++id) {
    const bool is_third = dense.name(id).starts_with("group3/");
    EXPECT_EQ(pruned.node(id).shape.channels, dense.node(id).shape.channels / (is_third ? 2 : 1))
        << dense.name(id);
  }
}

at::Tensor selected(const at::Tensor& from, int dimension, const std::vector<int>& kept) {
  const std::vector<std::int64_t> indices(kept.begin(), kept.end());
  return from.index_select(dimension, at::tensor(indices));
}

/// Zeroes the weights and biases of all channels that are not kept.
void mask(at::Tensor& weight, const std::vector<int>& kept) {
  const std::vector<std::int64_t> indices(kept.begin(), kept.end());
  at::Tensor keep = at::zeros({weight.size(0)});
  keep.index_fill_(0, at::tensor(indices), 1.0);
  std::vector<std::int64_t> along(static_cast<std::size_t>(weight.dim()), 1);
  along[0] = -1;
  weight.mul_(keep.view(along));
}

/// Carries a network's weights over to what pruning left of it, and masks them in itself.
void carry_over(Network& dense, const std::vector<std::vector<int>>& kept, Network& pruned) {
  const Graph& graph = dense.graph();
  for (NodeId id = 0; id < graph.size(); ++id) {
    auto& [weight, bias] = dense.parameters(id);
    if (!weight.defined()) continue;
    const auto& own = kept[static_cast<std::size_t>(id)];
    const NodeId input = graph.inputs(id)[0];
    mask(weight, own);
    at::Tensor carried = selected(weight, 0, own);
    if (weight.dim() > 1 && graph.node(id).groups == 1) {
      // A linear layer reads every pixel of a channel.
      const at::Tensor planes =
          carried.view({carried.size(0), graph.node(input).shape.channels, -1});
      carried = selected(planes, 1, kept[static_cast<std::size_t>(input)]);
    }
    auto& into = pruned.parameters(id);
    into.weight.copy_(carried.reshape(into.weight.sizes()));
    if (!bias.defined()) continue;
    mask(bias, own);
    into.bias.copy_(selected(bias, 0, own));
  }
}

/// Random weights and biases everywhere, so that nothing is zero by chance.
Network drawn(const Graph& graph) {
  Network network{graph};
  network.initialise(Init::kaiming_normal_fan_in, 3, "weights");
  Random random = Random::stream(3, {"biases"});
  for (NodeId id = 0; id < graph.size(); ++id) {
    at::Tensor& bias = network.parameters(id).bias;
    if (bias.defined())
      random.fill_normal({bias.data_ptr<float>(), static_cast<std::size_t>(bias.numel())}, 0.1);
  }
  return network;
}

/// With batch norm folded away: statistics of a batch would hide a bias that leaks.
void expect_pruned_to_compute_what_masked_does(const Graph& graph, const std::string& name) {
  const Coupling coupling = coupled_channels(graph);
  Random random = Random::stream(5, {"pruning"});
  std::vector<double> sparsity;
  std::vector<std::vector<double>> scores;
  for (const ChannelGroup& group : coupling.groups) {
    sparsity.push_back(0.6 * random.uniform());
    for (scores.emplace_back(); std::ssize(scores.back()) < group.channels;)
      scores.back().push_back(random.uniform());
  }
  const Pruned less = pruned(graph, coupling, sparsity, scores);
  ASSERT_LT(params(less.graph), 0.8 * static_cast<double>(params(graph))) << name;
  Network dense = drawn(graph), small{less.graph};
  carry_over(dense, less.kept, small);
  const Shape& in = graph.node(0).shape;
  at::Tensor inputs = at::empty({3, in.channels, in.height, in.width});
  random.fill_normal({inputs.data_ptr<float>(), static_cast<std::size_t>(inputs.numel())}, 1.0);
  const at::Tensor expected = dense.forward(inputs);
  const double size = expected.abs().max().item<double>();
  EXPECT_LT((small.forward(inputs) - expected).abs().max().item<double>(), 1e-5 * size) << name;
  EXPECT_GT((expected[0] - expected[1]).abs().max().item<double>(), 1e-3 * size)
      << name << " hardly depends on its input: the test says nothing";
}

TEST_F(Superblocks, ComputesPrunedWhatTheMaskedNetworkComputes) {
  const at::NoGradGuard no_grad;
  for (const char* const settings : {"{height: 64, width: 64}", kSeries}) {
    const auto superblocks = space(settings);
    const std::vector<Decision> decisions = superblocks->decisions();
    for (const std::string& name : decisions.front().options)
      expect_pruned_to_compute_what_masked_does(
          deployed(superblocks->build(superblocks->decode(name))), name);
  }
}

// --- Maps of boxes ---

constexpr const char* kBoxes = "{height: 64, width: 64, classes: 1, head: detection}";

TEST_F(Superblocks, EndsInAMapOfBoxes) {
  const auto boxes = space(kBoxes);
  for (const char* const name : {"mobilenet_v2", "resnet18", "squeezenet", "mbednet",
                                 "mobilenet_v1", "efficientnet_lite0"}) {
    const Graph graph = boxes->build(boxes->decode(name));
    const Node& last = graph.node(graph.output());
    EXPECT_EQ(last.op, Op::conv) << name;
    EXPECT_EQ(last.shape.channels, 15) << name;
    EXPECT_GT(last.shape.pixels(), 1) << name;
  }
  const auto more = space("{height: 64, width: 64, classes: 3, head: detection, anchors: 2}");
  const Graph graph = more->build(more->decode("mbednet"));
  EXPECT_EQ(graph.node(graph.output()).shape, (Shape{16, 4, 4}));
}

/// Pruned networks of any decisions keep all channels of the map, have no more MACs, and their int8
/// is lowered; what a search costs is what it builds.
TEST_F(Superblocks, PrunesNoChannelOfAMap) {
  const auto boxes = space(kBoxes);
  for_random(*boxes, 12, [&](const Genotype& genotype) {
    const Graph graph = boxes->build(genotype);
    EXPECT_EQ(graph.node(graph.output()).shape.channels, 15);
    const auto whole = boxes->unpruned(genotype);
    EXPECT_LE(macs(graph), macs(whole->graph));
    const Int8Network lowered = lower(drawn_network(graph, 1));
    EXPECT_EQ(lowered.tensor(lowered.output).shape, graph.node(graph.output()).shape);
    EXPECT_EQ(macs(boxes->build(boxes->canonical(genotype))), macs(graph));
  });
}

TEST_F(Superblocks, RefusesHeadsThatDoNotFit) {
  EXPECT_TRUE(why([] { space("{classes: 1}"); }).ends_with("there is nothing to tell apart"));
  EXPECT_TRUE(why([] {
                space("{families: [mbednet_1d], channels: 1, head: detection}");
              }).ends_with("are for time series, which have no boxes"));
}

}  // namespace
}  // namespace thimble::superblocks_test
