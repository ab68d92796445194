#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/box_decoder.hpp>
#include <thimble/graph/graph.hpp>

/// A network as integers: what generated C, its reference and exports are made from. The
/// arithmetic is that of TensorFlow Lite Micro's reference kernels and of CMSIS-NN's default build
/// (double rounding), so results can be compared bit for bit.
namespace thimble {

/// real = scale x (q - zero_point), q in [-128, 127].
struct Quantisation {
  float scale = 1;
  std::int32_t zero_point = 0;
  bool operator==(const Quantisation&) const = default;
};

/// The low 32 bits, as two's complement has them.
constexpr std::int32_t wrapped(std::int64_t value) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
}

/// A positive real factor as integers: multiplier / 2^31 x 2^shift.
struct Rescale {
  std::int32_t multiplier = 0;
  std::int32_t shift = 0;  ///< positive: to the left
  bool operator==(const Rescale&) const = default;
};

/// The factor as TFLite's QuantizeMultiplier() writes it. `factor` must not be negative.
THIMBLE_EXPORT Rescale rescale_of(double factor);

#define THIMBLE_TARGET
#include <thimble/deploy/rescale.inc>
#undef THIMBLE_TARGET

/// x times the factor, rounded twice: first to 32 bits, ties up, then to the shift, ties away from
/// 0 (gemmlowp's SaturatingRoundingDoublingHighMul and RoundingDivideByPOT).
inline std::int32_t rescaled(std::int32_t x, Rescale factor) {
  const int left = factor.shift > 0 ? factor.shift : 0;
  const std::int32_t shifted = wrapped(std::int64_t{x} * (std::int64_t{1} << left));
  std::int64_t y = 0;
  rescale_right<std::int64_t>(shifted, factor.multiplier, factor.shift > 0 ? 0 : -factor.shift, y);
  return static_cast<std::int32_t>(y);
}

/// What a layer computes. Tensors are int8, height x width x channels (NHWC without N).
enum class Kernel : std::uint8_t {
  conv,       ///< 2-D convolution; grouped, too, when it is not depthwise
  depthwise,  ///< a filter per channel; as many channels out as in. Batch norm is a 1x1 of these
  linear,     ///< fully connected on the flattened input
  avg_pool,   ///< mean over the valid cells of each window
  max_pool,   ///< maximum over the valid cells of each window
  mean,       ///< mean over height and width
  relu,       ///< ReLU or ReLU6 that could not be fused
  add,        ///< sum of two to sixteen tensors
  concat,     ///< channels one behind the other
  softmax,    ///< over all elements
};
inline constexpr std::array kKernels{
    Kernel::conv, Kernel::depthwise, Kernel::linear, Kernel::avg_pool, Kernel::max_pool,
    Kernel::mean, Kernel::relu,      Kernel::add,    Kernel::concat,   Kernel::softmax};
THIMBLE_EXPORT const char* name_of(Kernel kernel);

struct Int8Tensor {
  std::string name;
  Shape shape;
  Quantisation quantisation;
};

/// One operator with everything it needs at run time.
///
/// | kernel | weights | bias | rescale | input_rescale |
/// |---|---|---|---|---|
/// | conv | out x kh x kw x in/groups | out | out | - |
/// | depthwise | kh x kw x channels | channels | channels | - |
/// | linear | out x in, in NHWC order | out | out | - |
/// | mean | - | - | 1, with 1 / pixels in it | - |
/// | relu | - | - | 1 | - |
/// | add | - | - | 1: the sum's | one an input, after a shift of 20 to the left |
/// | concat | - | - | - | one an input; empty where scales agree |
/// | softmax | - | - | 1: to Q5.26 | - |
///
/// conv, depthwise, linear: sum w (x - zero_point_in) over valid cells + bias, rescaled per
/// channel,
/// + zero_point_out, clamped. avg_pool: (sum +- cells / 2) / cells, clamped; input and output share
/// one quantisation, as those of max_pool do.
struct Int8Layer {
  Kernel kernel = Kernel::conv;
  std::string name;
  std::vector<int> inputs;  ///< indices of tensors
  int output = -1;          ///< index of a tensor
  Extent window;
  Extent stride;
  Extent padding{0, 0};  ///< rows above and columns left; below and right follow from the shapes
  int groups = 1;
  std::vector<std::int8_t> weights;
  std::vector<std::int32_t> bias;
  std::vector<Rescale> rescale;
  std::vector<Rescale> input_rescale;
  std::int32_t lowest = -128;        ///< clamp of the output
  std::int32_t highest = 127;        ///< clamp of the output
  std::int32_t diff_min = 0;         ///< softmax: differences to the maximum below this count as 0
  std::vector<float> weight_scales;  ///< per output channel; for exports only
};

/// Layers in the order in which they run; tensor 0 is the input. Every other tensor is the output
/// of exactly one layer.
struct Int8Network {
  std::string name = "network";  ///< a C identifier
  std::vector<Int8Tensor> tensors;
  std::vector<Int8Layer> layers;
  int output = -1;                       ///< index of a tensor
  std::optional<BoxDecoder> boxes = {};  ///< what the output becomes, where it is a map of boxes

  const Int8Tensor& tensor(int index) const { return tensors[static_cast<std::size_t>(index)]; }
};

/// How far the terms of a sum are moved to the left before they are rescaled.
inline constexpr int kSumShift = 20;

/// A mean of int8 values, rounded to the nearest, ties away from zero.
constexpr std::int32_t mean_of(std::int32_t sum, std::int32_t cells) {
  return (sum + (sum >= 0 ? cells / 2 : -(cells / 2))) / cells;
}

/// A softmax layer on what it reads.
THIMBLE_EXPORT std::vector<std::int8_t> softmax_of(const Int8Layer& layer,
                                                   std::span<const std::int8_t> values);

/// Runs the network in plain C++ with the exact arithmetic above: every tensor, in the order of
/// `tensors`. input: height x width x channels values. Throws Error when its size is wrong.
/// Thread safe; not made for speed.
THIMBLE_EXPORT std::vector<std::vector<std::int8_t>> run_reference(
    const Int8Network& network, std::span<const std::int8_t> input);

}  // namespace thimble
