// Exported models: accepted by ONNX's own checker, and run by ONNX Runtime against the float
// network and the int8 reference.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/onnx.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "support/lowered.hpp"
#include "support/onnx_runtime.hpp"

namespace thimble::onnx_test {
namespace {

using test::images_for;
using test::LoweredCase;
using test::run_onnx;
using Values = std::vector<std::int8_t>;

constexpr std::int64_t kSamples = 16;

/// Between flat tensors and images, back and forth.
Graph reshaping() {
  Graph g;
  const NodeId x = g.input({4, 6, 6});
  const NodeId whole = g.linear(x, 4);
  const NodeId mean = g.global_avg_pool(g.relu(x));
  const NodeId both = g.concat({{whole, g.relu(mean, Activation::relu6)}});
  const NodeId sum = g.add({{both, g.conv(g.conv(both, {.out = 8}), {.out = 8, .groups = 4})}});
  g.avg_pool(g.conv(sum, {.out = 3}), {.kernel = {1, 1}, .stride = {1, 1}});
  return g;
}

std::vector<LoweredCase> cases() {
  std::vector<LoweredCase> all = test::lowered_cases();
  all.push_back({"reshaping", reshaping(), 0});
  return all;
}

/// A network with weights, what it computes, and the same for every export.
struct Subject {
  explicit Subject(const Graph& graph)
      : images{images_for(graph, kSamples, 5)}, network{initialised(graph)} {}

  static Network initialised(const Graph& graph) {
    Network made{graph};
    made.initialise(Init::kaiming_normal_fan_in, 3, "onnx");
    return made;
  }

  at::Tensor images;
  Network network;
  FloatNetwork real = calibrated(network, images);
  Int8Network lowered = lower(real);
};

/// With the shapes of all tensors, which must agree with each other.
onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  onnx::shape_inference::InferShapes(
      model, onnx::OpSchemaRegistry::Instance(),
      {/*check_type=*/true, /*strict=*/1, /*data_propagation=*/true});
  return model;
}

const onnx::ValueInfoProto& described(const onnx::GraphProto& graph, const std::string& name) {
  for (const auto* const all : {&graph.input(), &graph.output(), &graph.value_info()})
    for (const auto& value : *all)
      if (value.name() == name) return value;
  throw Error{"no tensor is called " + name};
}

std::vector<std::int64_t> sizes_of(const onnx::ValueInfoProto& value) {
  std::vector<std::int64_t> sizes;
  for (const auto& size : value.type().tensor_type().shape().dim())
    sizes.push_back(size.has_dim_param() ? -1 : size.dim_value());
  return sizes;
}

std::map<std::string, const onnx::NodeProto*> nodes_by_name(const onnx::GraphProto& graph) {
  std::map<std::string, const onnx::NodeProto*> nodes;
  for (const auto& node : graph.node()) nodes[node.name()] = &node;
  return nodes;
}

std::map<std::string, const onnx::TensorProto*> constants_by_name(const onnx::GraphProto& graph) {
  std::map<std::string, const onnx::TensorProto*> constants;
  for (const auto& constant : graph.initializer()) constants[constant.name()] = &constant;
  return constants;
}

std::string bytes_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.contiguous();
  return {static_cast<const char*>(plain.data_ptr()), plain.nbytes()};
}

TEST(Onnx, IsAcceptedByTheChecker) {
  for (const LoweredCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const Subject subject{c.graph};
    const Shape& in = c.graph.node(0).shape;
    const Shape& out = c.graph.node(c.graph.output()).shape;
    for (const std::string& bytes : {onnx_of(subject.real), onnx_of(subject.lowered)}) {
      const onnx::ModelProto model = parsed(bytes);
      EXPECT_NO_THROW(onnx::checker::check_model(model));
      EXPECT_EQ(model.producer_name(), "thimble");
      EXPECT_FALSE(model.producer_version().empty());
      ASSERT_EQ(model.opset_import_size(), 1);
      EXPECT_EQ(model.opset_import(0).version(), 13);
      using Sizes = std::vector<std::int64_t>;
      EXPECT_EQ(sizes_of(described(model.graph(), "input")),
                (Sizes{-1, in.channels, in.height, in.width}));
      EXPECT_EQ(sizes_of(described(model.graph(), "output")),
                c.name == "reshaping" ? (Sizes{-1, 3, 1, 1}) : (Sizes{-1, out.channels}));
    }
  }
}

