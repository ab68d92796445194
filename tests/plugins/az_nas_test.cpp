// AZ-NAS: entropies, progress and gradients from block to block.

#include <support/plain_maths.hpp>
#include <thimble/core/error.hpp>
#include <thimble/graph/blocks.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>

namespace thimble::az_nas_test {
namespace {

using testing::centred;
using testing::channels_of;
using testing::dot;
using testing::eigenvalues;
using testing::expect_naive;
using testing::linear_network;
using testing::make;
using testing::Matrix;
using testing::normal_images;
using testing::outputs_of;
using testing::pairwise;
using testing::plugins;
using testing::Row;
using testing::Scene;
using testing::score;

/// A stem and a block that halves the image, in scopes, and a classifier.
Graph strided_network() {
  Graph g;
  NodeId x = g.input({3, 8, 8});
  {
    const Graph::Scope scope{g, "stem"};
    x = conformance::conv_bn_relu(g, x, 4);
  }
  {
    const Graph::Scope scope{g, "block"};
    x = g.relu(
        g.batch_norm(g.conv(x, {.out = 6, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}})));
  }
  conformance::classifier(g, x);
  return g;
}

/// In the small networks, which have no scopes, all that every path goes through.
std::vector<NodeId> blocks_of(const Graph& graph) {
  std::vector<NodeId> blocks;
  for (NodeId id = 1; id < graph.size() - 2; ++id) {
    bool is_passed = false;
    for (NodeId reader = id + 1; reader < graph.size(); ++reader)
      for (const NodeId input : graph.inputs(reader)) is_passed = is_passed || input < id;
    if (!is_passed) blocks.push_back(id);
  }
  return blocks;
}

Row naive_entropies(const Scene& scene, const std::vector<NodeId>& blocks) {
  const auto outputs = outputs_of(scene);
  Row entropies;
  for (const NodeId id : blocks) {
    const Row values = eigenvalues(
        pairwise(channels_of(outputs[static_cast<std::size_t>(id)]),
                 [](const Row& a, const Row& b) { return dot(centred(a), centred(b)); }));
    const double sum = std::accumulate(values.begin(), values.end(), 0.0);
    double entropy = 0;
    for (const double value : values) entropy -= value / sum * std::log(value / sum + 1e-8);
    entropies.push_back(entropy);
  }
  return entropies;
}

double naive_trainability(const Scene& scene, const std::vector<NodeId>& blocks) {
  Random random = Observation{scene.network(), scene.batches()}.random("az_nas");
  double score = 0;
  for (std::size_t l = 1; l < blocks.size(); ++l) {
    const auto outputs = outputs_of(scene.network(), scene.batches()[0].images, blocks[l - 1]);
    const at::Tensor& from = outputs[static_cast<std::size_t>(blocks[l - 1])];
    const at::Tensor& to = outputs[static_cast<std::size_t>(blocks[l])];
    at::Tensor out = at::empty(to.sizes(), to.options());
    for (std::int64_t i = 0; i < out.numel(); ++i)
      out.view({-1})[i] = random.uniform() < 0.5 ? -1 : 1;
    const at::Tensor in = torch::autograd::grad({to}, {from}, {out})[0].to(at::kDouble);
    const std::int64_t stride = in.size(2) / out.size(2);
    Matrix columns;  // of gradients by the block before: a channel and a place in a window each
    for (std::int64_t c = 0; c < in.size(1); ++c)
      for (std::int64_t y = 0; y < stride; ++y)
        for (std::int64_t x = 0; x < stride; ++x) {
          const at::Tensor place = in.select(1, c)
                                       .slice(1, y, {}, stride)
                                       .slice(2, x, {}, stride)
                                       .flatten()
                                       .contiguous();
          columns.emplace_back(place.data_ptr<double>(), place.data_ptr<double>() + place.numel());
        }
    const Matrix ends = channels_of(out);
    Matrix product;  // one row a channel of `out`
    for (const Row& end : ends) {
      Row row;
      for (const Row& column : columns)
        row.push_back(dot(column, end) / static_cast<double>(end.size()));
      product.push_back(row);
    }
    const double largest = std::sqrt(eigenvalues(pairwise(product, dot)).back());
    score += 2 - largest - 1 / (largest + 1e-6);
  }
  return score / static_cast<double>(blocks.size() - 1);
}

TEST(AzNas, SumsEntropies) {
  expect_naive("az_nas", "score: expressivity", [](const Scene& scene) {
    const Row entropies = naive_entropies(scene, blocks_of(scene.graph()));
    return std::accumulate(entropies.begin(), entropies.end(), 0.0);
  });
}

TEST(AzNas, FindsTheLeastProgress) {
  expect_naive("az_nas", "score: progressivity", [](const Scene& scene) {
    const Row entropies = naive_entropies(scene, blocks_of(scene.graph()));
    double least = entropies[1] - entropies[0];
    for (std::size_t l = 2; l < entropies.size(); ++l)
      least = std::min(least, entropies[l] - entropies[l - 1]);
    return least;
  });
}

TEST(AzNas, FollowsGradientsThroughBlocks) {
  expect_naive("az_nas", "score: trainability", [](const Scene& scene) {
    return naive_trainability(scene, blocks_of(scene.graph()));
  });
}

TEST(AzNas, AlignsBlocksWithAStride) {
  PluginLoader loader = plugins();
  const auto proxy =
      make<Proxy>(loader, "az_nas", "{score: trainability, batch: 8, double_precision: true}");
  const Scene scene{strided_network(), proxy->pass()};
  EXPECT_NEAR(scene.score(*proxy), naive_trainability(scene, {3, 6}), 1e-8);
}

TEST(AzNas, CountsWork) {
  expect_naive("az_nas", "score: complexity",
               [](const Scene& scene) { return static_cast<double>(macs(scene.graph())); });
}

TEST(AzNas, SeesTheStemCellsAndReductionsOfNasBench201) {
  PluginLoader loader = plugins();
  const auto space = make<SearchSpace>(loader, "nasbench201");
  for (const std::string cell :
       {"|nor_conv_3x3~0|+|none~0|nor_conv_1x1~1|+|none~0|none~1|skip_connect~2|",
        "|nor_conv_3x3~0|+|avg_pool_3x3~0|nor_conv_1x1~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"})
    EXPECT_EQ(block_outputs(live(space->build(space->decode(cell)))).size(), 1 + 15 + 2) << cell;
}

TEST(AzNas, HasNoScoreForBlocksThatDoNothing) {
  Graph g;
  NodeId x = g.input({3, 8, 8});
  for (const std::string name : {"stem", "cell"}) {
    const Graph::Scope scope{g, name};
    x = name == "stem" ? g.conv(x, {.out = 4}) : g.add(std::vector<NodeId>{x});
  }
  conformance::classifier(g, x);
  PluginLoader loader = plugins();
  const auto proxy = make<Proxy>(loader, "az_nas", "{score: trainability}");
  EXPECT_THROW(score(*proxy, g, normal_images(2)), Error);
}

/// A classifier in a scope of its own, behind two blocks from `size` pixels on.
Graph with_scoped_classifier(int size) {
  Graph g;
  NodeId x = g.input({3, size, size});
  for (const std::string name : {"stem", "cell", "head"}) {
    const Graph::Scope scope{g, name};
    x = name == "stem" ? g.relu(g.conv(x, {.out = 4}))
        : name == "cell"
            ? g.relu(g.conv(x, {.out = 4, .kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}}))
            : g.linear(g.global_avg_pool(x), 5);
  }
  return g;
}

TEST(AzNas, LeavesOutTheClassifier) {
  PluginLoader loader = plugins();
  const auto expressivity =
      make<Proxy>(loader, "az_nas", "{score: expressivity, double_precision: true}");
  const Scene scene{with_scoped_classifier(8), expressivity->pass()};
  ASSERT_EQ(block_outputs(scene.graph()).back(), scene.graph().output());
  const Row entropies = naive_entropies(scene, {2, 4});
  EXPECT_NEAR(scene.score(*expressivity), entropies[0] + entropies[1], 1e-8);
}

TEST(AzNas, HasNoScoreForStridesThatDoNotDivide) {
  PluginLoader loader = plugins();
  const auto proxy = make<Proxy>(loader, "az_nas", "{score: trainability}");
  const at::Tensor images = at::randn({2, 3, 7, 7});
  EXPECT_THROW(score(*proxy, with_scoped_classifier(7), images), Error);
}

TEST(AzNas, HasNoScoreForASingleBlock) {
  PluginLoader loader = plugins();
  const auto proxy = make<Proxy>(loader, "az_nas");
  EXPECT_THROW(score(*proxy, linear_network(), at::ones({2, 1, 1, 4})), Error);
}

}  // namespace
}  // namespace thimble::az_nas_test
