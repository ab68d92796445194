#include <thimble/train/quantise.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <thimble/core/index.hpp>
#include <thimble/nn/integer_network.hpp>
#include <thimble/nn/propagation/convolution.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/learner.hpp>

namespace thimble {
namespace {

/// Of the images that biases are corrected on.
constexpr std::int64_t kCorrected = 128;

bool has_filters(const Node& node) { return node.op == Op::conv || node.op == Op::linear; }

/// A layer's weights, seen channel by channel of what it gives, or of what it reads.
class FilterView {
 public:
  FilterView(FloatNetwork& network, NodeId id)
      : node_{network.graph.node(id)},
        in_{network.graph.input_shape(node_)},
        own_{network.parameters[at(id)]},
        length_{own_.weight.size() / own_.bias.size()} {}

  float largest_out(int channel) const {
    float largest = 0;
    for (std::size_t i = 0; i < length_; ++i)
      largest = std::max(largest, std::abs(own_.weight[at(channel) * length_ + i]));
    return largest;
  }
  void scale_out(int channel, float factor) {
    for (std::size_t i = 0; i < length_; ++i) own_.weight[at(channel) * length_ + i] *= factor;
    own_.bias[at(channel)] *= factor;
  }
  float largest_in(int channel) const {
    float largest = 0;
    each_in(channel, [&](const float& weight) { largest = std::max(largest, std::abs(weight)); });
    return largest;
  }
  void scale_in(int channel, float factor) {
    each_in(channel, [&](float& weight) { weight *= factor; });
  }

 private:
  /// Planes of an input channel: in the filters of its group alone.
  template <class Visit>
  void each_in(int channel, const Visit& visit) const {
    const bool is_linear = node_.op == Op::linear;
    const int depth = is_linear ? in_.channels : in_.channels / node_.groups;
    const std::size_t plane = length_ / at(depth);
    const int filters = node_.shape.channels;
    const int of_group = is_linear ? filters : filters / node_.groups;
    const int first = is_linear ? 0 : channel / depth * of_group;
    for (int filter = first; filter < first + of_group; ++filter)
      for (std::size_t i = 0; i < plane; ++i)
        visit(own_.weight[at(filter) * length_ + at(channel % depth) * plane + i]);
  }