TEST(Onnx, QuantisesWhatEveryOperatorReadsAndWrites) {
  for (const LoweredCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const Subject subject{c.graph};
    const onnx::ModelProto model = parsed(onnx_of(subject.lowered));
    const auto nodes = nodes_by_name(model.graph());
    const auto constants = constants_by_name(model.graph());
    for (const Int8Layer& layer : subject.lowered.layers) {
      const std::string& name = subject.lowered.tensor(layer.output).name;
      SCOPED_TRACE(name);
      ASSERT_EQ(nodes.at(name + "_quantized")->input(0), name);
      if (layer.weights.empty()) continue;
      const auto& weights = *constants.at(name + "_weight_quantized");
      const auto& scales = *constants.at(name + "_weight_scale");
      const auto& bias = *constants.at(name + "_bias_quantized");
      EXPECT_EQ(weights.data_type(), onnx::TensorProto::INT8);
      EXPECT_EQ(weights.raw_data().size(), layer.weights.size());
      EXPECT_EQ(bias.data_type(), onnx::TensorProto::INT32);
      EXPECT_EQ(bias.dims(0), weights.dims(0));
      EXPECT_EQ(scales.dims_size(), layer.kernel == Kernel::linear ? 0 : 1);
      const bool is_clamped = nodes.contains(name + "_unclamped");
      const onnx::NodeProto& op = *nodes.at(is_clamped ? name + "_unclamped" : name);
      EXPECT_EQ(op.op_type(), layer.kernel == Kernel::linear ? "Gemm" : "Conv");
      for (const std::string& input : op.input())
        EXPECT_EQ(nodes.at(input)->op_type(),
                  input.ends_with("_image") ? "Unsqueeze" : "DequantizeLinear");
    }
  }
}

TEST(Onnx, HasNoWordsForOpenChoicesAndMissingScales) {
  EXPECT_THROW(onnx_of(drawn_network(test::te_nas_supernet(), 1)), Error);
  Int8Network network = lower(drawn_network(test::one_of_each(), 1));
  network.layers.front().weight_scales.clear();
  EXPECT_THROW(onnx_of(network), Error);
}

/// Pads a window where only the sizes say how much, as hand-made layers may.
TEST(Onnx, TakesPaddingBelowFromTheShapes) {
  Graph g;
  g.max_pool(g.input({1, 5, 5}), {.kernel = {2, 2}, .stride = {2, 2}});
  Int8Network network = skeleton(g);
  network.tensors[1].shape = {1, 3, 3};  // a third row and column, half in the padding
  const onnx::ModelProto model = parsed(onnx_of(network));
  const onnx::NodeProto& pool = *nodes_by_name(model.graph()).at(network.tensors[1].name);
  const auto pads = std::ranges::find(pool.attribute(), "pads", &onnx::AttributeProto::name);
  ASSERT_NE(pads, pool.attribute().end());
  EXPECT_EQ((std::vector<std::int64_t>{pads->ints().begin(), pads->ints().end()}),
            (std::vector<std::int64_t>{0, 0, 1, 1}));
  EXPECT_EQ(sizes_of(described(model.graph(), "output")), (std::vector<std::int64_t>{-1, 1, 3, 3}));
}

/// A model that gives these tensors, too, in this order, and nothing else.
std::string with_outputs(onnx::ModelProto model, const std::vector<std::string>& names) {
  std::vector<onnx::ValueInfoProto> wanted;
  for (const std::string& name : names) wanted.push_back(described(model.graph(), name));
  model.mutable_graph()->clear_output();
  for (const auto& value : wanted) *model.mutable_graph()->add_output() = value;
  return model.SerializeAsString();
}

TEST(Onnx, FloatModelComputesWhatTheNetworkDoes) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  for (const LoweredCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const Subject subject{c.graph};
    const onnx::ModelProto model = parsed(onnx_of(subject.real));
    const Forward forward = propagate_forward(subject.network, subject.images);
    std::vector<std::string> names;
    std::vector<at::Tensor> truths;
    for (NodeId id = 0; id < c.graph.size(); ++id) {
      const std::string name = id == c.graph.output() ? "output" : c.graph.name(id);
      if (!nodes_by_name(model.graph()).contains(name)) continue;
      names.push_back(name);
      truths.push_back(forward.output(id));
    }
    ASSERT_GT(names.size(), 5U);
    std::string found = run_onnx(with_outputs(model, names), kSamples, bytes_of(subject.images));
    char* place = found.data();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const at::Tensor truth = truths[i].contiguous();
      ASSERT_LE(place + truth.nbytes(), found.data() + found.size());
      const at::Tensor value = at::from_blob(place, truth.sizes(), at::kFloat);
      EXPECT_LT(((value - truth).norm() / truth.norm()).item<double>(), 1e-5) << names[i];
      place += truth.nbytes();
    }
    EXPECT_EQ(place, found.data() + found.size());
  }
}

