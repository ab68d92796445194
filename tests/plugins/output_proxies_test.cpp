// Proxies made of what nodes give, against loops over single numbers and LibTorch's tape.

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include <support/scene.hpp>

#include <thimble/core/error.hpp>
#include <thimble/graph/blocks.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/search_space.hpp>

namespace thimble {
namespace {

using testing::expect_naive;
using testing::make;
using testing::plugins;
using testing::Scene;

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

/// N x ... as N rows.
Matrix rows_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().reshape({tensor.size(0), -1}).to(at::kDouble);
  Matrix rows;
  for (std::int64_t i = 0; i < flat.size(0); ++i) {
    const at::Tensor row = flat[i].contiguous();
    rows.emplace_back(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
  }
  return rows;
}

/// Channels of N x C x H x W, each with all of its samples' pixels.
Matrix channels_of(const at::Tensor& images) { return rows_of(images.transpose(0, 1)); }

double dot(const Row& a, const Row& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

Row centred(Row row) {
  const double mean =
      std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(row.size());
  for (double& value : row) value -= mean;
  return row;
}

double correlation_of(const Row& a, const Row& b) {
  const Row x = centred(a);
  const Row y = centred(b);
  const double lengths = std::sqrt(dot(x, x) * dot(y, y));
  return lengths > 0 ? dot(x, y) / lengths : 0;
}

/// How each two rows go together, by `measure`.
template <class Measure>
Matrix pairwise(const Matrix& rows, const Measure& measure) {
  Matrix all(rows.size(), Row(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows.size(); ++j) all[i][j] = measure(rows[i], rows[j]);
  return all;
}

/// Of a symmetric matrix, ascending, by Jacobi's rotations.
Row eigenvalues(Matrix m) {
  const std::size_t n = m.size();
  for (int sweep = 0; sweep < 30; ++sweep)
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        if (m[p][q] == 0) continue;
        const double angle = 0.5 * std::atan2(2 * m[p][q], m[q][q] - m[p][p]);
        const double c = std::cos(angle);
        const double s = std::sin(angle);
        for (std::size_t k = 0; k < n; ++k) {
          const double a = m[k][p];
          const double b = m[k][q];
          m[k][p] = c * a - s * b;
          m[k][q] = s * a + c * b;
        }
        for (std::size_t k = 0; k < n; ++k) {
          const double a = m[p][k];
          const double b = m[q][k];
          m[p][k] = c * a - s * b;
          m[q][k] = s * a + c * b;
        }
      }
  Row values;
  for (std::size_t i = 0; i < n; ++i) values.push_back(m[i][i]);
  std::ranges::sort(values);
  return values;
}

/// Every node's output by LibTorch's ordinary operators; the tape begins at `leaf`.
std::vector<at::Tensor> outputs_of(const Network& network, const at::Tensor& images,
                                   NodeId leaf = -1) {
  const Graph& graph = network.graph();
  std::vector<at::Tensor> outputs;
  const auto pair = [](Extent e) { return std::vector<std::int64_t>{e.height, e.width}; };
  for (NodeId id = 0; id < graph.size(); ++id) {
    const Node& node = graph.node(id);
    const auto& [weight, bias] = network.parameters(id);
    std::vector<at::Tensor> in;
    for (const NodeId input : graph.inputs(id))
      in.push_back(outputs[static_cast<std::size_t>(input)]);
    at::Tensor out;
    switch (node.op) {
      case Op::input: out = images; break;
      case Op::conv:
        out = at::conv2d(in[0], weight, bias, pair(node.stride), pair(node.padding));
        break;
      case Op::batch_norm:
        out = at::batch_norm(in[0], weight, bias, {}, {}, true, 0, 1e-5, false);
        break;
      case Op::relu: out = at::relu(in[0]); break;
      case Op::avg_pool:
        out = at::avg_pool2d(in[0], pair(node.kernel), pair(node.stride), pair(node.padding), false,
                             false);
        break;
      case Op::global_avg_pool: out = in[0].mean({2, 3}, true); break;
      case Op::linear: out = at::linear(in[0].flatten(1), weight, bias); break;
      case Op::add: out = std::accumulate(in.begin() + 1, in.end(), in[0]); break;
      default: ADD_FAILURE() << name_of(node.op);
    }
    if (id == leaf) out = out.detach().requires_grad_();
    outputs.push_back(out);
  }
  return outputs;
}

std::vector<at::Tensor> outputs_of(const Scene& scene) {
  return outputs_of(scene.network(), scene.batches()[0].images);
}

/// The gradient of the sum of all logits by the images, by LibTorch's tape.
at::Tensor jacobian_of(const Scene& scene) {
  const auto outputs = outputs_of(scene.network(), scene.batches()[0].images, 0);
  return torch::autograd::grad({outputs.back().sum()}, {outputs.front()})[0];
}

/// A proxy's score of a network on images at hand, in double.
double score(const Proxy& proxy, const Graph& graph, const at::Tensor& images,
             const at::Tensor& labels = {}, double weights = 1) {
  Network network{graph, at::kDouble};
  network.initialise(proxy.pass().init, 1, "weights");
  for (NodeId id = 0; id < graph.size(); ++id)
    if (graph.node(id).op == Op::conv)
      network.parameters(id).weight = network.parameters(id).weight * weights;
  const Samples samples{images.to(at::kDouble), labels};
  Observation seen{network, {&samples, 1}, proxy.reads()};
  return proxy.score(seen);
}

/// What stands in N x 1 x 1 x W goes through a ReLU into a classifier.
Graph relu_network(int width, int channels = 1) {
  Graph g;
  g.linear(g.relu(g.input({channels, 1, width})), 2);
  return g;
}

/// Rows of numbers as images of one row of pixels.
at::Tensor images_of(const Matrix& rows) {
  std::vector<at::Tensor> images;
  for (const Row& row : rows) images.push_back(at::tensor(row).reshape({1, 1, -1}));
  return at::stack(images);
}

at::Tensor normal_images(std::int64_t samples) {
  Random random{1};
  at::Tensor images = at::empty({samples, 3, 8, 8});
  random.fill_normal({images.data_ptr<float>(), static_cast<std::size_t>(images.numel())}, 1);
  return images.to(at::kDouble);
}

// naswot

TEST(Naswot, IsTheLogarithmOfTheKernelsDeterminant) {
  expect_naive("naswot", "", [](const Scene& scene) {
    const auto outputs = outputs_of(scene);
    const std::size_t n = rows_of(outputs[0]).size();
    Matrix kernel(n, Row(n));
    for (const NodeId id : relu_nodes(scene.graph())) {
      const auto equal =
          pairwise(rows_of(outputs[static_cast<std::size_t>(id)]), [](const Row& a, const Row& b) {
            double count = 0;
            for (std::size_t k = 0; k < a.size(); ++k) count += (a[k] > 0) == (b[k] > 0);
            return count;
          });
      for (std::size_t i = 0; i < n; ++i)
        for (std::size_t j = 0; j < n; ++j) kernel[i][j] += equal[i][j];
    }
    double log_determinant = 0;  // by Gauss's elimination
    for (std::size_t i = 0; i < n; ++i) {
      log_determinant += std::log(kernel[i][i]);
      for (std::size_t j = i + 1; j < n; ++j)
        for (std::size_t k = n; k-- > i;)
          kernel[j][k] -= kernel[j][i] / kernel[i][i] * kernel[i][k];
    }
    return log_determinant;
  });
}

TEST(Naswot, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto naswot = make<Proxy>(loader, "naswot");
  // Any two samples differ in two of three bits: K has 3 on the diagonal and 1 beside it.
  const auto images = images_of({{1, 2, -1}, {-1, 3, 1}, {-2, -1, -3}});
  EXPECT_NEAR(score(*naswot, relu_network(3), images), std::log(20), 1e-12);
  EXPECT_NEAR(score(*naswot, relu_network(3), images * 7), std::log(20), 1e-12);
}

TEST(Naswot, DoesNotMindTheOrderOfSamples) {
  PluginLoader loader = plugins();
  const auto naswot = make<Proxy>(loader, "naswot");
  const auto images = normal_images(8);
  const Graph g = conformance::residual_network();
  EXPECT_NEAR(score(*naswot, g, images), score(*naswot, g, images.flip({0})), 1e-9);
}

TEST(Naswot, HasNoScoreWhereSamplesCannotBeToldApart) {
  PluginLoader loader = plugins();
  const auto naswot = make<Proxy>(loader, "naswot");
  EXPECT_THROW(score(*naswot, relu_network(2), images_of({{1, -1}, {-1, -1}, {2, -3}})), Error)
      << "the same pattern twice";
  EXPECT_THROW(score(*naswot, relu_network(2), images_of({{1, 1}, {1, -1}, {-1, 1}, {-1, -1}})),
               Error)
      << "more samples than ReLU outputs make up";
  Graph none;
  none.linear(none.input({1, 1, 2}), 2);
  EXPECT_THROW(score(*naswot, none, images_of({{1, 1}, {1, -1}})), Error) << "no ReLU";
}

// meco

/// Of the first sample, over the nodes behind the input.
double naive_meco(const Scene& scene) {
  const auto outputs = outputs_of(scene);
  double sum = 0;
  for (std::size_t id = 1; id < outputs.size(); ++id)
    if (outputs[id].dim() == 4 && outputs[id].size(2) > 1)
      sum += eigenvalues(pairwise(rows_of(outputs[id][0]), correlation_of)).front();
  return sum;
}

TEST(Meco, SumsLeastEigenvalues) { expect_naive("meco", "", naive_meco); }

TEST(Meco, DrawsNoMoreChannelsThanThereAre) {
  // The small networks have 8 channels and fewer.
  expect_naive("meco", "channels: 8", naive_meco);
}

TEST(Meco, ScalesWhatItDraws) {
  PluginLoader loader = plugins();
  const auto two = make<Proxy>(loader, "meco", "{channels: 2}");
  // Four channels of which any two have a correlation of 1, or of -1: singular, whichever is drawn.
  at::Tensor images = at::tensor(Row{1, 2, 4, 2, 4, 8, 4, 2, 1, 3, 6, 12}).reshape({1, 4, 1, 3});
  EXPECT_NEAR(score(*two, relu_network(3, 4), images.index_select(1, at::tensor({0, 1, 3, 0}))), 0,
              1e-12);
  // Any two are uncorrelated: 4 / 2 times a least eigenvalue of 1.
  images = at::tensor(Row{1, 1, 0, 0, 0, 0, 0, 0,  // one row a channel
                          1, 0, 1, 0, 0, 0, 0, 0,  //
                          1, 0, 0, 1, 0, 0, 0, 0,  //
                          0, 1, 1, 1, 0, 0, 0, 0})
               .reshape({1, 4, 1, 8});
  const auto all = make<Proxy>(loader, "meco");
  EXPECT_GT(score(*two, relu_network(8, 4), images), score(*all, relu_network(8, 4), images));
}

TEST(Meco, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto meco = make<Proxy>(loader, "meco");
  // Two channels with a correlation of 0.8.
  const auto images = at::tensor(Row{1, 2, 3, 4, 1, 3, 2, 4}).reshape({1, 2, 1, 4});
  EXPECT_NEAR(score(*meco, relu_network(4, 2), images), 0.2, 1e-12);
  const auto order = at::tensor({2, 0, 3, 1});
  EXPECT_NEAR(score(*meco, relu_network(4, 2), images.index_select(3, order)), 0.2, 1e-12);
  const auto scales = at::tensor(Row{3, 0.5}).reshape({1, 2, 1, 1});
  EXPECT_NEAR(score(*meco, relu_network(4, 2), images * scales), 0.2, 1e-12);
}

TEST(Meco, IsZeroWhereAChannelDoesNotVary) {
  PluginLoader loader = plugins();
  const auto meco = make<Proxy>(loader, "meco");
  EXPECT_THROW(score(*meco, relu_network(1, 2), at::ones({1, 2, 1, 1})), Error) << "one pixel";
  const auto constant = at::tensor(Row{1, 2, 3, 5, 5, 5}).reshape({1, 2, 1, 3});
  EXPECT_NEAR(score(*meco, relu_network(3, 2), constant), 0, 1e-12) << "a constant channel";
}

TEST(Meco, CountsTheEndsOfContainersAgain) {
  Graph g;
  NodeId x = g.input({2, 1, 4});
  {
    const Graph::Scope stem{g, "stem"};
    x = g.relu(x);
  }
  g.linear(x, 2);
  PluginLoader loader = plugins();
  const auto meco = make<Proxy>(loader, "meco", "{containers: true}");
  const auto images = at::tensor(Row{1, 2, 3, 4, 1, 3, 2, 4}).reshape({1, 2, 1, 4});
  EXPECT_NEAR(score(*meco, g, images), 0.4, 1e-12);
}

// jacov and epe_nas

TEST(Jacov, SumsOverTheEigenvaluesOfTheCorrelation) {
  expect_naive("jacov", "", [](const Scene& scene) {
    double sum = 0;
    for (const double v : eigenvalues(pairwise(rows_of(jacobian_of(scene)), correlation_of)))
      sum -= std::log(v + 1e-5) + 1 / (v + 1e-5);
    return sum;
  });
}

/// Logits that are linear in the image: every sample has the same gradient.
Graph linear_network(int classes = 2) {
  Graph g;
  g.linear(g.input({1, 1, 4}), classes);
  return g;
}

TEST(Jacov, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto jacov = make<Proxy>(loader, "jacov");
  const double of_two = std::log(2 + 1e-5) + 1 / (2 + 1e-5);  // eigenvalues 2 and 0
  const double of_none = std::log(1e-5) + 1e5;
  EXPECT_NEAR(score(*jacov, linear_network(), at::ones({2, 1, 1, 4})), -of_two - of_none, 1e-3);
}

TEST(Jacov, DoesNotMindTheOrderOfSamples) {
  PluginLoader loader = plugins();
  const auto jacov = make<Proxy>(loader, "jacov");
  const auto images = normal_images(8);
  const Graph g = conformance::residual_network();
  EXPECT_NEAR(score(*jacov, g, images), score(*jacov, g, images.flip({0})), 1e-6);
}

TEST(Jacov, HasNoScoreWhereTheLogitsDoNotDependOnASample) {
  PluginLoader loader = plugins();
  const auto jacov = make<Proxy>(loader, "jacov");
  const auto images = images_of({{1, 2, 3}, {-1, -2, -3}});  // a ReLU lets nothing of one through
  EXPECT_THROW(score(*jacov, relu_network(3), images), Error);
}

Row epe_sums(const Matrix& jacobian, const at::Tensor& labels) {
  std::map<std::int64_t, Matrix> by_label;
  for (std::size_t i = 0; i < jacobian.size(); ++i)
    by_label[labels[static_cast<std::int64_t>(i)].item<std::int64_t>()].push_back(jacobian[i]);
  Row sums;
  for (const auto& [label, rows] : by_label) {
    double sum = 0;
    for (const Row& row : pairwise(rows, correlation_of))
      for (const double r : row) sum += std::log(std::abs(r) + 1e-5);
    sums.push_back(sum);
  }
  return sums;
}

TEST(EpeNas, SumsOverPairsWithinClasses) {
  expect_naive("epe_nas", "", [](const Scene& scene) {
    double score = 0;
    for (const double sum : epe_sums(rows_of(jacobian_of(scene)), scene.batches()[0].labels))
      score += std::abs(sum);
    return score;
  });
}

TEST(EpeNas, CountsEqualGradientsAsNothing) {
  PluginLoader loader = plugins();
  const auto epe = make<Proxy>(loader, "epe_nas");
  const auto images = at::ones({3, 1, 1, 4});
  const auto labels = at::tensor(std::vector<std::int64_t>{0, 0, 1});
  EXPECT_NEAR(score(*epe, linear_network(), images, labels), 4 * std::log(1 + 1e-5), 1e-12);
}

TEST(EpeNas, ComparesClassesWhereThereAreMany) {
  PluginLoader loader = plugins();
  const auto epe = make<Proxy>(loader, "epe_nas");
  const auto compat = make<Proxy>(loader, "epe_nas", "{compat: true}");
  const auto images = at::ones({5, 1, 1, 4});
  const auto labels = at::tensor(std::vector<std::int64_t>{7, 7, 100, 100, 100});
  const double one = std::log(1 + 1e-5);
  // Means over samples of 2 and 3 times this; each of two classes meets the other.
  EXPECT_NEAR(score(*epe, linear_network(101), images, labels), 2 * one / 2, 1e-12);
  EXPECT_NEAR(score(*compat, linear_network(101), images, labels), (4 + 9) * one, 1e-12);
}

TEST(EpeNas, HasNoScoreWithoutPairs) {
  PluginLoader loader = plugins();
  const auto epe = make<Proxy>(loader, "epe_nas");
  const auto labels = at::tensor(std::vector<std::int64_t>{0, 1});
  EXPECT_THROW(score(*epe, linear_network(), at::ones({2, 1, 1, 4}), labels), Error);
}

// zen

/// The images beside those of a scene; `seen` is any observation of it.
at::Tensor moved_images(const Scene& scene) {
  const at::Tensor& images = scene.batches()[0].images;
  Random random = Observation{scene.network(), scene.batches()}.random("zen");
  at::Tensor noise = at::empty(images.sizes(), images.options());
  for (std::int64_t i = 0; i < noise.numel(); ++i)
    noise.view({-1})[i] = static_cast<float>(random.normal());
  return images + 0.01 * noise;
}

double naive_zen(const Scene& scene, bool compat) {
  const auto before = outputs_of(scene);
  const auto after = outputs_of(scene.network(), moved_images(scene));
  const std::size_t features = before.size() - 3;  // then pooling and a classifier
  const Matrix a = rows_of(before[features]);
  const Matrix b = rows_of(after[features]);
  double length = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t k = 0; k < a[i].size(); ++k) length += std::abs(a[i][k] - b[i][k]);
  double score = std::log(length / static_cast<double>(a.size()));
  const auto mean_variance = [&](const at::Tensor& x, bool unbiased) {
    double sum = 0;
    const Matrix channels = channels_of(x);
    for (const Row& channel : channels) {
      const Row values = centred(channel);
      sum += dot(values, values) / static_cast<double>(values.size() - (unbiased ? 1 : 0));
    }
    return sum / static_cast<double>(channels.size());
  };
  for (NodeId id = 0; id < scene.graph().size(); ++id) {
    if (scene.graph().node(id).op != Op::batch_norm) continue;
    const auto input = static_cast<std::size_t>(scene.graph().inputs(id)[0]);
    if (!compat) {
      score += std::log(std::sqrt(mean_variance(before[input], false)));
      continue;
    }
    double running = 1;  // with a momentum of 0.1
    running = 0.9 * running + 0.1 * mean_variance(before[input], true);
    running = 0.9 * running + 0.1 * mean_variance(after[input], true);
    score += std::log(std::sqrt(running));
  }
  return score;
}

TEST(Zen, MeasuresAStepAndPutsTheScaleBack) {
  expect_naive("zen", "", [](const Scene& scene) { return naive_zen(scene, false); });
}

TEST(Zen, TakesTheRunningVarianceWhenAsked) {
  expect_naive("zen", "compat: true", [](const Scene& scene) { return naive_zen(scene, true); });
}

TEST(Zen, GrowsWithTheLogarithmOfTheWeights) {
  PluginLoader loader = plugins();
  const auto zen = make<Proxy>(loader, "zen");
  const Graph g = conformance::plain_network(3);  // three batch norms take the scale out
  const auto images = normal_images(8);
  EXPECT_NEAR(score(*zen, g, images, {}, 10), score(*zen, g, images) + 3 * std::log(10), 1e-5);
}

// swap

double naive_swap(const Scene& scene) {
  const auto outputs = outputs_of(scene);
  std::set<std::string> columns;
  for (const NodeId id : relu_nodes(scene.graph())) {
    const Matrix rows = rows_of(outputs[static_cast<std::size_t>(id)]);
    for (std::size_t k = 0; k < rows[0].size(); ++k) {
      std::string column;
      for (const Row& row : rows) column += row[k] > 0 ? '1' : '0';
      columns.insert(column);
    }
  }
  return static_cast<double>(columns.size());
}

TEST(Swap, CountsDifferentColumns) { expect_naive("swap", "", naive_swap); }

TEST(Swap, CountsColumnsOfLargeBatches) {
  PluginLoader loader = plugins();
  for (const std::string batch : {"64", "65", "150"}) {
    const auto swap = make<Proxy>(loader, "swap", "{batch: " + batch + "}");
    const Scene scene{conformance::residual_network(), swap->pass()};
    EXPECT_EQ(scene.score(*swap), naive_swap(scene)) << batch;
  }
}

TEST(Swap, CanBeWorkedOutByHand) {
  PluginLoader loader = plugins();
  const auto swap = make<Proxy>(loader, "swap");
  const auto images = images_of({{1, 2, -1, 5, -1}, {-1, 3, 1, -1, 4}});
  EXPECT_EQ(score(*swap, relu_network(5), images), 3) << "10, 11, 01, and two again";
  EXPECT_EQ(score(*swap, relu_network(5), images.flip({0})), 3);
}

TEST(Swap, IsBoundedByTheSamples) {
  PluginLoader loader = plugins();
  const auto swap = make<Proxy>(loader, "swap");
  EXPECT_EQ(score(*swap, conformance::residual_network(), normal_images(3)), 8);
}

TEST(Swap, PrefersASizeWhenRegularised) {
  PluginLoader loader = plugins();
  const auto swap = make<Proxy>(loader, "swap");
  const auto regularised = make<Proxy>(loader, "swap", "{mu: 1, sigma: 2}");
  const Graph g = conformance::plain_network(1);
  const auto images = normal_images(6);
  const double distance = static_cast<double>(params(g)) / 1000 - 1;
  EXPECT_NEAR(score(*regularised, g, images),
              score(*swap, g, images) * std::exp(-distance * distance / 2), 1e-9);
}

// az_nas

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
}  // namespace thimble
