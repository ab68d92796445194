#include <thimble/nn/arithmetic.hpp>

#include <cstddef>
#include <cstdint>
#include <fstream>

#include <ATen/Version.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>

#include <thimble/core/instruction_sets.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/ntk/ntk.hpp>
#include <thimble/nn/propagation/device.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/threads.hpp>

#include "torch_config.hpp"

namespace thimble {
namespace {

at::Tensor drawn(at::IntArrayRef shape, const char* name) {
  at::Tensor values = at::empty(shape, at::kFloat);
  Random random = Random::stream(0, {"arithmetic", name});
  random.fill_normal({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())}, 1);
  return values;
}

/// The fingerprint of all that was added.
class Bits {
 public:
  explicit Bits(const std::string& libraries) : state_{fingerprint(libraries)} {}
  void add(const at::Tensor& values) {
    if (!values.defined()) return;
    const at::Tensor flat = values.cpu().contiguous();
    state_ = fingerprint_of_data({static_cast<const std::byte*>(flat.data_ptr()), flat.nbytes()},
                                 state_);
  }
  std::string text() const { return hex(state_); }

 private:
  std::uint64_t state_;
};

/// Narrow networks have kernels of our own, wide ones LibTorch's.
Graph network_of(int channels) {
  Graph graph;
  NodeId at = graph.input({3, 16, 16});
  for (const int groups : {1, channels, 1}) {
    const Graph::Conv conv{channels, {3, 3}, {1, 1}, {1, 1}, groups};
    at = graph.relu(graph.batch_norm(graph.conv(at, conv)));
  }
  graph.set_output(graph.linear(graph.global_avg_pool(at), 10));
  return graph;
}

void add_pass(int channels, const Device& device, Bits& bits) {
  Network drawn_network{network_of(channels)};
  drawn_network.initialise(Init::kaiming_normal_fan_out, 0, "arithmetic");
  const Network network = drawn_network.on(device);
  const at::Tensor images = drawn({8, 3, 16, 16}, "images").to(network.place());
  const Forward forward = propagate_forward(network, images);
  const at::Tensor logits = logits_of(network, forward);
  bits.add(logits);
  const Gradients gradients = propagate_backward(network, forward, network.graph().output(),
                                                 at::softmax(logits, 1), {true, {0}});
  for (const Network::Parameters& of_node : gradients.parameters)
    for (const at::Tensor& gradient : {of_node.weight, of_node.bias}) bits.add(gradient);
  bits.add(gradients.outputs[0]);
  if (device.is_cpu() && channels < 16)
    bits.add(ntk_gram(network, images, SampleCoupling::coupled));
}

/// Of what was tried. Libraries count, too: other ones may differ in what was not.
std::string bits_of_all(const std::string& libraries) {
  Bits bits{libraries};
  add_pass(8, {}, bits);
  add_pass(64, {}, bits);
  const at::Tensor a = drawn({192, 200}, "a"), b = drawn({200, 160}, "b");
  bits.add(at::matmul(a, b));
  bits.add(at::matmul(a.to(at::kDouble), b.to(at::kDouble)));
  const at::Tensor square = drawn({48, 48}, "square").to(at::kDouble);
  bits.add(at::linalg_eigvalsh(at::matmul(square, square.t())));
  bits.add(at::softmax(a, 1));
  bits.add(a.sum());
  return bits.text();
}

std::string processor_name() {
  std::ifstream stream{"/proc/cpuinfo"};
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with("model name"))
      return std::string{trimmed(line.substr(line.find(':') + 1))};
  return "unknown processor";
}

/// Without the kernels, which processors have in common that are not the same.
std::string blas_library() { return split(blas_name(), ',').front(); }

Arithmetic found_out() {
  const std::string config = at::show_config();
  const std::string torch = "LibTorch " + stated(config, "TORCH_VERSION=", ",\n");
  return {bits_of_all(torch + blas_library()), processor_name() + "; " + blas_name() + "; " +
                                                   torch + ", " +
                                                   stated(config, "CPU capability usage: ", "\n") +
                                                   (may_use_avx512() ? "" : ", kept to AVX2")};
}

}  // namespace

const Arithmetic& own_arithmetic() {
  static const Arithmetic kArithmetic = found_out();
  return kArithmetic;
}

std::string bits_on(const Device& device) {
  if (device.is_cpu()) return "";
  Bits bits{""};
  add_pass(8, device, bits);
  add_pass(64, device, bits);
  return bits.text();
}

std::string difference_from_own_arithmetic(const std::string& recorded) {
  const Arithmetic& own = own_arithmetic();
  if (recorded.empty() || recorded.starts_with(own.bits)) return "";
  const auto bracket = recorded.find('(');
  if (bracket == std::string::npos) return recorded + " there, " + own.text() + " here";
  const std::string words = recorded.substr(bracket + 1, recorded.rfind(')') - bracket - 1);
  const std::string there = parts_only_in(words, own.words), here = parts_only_in(own.words, words);
  return there.empty() ? recorded + " there, " + own.text() + " here"
                       : there + " there, " + here + " here";
}

}  // namespace thimble