/// Every tensor of the int8 reference on every image, each N x C x H x W as ONNX lays them out.
std::vector<std::string> reference_tensors(const Subject& subject) {
  const auto& tensors = subject.lowered.tensors;
  std::vector<std::string> all(tensors.size());
  for (std::int64_t sample = 0; sample < subject.images.size(0); ++sample) {
    const auto values =
        run_reference(subject.lowered, quantised(subject.images[sample], tensors[0].quantisation));
    for (std::size_t i = 0; i < tensors.size(); ++i) {
      const auto& [channels, height, width] = tensors[i].shape;
      for (int channel = 0; channel < channels; ++channel)
        for (int pixel = 0; pixel < height * width; ++pixel)
          all[i].push_back(
              static_cast<char>(values[i][static_cast<std::size_t>(pixel * channels + channel)]));
    }
  }
  return all;
}

/// How far int8 tensors are from what they should be.
struct Distance {
  std::int64_t elements = 0;
  std::int64_t different = 0;
  int largest = 0;

  double share() const { return static_cast<double>(different) / static_cast<double>(elements); }
  void add(std::string_view values, std::string_view truth) {
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const int apart =
          std::abs(static_cast<std::int8_t>(values[i]) - static_cast<std::int8_t>(truth[i]));
      different += apart > 0 ? 1 : 0;
      largest = std::max(largest, apart);
    }
    elements += static_cast<std::int64_t>(truth.size());
  }
};

/// A QDQ model cut at every tensor: it reads them all and gives what each layer makes of its own
/// inputs, so that no layer inherits what others rounded.
std::string cut_at_every_tensor(onnx::ModelProto model, const Int8Network& network) {
  onnx::GraphProto& graph = *model.mutable_graph();
  std::vector<onnx::ValueInfoProto> values;
  for (const Int8Tensor& tensor : network.tensors)
    values.push_back(described(graph, tensor.name + "_quantized"));
  graph.clear_input();
  graph.clear_output();
  graph.clear_value_info();
  for (auto& value : values) *graph.add_input() = value;
  for (auto& node : *graph.mutable_node())
    for (auto& value : values)
      if (node.output(0) == value.name()) node.set_output(0, value.name() + "_found");
  for (std::size_t i = 1; i < values.size(); ++i) {
    values[i].set_name(values[i].name() + "_found");
    *graph.add_output() = values[i];
  }
  // The first node would read the network's input, which is none of this model.
  graph.mutable_node()->DeleteSubrange(0, 1);
  return model.SerializeAsString();
}

/// Of the rows or columns of a window, those that are no padding, at every place.
std::vector<int> cells(int in, int out, int window, int stride, int padding) {
  std::vector<int> made;
  for (int place = 0; place < out; ++place) {
    const int first = place * stride - padding;
    made.push_back(std::min(first + window, in) - std::max(first, 0));
  }
  return made;
}

/// The share of an average pool's elements that is a tie, which the reference rounds away from zero
/// and ONNX to even.
double rounded_otherwise(const Shape& in, const Shape& out, const Int8Layer& pool) {
  double share = 0;
  for (const int rows :
       cells(in.height, out.height, pool.window.height, pool.stride.height, pool.padding.height))
    for (const int columns :
         cells(in.width, out.width, pool.window.width, pool.stride.width, pool.padding.width))
      if (rows * columns % 2 == 0) share += 0.5 / (rows * columns);
  return share / static_cast<double>(out.pixels());
}

/// The share of a layer's elements that is expected to differ by 1 because the reference rounds
/// otherwise than ONNX, whose one rounding is that of the real number. In the reference's two, the
/// first rounds the upper half of the last step before a tie onto the tie.
double explained_share(const Int8Network& network, const Int8Layer& layer) {
  if (layer.kernel == Kernel::avg_pool)
    return rounded_otherwise(network.tensor(layer.inputs[0]).shape,
                             network.tensor(layer.output).shape, layer);
  double share = 0;
  for (const Rescale& rescale : layer.rescale)
    if (rescale.shift < 0)
      share += std::ldexp(0.5, rescale.shift) / static_cast<double>(layer.rescale.size());
  return share;
}