  const Node& node_;
  const Shape& in_;
  FloatParameters& own_;
  std::size_t length_;
};

/// Makes the ranges of a channel's weights equal before and behind it.
void equalise_pair(FloatNetwork& network, NodeId before, NodeId behind) {
  FilterView first{network, before}, second{network, behind};
  for (int c = 0; c < network.graph.node(before).shape.channels; ++c) {
    const float given = first.largest_out(c), read = second.largest_in(c);
    if (!(given > 0) || !(read > 0)) continue;
    const float factor = std::sqrt(read / given);
    first.scale_out(c, factor);
    second.scale_in(c, 1 / factor);
  }
}

/// Sums of products of a layer, without bias, N x channels x ...
at::Tensor sums(const Node& node, const at::Tensor& x, const at::Tensor& weight) {
  if (node.op == Op::linear) return x.flatten(1).mm(weight.t());
  return convolution(as_image(x), weight, {}, node);
}

/// The mean over all but the channels.
at::Tensor by_channel_mean(const at::Tensor& x) {
  return x.dim() == 2 ? x.mean(0) : x.flatten(2).mean(2).mean(0);
}

at::Tensor mean_image(const at::Tensor& x) { return x.to(at::kDouble).mean(0, true); }

}  // namespace

Recipe integer_recipe(const Recipe& recipe) {
  const Quantise& how = *recipe.quantise;
  Recipe made = recipe;
  made.epochs = how.epochs;
  made.learning_rate = how.learning_rate * recipe.learning_rate;
  made.schedule = Schedule::cosine;
  made.warm_up = 0;
  made.weight_decay = 0;
  made.dropout = 0;
  made.averaging = 0;
  made.quantise = {};
  return made;
}

FloatNetwork equalised(FloatNetwork folded) {
  constexpr int kRounds = 20;  // scales move on along chains of layers
  std::vector<int> readers(at(folded.graph.size()));
  for (NodeId id = 0; id < folded.graph.size(); ++id)
    for (const NodeId input : folded.graph.inputs(id)) ++readers[at(input)];
  for (int round = 0; round < kRounds; ++round)
    for (NodeId id = 0; id < folded.graph.size(); ++id) {
      if (!has_filters(folded.graph.node(id))) continue;
      const NodeId before = folded.graph.inputs(id)[0];
      const Node& node = folded.graph.node(before);
      if (has_filters(node) && readers[at(before)] == 1 && node.activation != Activation::relu6)
        equalise_pair(folded, before, id);
    }
  return folded;
}

FloatNetwork bias_corrected(FloatNetwork folded, const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  const Network real = network_of(folded);
  std::vector<at::Tensor> means(at(folded.graph.size()));
  for_each_output(real, images,
                  [&](NodeId id, const at::Tensor& output) { means[at(id)] = mean_image(output); });
  IntegerNetwork integers{lower_folded(folded)};
  IntegerRun run = integers.begin(images);
  for (std::size_t i = 0; i < integers.network().layers.size(); ++i) {
    const Int8Layer& layer = integers.network().layers[i];
    const NodeId id = layer.output;
    const Node& node = folded.graph.node(id);
    if (has_filters(node)) {
      const NodeId input = folded.graph.inputs(id)[0];
      const at::Tensor wanted =
          sums(node, means[at(input)], real.parameters(id).weight.to(at::kDouble));
      const at::Tensor found = sums(node, mean_image(integers.real(run, input)),
                                    integers.rounded_weights(i).to(at::kDouble));
      const at::Tensor missing = by_channel_mean(wanted - found).contiguous();
      for (std::size_t c = 0; c < folded.parameters[at(id)].bias.size(); ++c)
        folded.parameters[at(id)].bias[c] += static_cast<float>(missing.data_ptr<double>()[c]);
      integers = IntegerNetwork{lower_folded(folded)};
    }
    integers.run_layer(i, run);
  }
  return folded;
}

FloatNetwork quantised_after_training(const Network& trained, const at::Tensor& images,
                                      const Quantise& how) {
  const at::NoGradGuard no_grad;
  const Calibration calibration{how.ranges, how.percentile};
  FloatNetwork made = folded(calibrated(trained, images, calibration));
  if (how.equalise) {
    made = equalised(std::move(made));
    made = calibrated(network_of(made), images, calibration);
  }
  if (how.bias_correction)
    made =
        bias_corrected(std::move(made), images.slice(0, 0, std::min(kCorrected, images.size(0))));
  return made;
}

std::vector<LayerFit> layer_fits(const FloatNetwork& folded, const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  const IntegerNetwork integers{lower_folded(folded)};
  const IntegerRun run = integers.run(images);
  std::vector<LayerFit> made;
  for_each_output(network_of(folded), images, [&](NodeId id, const at::Tensor& output) {
    if (folded.graph.node(id).op == Op::input) return;
    const Int8Layer& layer = integers.network().layers[at(id) - 1];
    const at::Tensor truth = as_image(output).to(at::kDouble);
    const at::Tensor noise = integers.real(run, id).to(at::kDouble) - truth;
    const at::Tensor& q = run.values[at(id)];
    const int zero = integers.network().tensor(id).quantisation.zero_point;
    const double span = q.max().item<double>() - q.min().item<double>();
    // A ReLU's zero is no clamp of int8.
    const at::Tensor at_ends =
        layer.lowest == zero ? q.eq(layer.highest - zero)
                             : q.eq(layer.highest - zero).logical_or(q.eq(layer.lowest - zero));
    made.push_back(
        {layer.name, name_of(layer.kernel),
         10 * std::log10(truth.square().sum().item<double>() / noise.square().sum().item<double>()),
         (span + 1) / 256, at_ends.to(at::kDouble).mean().item<double>()});
  });
  return made;
}

}  // namespace thimble
