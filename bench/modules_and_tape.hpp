#pragma once

#include <vector>

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/container/any.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>
#include <torch/nn/modules/pooling.h>
#include <torch/optim/sgd.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/propagation/network.hpp>

/// A network as who uses LibTorch would write it: modules of torch::nn, the tape,
/// torch::optim::SGD, all in channels last; with the weights of one of ours.
namespace thimble::bench {

class ModulesAndTape {
 public:
  struct Steps {
    double learning_rate;
    double momentum;  ///< Nesterov's
  };

  ModulesAndTape(const Network& network, const Steps& steps)
      : graph_{network.graph()}, optimiser_{modules_of(network), options(steps)} {}

  at::Tensor forward(const at::Tensor& images) {
    std::vector<at::Tensor> outputs{images.contiguous(at::MemoryFormat::ChannelsLast)};
    for (NodeId id = 1; id < graph_.size(); ++id) {
      const auto inputs = graph_.inputs(id);
      const auto output = [&](std::size_t i) {
        return outputs[static_cast<std::size_t>(inputs[i])];
      };
      const Op op = graph_.node(id).op;
      if (op == Op::add) {
        at::Tensor sum = output(0);
        for (std::size_t i = 1; i < inputs.size(); ++i) sum = sum + output(i);
        outputs.push_back(sum);
      } else {
        const at::Tensor x = op == Op::linear ? output(0).flatten(1) : output(0);
        outputs.push_back(modules_[static_cast<std::size_t>(id)].forward(x));
      }
    }
    return outputs[static_cast<std::size_t>(graph_.output())];
  }

  /// Down a loss that tells its gradient by the outputs.
  template <class GradientBy>
  void step_by(const at::Tensor& images, const GradientBy& gradient_by) {
    optimiser_.zero_grad();
    const at::Tensor outputs = forward(images);
    outputs.backward(gradient_by(outputs.detach()));
    optimiser_.step();
  }

  void step(const at::Tensor& images, const at::Tensor& labels) {
    optimiser_.zero_grad();
    at::cross_entropy_loss(forward(images), labels).backward();
    optimiser_.step();
  }

 private:
  static torch::optim::SGDOptions options(const Steps& steps) {
    return torch::optim::SGDOptions{steps.learning_rate}.momentum(steps.momentum).nesterov(true);
  }

  /// Makes them; their parameters.
  std::vector<at::Tensor> modules_of(const Network& network) {
    std::vector<at::Tensor> parameters;
    for (NodeId id = 0; id < graph_.size(); ++id) {
      modules_.push_back(module_of(graph_, id));
      if (modules_.back().is_empty()) continue;
      const auto& own = network.parameters(id);
      for (const auto& entry : modules_.back().ptr()->named_parameters()) {
        const at::Tensor& value = entry.key() == "weight" ? own.weight : own.bias;
        entry.value().set_data(value.dim() == 4 ? value.clone(at::MemoryFormat::ChannelsLast)
                                                : value.clone());
        parameters.push_back(entry.value());
      }
    }
    return parameters;
  }

  /// None for what has no module.
  static torch::nn::AnyModule module_of(const Graph& graph, NodeId id) {
    using torch::nn::AnyModule;
    const Node& node = graph.node(id);
    const auto pair = [](const Extent& e) { return torch::ExpandingArray<2>({e.height, e.width}); };
    const auto in = [&] { return graph.input_shape(node); };
    switch (node.op) {
      case Op::input:
      case Op::add: return {};
      case Op::conv:
        return AnyModule{torch::nn::Conv2d{
            torch::nn::Conv2dOptions{in().channels, node.shape.channels, pair(node.kernel)}
                .stride(pair(node.stride))
                .padding(pair(node.padding))
                .groups(node.groups)
                .bias(node.has_bias)}};
      case Op::batch_norm: return AnyModule{torch::nn::BatchNorm2d{node.shape.channels}};
      case Op::relu:
        if (node.activation == Activation::relu6) return AnyModule{torch::nn::ReLU6{}};
        return AnyModule{torch::nn::ReLU{}};
      case Op::global_avg_pool: return AnyModule{torch::nn::AdaptiveAvgPool2d{1}};
      case Op::linear: return AnyModule{torch::nn::Linear{in().elements(), node.shape.elements()}};
      default: throw Error{"the bench has no module for '" + graph.name(id) + "'"};
    }
  }

  Graph graph_;
  std::vector<torch::nn::AnyModule> modules_;
  torch::optim::SGD optimiser_;
};

}  // namespace thimble::bench
