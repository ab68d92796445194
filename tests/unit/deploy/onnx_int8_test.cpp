// Exported int8 models, run by ONNX Runtime against the reference, layer by layer and as a whole.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <onnx/onnx_pb.h>

#include <thimble/deploy/int8_network.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/onnx.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/train_network.hpp>
#include <thimble/train/trained_network.hpp>

#include "support/onnx_models.hpp"
#include "support/onnx_runtime.hpp"
#include "support/training.hpp"

namespace thimble::onnx_int8_test {
namespace {

using test::bytes_of;
using test::described;
using test::kSamples;
using test::LoweredCase;
using test::onnx_cases;
using test::OnnxSubject;
using test::parsed;
using test::run_onnx;
using Values = std::vector<std::int8_t>;

struct NamedSubject {
  std::string name;
  OnnxSubject subject;
};

std::vector<NamedSubject> drawn_subjects() {
  std::vector<NamedSubject> made;
  for (const LoweredCase& c : onnx_cases()) made.push_back({c.name, OnnxSubject{c.graph}});
  return made;
}

OnnxSubject trained_subject(const Recipe& recipe) {
  const TemporaryFolder folder;
  const Pictures data{160, true};
  const Telling telling;
  const Graph graph = small_graph(16);
  TrainingOrder order;
  order.graph = &graph;
  order.dataset = &data;
  order.task = &telling;
  order.recipe = recipe;
  order.seed = 1;
  order.folder = folder.path();
  return {read_trained(graph, train_network(order).weights).board->real,
          data.all(Split::test).images.slice(0, 0, kSamples)};
}

/// Integers that were made behind a training, and those of a pruned network, which learned.
std::vector<NamedSubject> trained_subjects() {
  std::vector<NamedSubject> made;
  Recipe recipe = short_recipe(6);
  recipe.quantise = Quantise{.samples = 100};
  made.push_back({"trained", trained_subject(recipe)});
  recipe.prune = Prune{};
  recipe.quantise->method = QuantiseMethod::qat;
  recipe.quantise->epochs = 10;
  made.push_back({"pruned, and learned as integers", trained_subject(recipe)});
  return made;
}

/// Every tensor of the int8 reference on every image, each N x C x H x W as ONNX lays them out.
std::vector<std::string> reference_tensors(const OnnxSubject& subject) {
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

/// Fed by the reference, each layer of ONNX Runtime is the reference's to one step. Gives back
/// which kernels there were.
std::set<Kernel> expect_layers_to_one_step(const std::vector<NamedSubject>& subjects) {
  std::map<Kernel, Distance> distances;
  std::map<Kernel, double> explained;
  for (const auto& [name, subject] : subjects) {
    SCOPED_TRACE(name);
    const Int8Network& network = subject.lowered;
    const auto truths = reference_tensors(subject);
    std::string inputs;
    for (const std::string& truth : truths) inputs += truth;
    const std::string found =
        run_onnx(cut_at_every_tensor(parsed(onnx_of(network)), network), kSamples, inputs);
    EXPECT_EQ(found.size(), inputs.size() - truths[0].size());
    if (::testing::Test::HasFailure()) return {};
    std::string_view rest = found;
    for (const Int8Layer& layer : network.layers) {
      const std::string& truth = truths[static_cast<std::size_t>(layer.output)];
      distances[layer.kernel].add(rest.substr(0, truth.size()), truth);
      explained[layer.kernel] +=
          static_cast<double>(truth.size()) * explained_share(network, layer);
      rest.remove_prefix(truth.size());
    }
  }
  std::set<Kernel> kernels;
  for (const auto& [kernel, distance] : distances) {
    SCOPED_TRACE(name_of(kernel));
    const auto elements = static_cast<double>(distance.elements);
    EXPECT_LE(distance.largest, 1);
    EXPECT_LE(static_cast<double>(distance.different), 1.3 * explained[kernel] + 0.001 * elements);
    ::testing::Test::RecordProperty(
        name_of(kernel), fmt::format("{:.3f} % of {}", 100 * distance.share(), elements));
    kernels.insert(kernel);
  }
  return kernels;
}

TEST(OnnxInt8, EveryInt8LayerComputesWhatTheReferenceDoesToOneStep) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  EXPECT_EQ(expect_layers_to_one_step(drawn_subjects()).size(), 10U) << "a kernel is in no case";
}

TEST(OnnxInt8, SoDoesEveryLayerThatWasTrained) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  EXPECT_GE(expect_layers_to_one_step(trained_subjects()).size(), 5U);
}

TEST(OnnxInt8, ClampsWhereInt8DoesNot) {
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
void expect_same_classes(const std::vector<NamedSubject>& subjects) {
  for (const auto& [name, subject] : subjects) {
    SCOPED_TRACE(name);
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

TEST(OnnxInt8, Int8ModelsClassifyAsTheReferenceDoes) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  expect_same_classes(drawn_subjects());
}

TEST(OnnxInt8, SoDoModelsThatWereTrained) {
  THIMBLE_NEEDS_ONNX_RUNTIME();
  expect_same_classes(trained_subjects());
}

}  // namespace
}  // namespace thimble::onnx_int8_test
