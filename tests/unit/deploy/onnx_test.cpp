// Exported models: accepted by ONNX's own checker, and float ones run by ONNX Runtime against the
// network.

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <onnx/checker.h>
#include <onnx/onnx_pb.h>

#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/onnx.hpp>
#include <thimble/nn/propagation/propagation.hpp>

#include "support/onnx_models.hpp"
#include "support/onnx_runtime.hpp"

namespace thimble::onnx_test {
namespace {

using test::bytes_of;
using test::described;
using test::kSamples;
using test::LoweredCase;
using test::onnx_cases;
using test::OnnxSubject;
using test::parsed;
using test::run_onnx;

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

TEST(Onnx, IsAcceptedByTheChecker) {
  for (const LoweredCase& c : onnx_cases()) {
    SCOPED_TRACE(c.name);
    const OnnxSubject subject{c.graph};
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
  for (const LoweredCase& c : onnx_cases()) {
    SCOPED_TRACE(c.name);
    const OnnxSubject subject{c.graph};
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
  for (const LoweredCase& c : onnx_cases()) {
    SCOPED_TRACE(c.name);
    const OnnxSubject subject{c.graph};
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

}  // namespace
}  // namespace thimble::onnx_test
