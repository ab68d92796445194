#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <support/scene.hpp>

/// What proxies are checked against: loops over single numbers, and LibTorch's ordinary operators
/// and tape.
namespace thimble::testing {

using Row = std::vector<double>;
using Matrix = std::vector<Row>;

/// N x ... as N rows.
inline Matrix rows_of(const at::Tensor& tensor) {
  const at::Tensor flat = tensor.detach().reshape({tensor.size(0), -1}).to(at::kDouble);
  Matrix rows;
  for (std::int64_t i = 0; i < flat.size(0); ++i) {
    const at::Tensor row = flat[i].contiguous();
    rows.emplace_back(row.data_ptr<double>(), row.data_ptr<double>() + row.numel());
  }
  return rows;
}

/// Channels of N x C x H x W, each with all of its samples' pixels.
inline Matrix channels_of(const at::Tensor& images) { return rows_of(images.transpose(0, 1)); }

inline double dot(const Row& a, const Row& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

inline Row centred(Row row) {
  const double mean =
      std::accumulate(row.begin(), row.end(), 0.0) / static_cast<double>(row.size());
  for (double& value : row) value -= mean;
  return row;
}

inline double correlation_of(const Row& a, const Row& b) {
  const Row x = centred(a);
  const Row y = centred(b);
  const double lengths = std::sqrt(dot(x, x) * dot(y, y));
  return lengths > 0 ? dot(x, y) / lengths : 0;
}

/// How each two rows go together, by `measure`.
template <class Measure>
inline Matrix pairwise(const Matrix& rows, const Measure& measure) {
  Matrix all(rows.size(), Row(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows.size(); ++j) all[i][j] = measure(rows[i], rows[j]);
  return all;
}

/// Of a symmetric matrix, ascending, by Jacobi's rotations.
inline Row eigenvalues(Matrix m) {
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
inline std::vector<at::Tensor> outputs_of(const Network& network, const at::Tensor& images,
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

inline std::vector<at::Tensor> outputs_of(const Scene& scene) {
  return outputs_of(scene.network(), scene.batches()[0].images);
}

/// The gradient of the sum of all logits by the images, by LibTorch's tape.
inline at::Tensor jacobian_of(const Scene& scene) {
  const auto outputs = outputs_of(scene.network(), scene.batches()[0].images, 0);
  return torch::autograd::grad({outputs.back().sum()}, {outputs.front()})[0];
}

/// A proxy's score of a network on images at hand, in double.
inline double score(const Proxy& proxy, const Graph& graph, const at::Tensor& images,
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
inline Graph relu_network(int width, int channels = 1) {
  Graph g;
  g.linear(g.relu(g.input({channels, 1, width})), 2);
  return g;
}

/// Logits that are linear in the image: every sample has the same gradient.
inline Graph linear_network(int classes = 2) {
  Graph g;
  g.linear(g.input({1, 1, 4}), classes);
  return g;
}

/// Rows of numbers as images of one row of pixels.
inline at::Tensor images_of(const Matrix& rows) {
  std::vector<at::Tensor> images;
  for (const Row& row : rows) images.push_back(at::tensor(row).reshape({1, 1, -1}));
  return at::stack(images);
}

inline at::Tensor normal_images(std::int64_t samples) {
  Random random{1};
  at::Tensor images = at::empty({samples, 3, 8, 8});
  random.fill_normal({images.data_ptr<float>(), static_cast<std::size_t>(images.numel())}, 1);
  return images.to(at::kDouble);
}

/// Samples of a batch have no order for the proxy.
inline void expect_any_order(const std::string& proxy, double bound) {
  PluginLoader loader = plugins();
  const auto made = make<Proxy>(loader, proxy);
  const at::Tensor images = normal_images(8);
  const Graph g = conformance::residual_network();
  EXPECT_NEAR(score(*made, g, images), score(*made, g, images.flip({0})), bound);
}

}  // namespace thimble::testing
