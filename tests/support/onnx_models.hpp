#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>
#include <onnx/shape_inference/implementation.h>

#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/onnx.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/network.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/learner.hpp>

#include "support/lowered.hpp"

/// Networks to export, and what can be said of models.
namespace thimble::test {

inline constexpr std::int64_t kSamples = 16;

/// Between flat tensors and images, back and forth.
inline Graph reshaping() {
  Graph g;
  const NodeId x = g.input({4, 6, 6});
  const NodeId whole = g.linear(x, 4);
  const NodeId mean = g.global_avg_pool(g.relu(x));
  const NodeId both = g.concat({{whole, g.relu(mean, Activation::relu6)}});
  const NodeId sum = g.add({{both, g.conv(g.conv(both, {.out = 8}), {.out = 8, .groups = 4})}});
  g.avg_pool(g.conv(sum, {.out = 3}), {.kernel = {1, 1}, .stride = {1, 1}});
  return g;
}

inline std::vector<LoweredCase> onnx_cases() {
  std::vector<LoweredCase> all = lowered_cases();
  all.push_back({"reshaping", reshaping(), 0});
  return all;
}

/// A network with weights, what it computes, and the same for every export.
struct OnnxSubject {
  explicit OnnxSubject(const Graph& graph)
      : images{images_for(graph, kSamples, 5)},
        network{initialised(graph)},
        real{calibrated(network, images)},
        lowered{lower(real)} {}

  /// Of what a training hands on for a board.
  OnnxSubject(FloatNetwork board, at::Tensor samples)
      : images{std::move(samples)},
        network{network_of(board)},
        real{std::move(board)},
        lowered{lower_folded(real)} {}

  static Network initialised(const Graph& graph) {
    Network made{graph};
    made.initialise(Init::kaiming_normal_fan_in, 3, "onnx");
    return made;
  }

  at::Tensor images;
  Network network;
  FloatNetwork real;
  Int8Network lowered;
};

/// With the shapes of all tensors, which must agree with each other.
inline onnx::ModelProto parsed(const std::string& bytes) {
  onnx::ModelProto model;
  EXPECT_TRUE(model.ParseFromString(bytes));
  onnx::shape_inference::InferShapes(
      model, onnx::OpSchemaRegistry::Instance(),
      {/*check_type=*/true, /*strict=*/1, /*data_propagation=*/true});
  return model;
}

inline const onnx::ValueInfoProto& described(const onnx::GraphProto& graph,
                                             const std::string& name) {
  for (const auto* const all : {&graph.input(), &graph.output(), &graph.value_info()})
    for (const auto& value : *all)
      if (value.name() == name) return value;
  throw Error{"no tensor is called " + name};
}

inline std::string bytes_of(const at::Tensor& tensor) {
  const at::Tensor plain = tensor.contiguous();
  return {static_cast<const char*>(plain.data_ptr()), plain.nbytes()};
}

}  // namespace thimble::test
