// Known networks against their published counts, and against a count made from the authors' own
// declarations.

#include <cstdint>
#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <support/world.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>

namespace thimble::zoo_test {
namespace {

std::unique_ptr<SearchSpace> space(const std::string& yaml) {
  static PluginLoader loader = testing::plugins();
  return testing::make<SearchSpace>(loader, "zoo", yaml);
}

Graph network(const std::string& name) { return space("{networks: [" + name + "]}")->build({0}); }

const std::map<std::string, std::string>& mcunet_files() {
  static const std::map<std::string, std::string> files{
      {"mcunet_in0", "mcunet-10fps"},         {"mcunet_in1", "mcunet-5fps"},
      {"mcunet_in2", "mcunet-256kb-1mb"},     {"mcunet_in3", "mcunet-320kb-1mb"},
      {"mcunet_in4", "mcunet-512kb-2mb"},     {"mobilenet_v2_035", "mbv2-w0.35-r144"},
      {"proxyless_03", "proxyless-w0.3-r176"}};
  return files;
}

/// macs() counts additions of fully connected layers' biases, too; others do not.
std::int64_t multiplications(const Graph& graph) {
  std::int64_t count = macs(graph);
  for (const Node& node : graph.nodes())
    if (node.op == Op::linear) count -= node.shape.channels;
  return count;
}

TEST(Zoo, HasTheMacsOfMlperfTiny) {
  EXPECT_EQ(multiplications(network("resnet8")), 12'501'632);
  EXPECT_EQ(multiplications(network("ds_cnn")), 2'656'768);
  EXPECT_EQ(multiplications(network("mobilenet_v1_025")), 7'489'664);
  EXPECT_EQ(multiplications(network("autoencoder")), 264'192);
}

TEST(Zoo, HasTheCountsThatMcunetsAuthorsPublished) {
  struct Published {
    double macs_m;
    double params_m;
  };
  const std::map<std::string, Published> published{
      {"mcunet_in0", {6.4, 0.75}},   {"mcunet_in1", {12.8, 0.64}},
      {"mcunet_in2", {67.3, 0.73}},  {"mcunet_in3", {81.8, 0.74}},
      {"mcunet_in4", {125.9, 1.73}}, {"mobilenet_v2_035", {23.5, 0.75}},
      {"proxyless_03", {38.3, 0.75}}};
  for (const auto& [name, counts] : published) {
    const Graph graph = network(name);
    EXPECT_NEAR(static_cast<double>(macs(graph)) / 1e6, counts.macs_m, 0.051) << name;
    EXPECT_NEAR(static_cast<double>(params(graph)) / 1e6, counts.params_m, 0.0051) << name;
  }
}

struct Counts {
  std::int64_t macs = 0;
  std::int64_t params = 0;
};

/// Of a declaration, layer by layer; batch norm has two parameters a channel.
class Counter {
 public:
  explicit Counter(int resolution) : size_{resolution} {}

  void convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride,
                   std::int64_t groups) {
    size_ = (size_ + stride - 1) / stride;
    const std::int64_t weights = in / groups * out * kernel * kernel;
    counts_.macs += weights * size_ * size_;
    counts_.params += weights + 2 * out;
  }
  void linear(std::int64_t in, std::int64_t out) {
    counts_.macs += in * out;
    counts_.params += in * out + out;
  }
  const Counts& counts() const { return counts_; }

 private:
  std::int64_t size_;
  Counts counts_;
};

Counts counts_of(const nlohmann::json& declared) {
  Counter counter{declared.at("resolution").get<int>()};
  const auto conv = [&](const nlohmann::json& layer) {
    counter.convolution(layer.at("in_channels"), layer.at("out_channels"), layer.at("kernel_size"),
                        layer.at("stride"), 1);
  };
  conv(declared.at("first_conv"));
  for (const auto& block : declared.at("blocks")) {
    const auto& layer = block.at("mobile_inverted_conv");
    if (layer.at("name") == "ZeroLayer") continue;
    const int in = layer.at("in_channels"), out = layer.at("out_channels");
    const int ratio = layer.at("expand_ratio");
    const int inner = layer.contains("mid_channels") && !layer.at("mid_channels").is_null()
                          ? layer.at("mid_channels").get<int>()
                          : in * ratio;
    if (ratio != 1) counter.convolution(in, inner, 1, 1, 1);
    counter.convolution(inner, inner, layer.at("kernel_size"), layer.at("stride"), inner);
    counter.convolution(inner, out, 1, 1, 1);
  }
  if (!declared.at("feature_mix_layer").is_null()) conv(declared.at("feature_mix_layer"));
  counter.linear(declared.at("classifier").at("in_features"),
                 declared.at("classifier").at("out_features"));
  return counter.counts();
}

TEST(Zoo, CountsWhatTheDeclarationsOfMcunetCount) {
  THIMBLE_NEEDS_DATA("mcunet_configs");
  for (const auto& [name, file] : mcunet_files()) {
    std::ifstream stream{testing::test_data() / "mcunet_configs" / (file + "_imagenet.json")};
    const Counts declared = counts_of(nlohmann::json::parse(stream));
    EXPECT_EQ(multiplications(network(name)), declared.macs) << name;
    EXPECT_EQ(params(network(name)), declared.params) << name;
  }
}

TEST(Zoo, ClassifiesActivitiesWithLessThanThreeHundredThousandMacs) {
  const Graph graph = network("cnn_1d");
  EXPECT_EQ(multiplications(graph), 64 * 16 * 5 * 9 + 32 * 32 * 5 * 16 + 16 * 64 * 5 * 32 + 64 * 6);
  EXPECT_LT(macs(graph), 300'000);
}

TEST(Zoo, BuildsForDataOfOnesOwn) {
  const auto other = space(
      "{networks: [resnet8, mobilenet_v1_025, mcunet_in0], channels: 1, height: 28, width: 28, "
      "classes: 47}");
  for (double i = 0; i < 3; ++i) {
    const Graph graph = other->build({i});
    EXPECT_EQ(graph.node(0).shape, (Shape{1, 28, 28}));
    EXPECT_EQ(graph.node(graph.output()).shape, (Shape{47, 1, 1}));
    EXPECT_FALSE(deployed(graph).nodes().empty());
  }
  const Graph frames = space("{networks: [autoencoder], channels: 320}")->build({0});
  EXPECT_EQ(frames.node(frames.output()).shape.channels, 320);
}

TEST(Zoo, EndsInAMapOfBoxes) {
  const Graph graph =
      space("{networks: [mobilenet_v1_025], height: 128, width: 128, classes: 1, head: detection}")
          ->build({0});
  EXPECT_EQ(graph.node(graph.output()).shape, (Shape{15, 4, 4}));
  // All of it but the classifier, on 16/9 as many pixels, and the map.
  EXPECT_EQ(macs(graph), (7'489'664 - 2 * 256) * 16 / 9 + 16 * 256 * 15);
  const Graph two =
      space("{networks: [resnet8], classes: 2, head: detection, anchors: 2}")->build({0});
  EXPECT_EQ(two.node(two.output()).shape, (Shape{14, 8, 8}));
}

TEST(Zoo, ReadsBareNames) {
  const auto two = space("{networks: [mcunet_in2, mcunet_in4]}");
  EXPECT_EQ(two->decode("mcunet_in4"), (Genotype{1}));
  EXPECT_EQ(two->decode(two->encode({1})), (Genotype{1}));
  EXPECT_THROW(two->decode("mcunet_in5"), Error);
}

TEST(Zoo, RefusesNetworksThatDoNotGoTogether) {
  const auto refused = [](const std::string& yaml, const std::string& why) {
    EXPECT_THAT([&] { space(yaml); },
                ::testing::ThrowsMessage<InputError>(::testing::HasSubstr(why)))
        << yaml;
  };
  refused("{networks: []}", "names no network");
  refused("{networks: [resnet8, resnet8]}", "'resnet8' stands twice");
  refused("{networks: [resnet8, ds_cnn]}", "inputs of 3x32x32 and 1x49x10");
  refused("{networks: [resnet8, mobilenet_v1_025], height: 32, width: 32}", "10 and 2 outputs");
  refused("{networks: [autoencoder], classes: 2}", "has no 'classes'");
  refused("{networks: [resnet9]}", "did you mean 'resnet8'?");
  refused("{networks: [autoencoder], head: detection}", "has no map that could tell of boxes");
}

}  // namespace
}  // namespace thimble::zoo_test
