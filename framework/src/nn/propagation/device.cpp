#include <thimble/nn/propagation/device.hpp>

#include <cstdint>
#include <optional>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/core/ivalue.h>  // which Context.h leaves incomplete
#include <fmt/format.h>
#include <torch/cuda.h>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>

#include "device_place.hpp"

namespace thimble {
namespace {

constexpr std::string_view kGpu = "cuda";

constexpr std::int64_t kLastGpu = 127;  // that LibTorch can count to

/// The number of a GPU: 1 for cuda:1, 0 for cuda.
std::optional<std::int64_t> gpu_number(std::string_view name) {
  if (!name.starts_with(kGpu)) return {};
  name.remove_prefix(kGpu.size());
  if (name.empty()) return 0;
  if (!name.starts_with(':')) return {};
  const auto number = parse_integer(std::string{name.substr(1)});
  return number && *number >= 0 && *number <= kLastGpu ? number : std::nullopt;
}

std::int64_t gpus() { return static_cast<std::int64_t>(torch::cuda::device_count()); }

}  // namespace

Device device_named(const std::string& word) {
  if (word == "cpu" || word == "plain") return {word};
  if (word == "auto") return {gpus() > 0 ? std::string{kGpu} : "cpu"};
  if (!gpu_number(word))
    throw InputError{fmt::format("no device {}{}", in_quotes(word),
                                 did_you_mean(word, {"cpu", "cuda", "auto", "plain"})),
                     "there are cpu, cuda, cuda:N, auto, and plain (docs/libtorch.md)"};
  return {word};
}

void require_here(const Device& device) {
  const auto number = gpu_number(device.name);
  if (!number || *number < gpus()) return;
  throw InputError{fmt::format("no device {} here: {}", in_quotes(device.name),
                               gpus() == 0 ? "LibTorch finds no GPU that it can use"
                                           : "there are " + known_devices()),
                   "take --device cpu, or a LibTorch for CUDA (docs/libtorch.md)"};
}

std::string known_devices() {
  std::string all = "cpu, plain";
  for (std::int64_t i = 0; i < gpus(); ++i) all += fmt::format(", {}:{}", kGpu, i);
  return all;
}

at::Device place_of(const Device& device) {
  const auto number = gpu_number(device.name);
  if (!number) return at::kCPU;
  require_here(device);
  at::Context& context = at::globalContext();
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  return {at::kCUDA, static_cast<at::DeviceIndex>(*number)};
}

}  // namespace thimble