TEST(Onnx, EveryInt8LayerComputesWhatTheReferenceDoesToOneStep) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  std::map<Kernel, Distance> distances;
  std::map<Kernel, double> explained;
  for (const LoweredCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const Subject subject{c.graph};
    const Int8Network& network = subject.lowered;
    const auto truths = reference_tensors(subject);
    std::string inputs;
    for (const std::string& truth : truths) inputs += truth;
    const std::string found =
        run_onnx(cut_at_every_tensor(parsed(onnx_of(network)), network), kSamples, inputs);
    ASSERT_EQ(found.size(), inputs.size() - truths[0].size());
    std::string_view rest = found;
    for (const Int8Layer& layer : network.layers) {
      const std::string& truth = truths[static_cast<std::size_t>(layer.output)];
      distances[layer.kernel].add(rest.substr(0, truth.size()), truth);
      explained[layer.kernel] +=
          static_cast<double>(truth.size()) * explained_share(network, layer);
      rest.remove_prefix(truth.size());
    }
  }
  EXPECT_EQ(distances.size(), 10U) << "a kernel is in no case";
  for (const auto& [kernel, distance] : distances) {
    SCOPED_TRACE(name_of(kernel));
    const auto elements = static_cast<double>(distance.elements);
    EXPECT_LE(distance.largest, 1);
    EXPECT_LE(static_cast<double>(distance.different), 1.3 * explained[kernel] + 0.001 * elements);
    RecordProperty(name_of(kernel),
                   fmt::format("{:.3f} % of {}", 100 * distance.share(), elements));
  }
}

TEST(Onnx, ClampsWhereInt8DoesNot) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  std::string every_value;
  for (int value = -128; value < 128; ++value) every_value.push_back(static_cast<char>(value));
  for (const Activation activation : {Activation::relu, Activation::relu6}) {
    for (const bool is_fused : {false, true}) {
      Graph g;
      const NodeId x = g.input({256, 1, 1});
      g.relu(is_fused ? g.conv(x, {.out = 256, .groups = 256}) : x, activation);
      FloatNetwork real = drawn_network(g, 1);
      real.parameters[1] = {std::vector<float>(256, 1.0F), std::vector<float>(256), {}, {}};
      real.ranges.assign(real.ranges.size(), {-10, 10});
      const Int8Network network = lower(real);
      ASSERT_EQ(network.layers.size(), 1U);
      const Values values(every_value.begin(), every_value.end());
      const Values truth = run_reference(network, values).back();
      ASSERT_EQ(std::ranges::max(truth) == 127, activation == Activation::relu);
      const std::string found = run_onnx(cut_at_every_tensor(parsed(onnx_of(network)), network), 1,
                                         every_value + every_value);
      EXPECT_EQ((Values{found.begin(), found.end()}), truth);
    }
  }
}

/// Int8 values of a tensor as floats, samples x elements.
at::Tensor floats(const std::string& values, const Quantisation& q) {
  at::Tensor made = at::empty({kSamples, static_cast<std::int64_t>(values.size()) / kSamples});
  for (std::size_t i = 0; i < values.size(); ++i)
    made.data_ptr<float>()[i] =
        q.scale * static_cast<float>(static_cast<std::int8_t>(values[i]) - q.zero_point);
  return made;
}

/// Single steps add up over the layers as the errors of quantisation do: the exported model must be
/// as near to the float network as the reference is.
TEST(Onnx, Int8ModelsClassifyAsTheReferenceDoes) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  for (const LoweredCase& c : cases()) {
    SCOPED_TRACE(c.name);
    const Subject subject{c.graph};
    const Int8Network& network = subject.lowered;
    const std::string found = run_onnx(onnx_of(network), kSamples, bytes_of(subject.images));
    at::Tensor exported = at::empty({kSamples, network.tensor(network.output).shape.channels});
    ASSERT_EQ(found.size(), exported.nbytes());
    std::memcpy(exported.data_ptr(), found.data(), found.size());
    const at::Tensor reference =
        floats(reference_tensors(subject)[static_cast<std::size_t>(network.output)],
               network.tensor(network.output).quantisation);
    const at::Tensor truth = subject.network.forward(subject.images);
    EXPECT_TRUE(exported.argmax(1).equal(reference.argmax(1)));
    EXPECT_LT((exported - truth).norm().item<double>(),
              1.2 * (reference - truth).norm().item<double>());
  }
}

}  // namespace
}  // namespace thimble::onnx_test
