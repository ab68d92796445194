#pragma once

#include <cstdint>
#include <vector>

#include <thimble/deploy/int8_network.hpp>

/// The constants of generated C, as its kernels read them (kernels/*.c).
namespace thimble {

constexpr int kLanes = 4;  ///< values that a kernel takes at a time

/// How many words of kLanes values hold so many.
constexpr std::int64_t words(std::int64_t values) { return (values + kLanes - 1) / kLanes; }

/// The kernel of generated C for a layer: convolutions that see the whole input are linear, and
/// depthwise ones of fewer channels than a word has are convolutions with zeros.
Kernel kernel_for(const Int8Network& network, const Int8Layer& layer);

/// What the convolution kernel unfolds: windows, their rows padded to words.
struct Unfolded {
  Unfolded(const Int8Network& network, const Int8Layer& layer);

  int groups = 1;
  int rows = 1;
  int row_values = 0;
  std::int64_t row_words = 0;
};

/// Whether a window of the layer reaches beyond its input.
bool reaches_beyond(const Int8Network& network, const Int8Layer& layer);

/// `struct factor`: 2 multiplier - 2^32, and ~shift.
struct Factor {
  std::int32_t twice = 0;
  std::int32_t shift = 0;
};

/// Throws Error for a factor that rescale_of() does not give.
Factor factor_of(const Rescale& rescale);

/// The same for a term of a sum.
Factor factor_of_term(const Rescale& rescale);

/// Weights in their order in flash, and the channels whose biases and factors go with them: -1
/// stands for a channel of zeros. Of a layer without weights (a skeleton's) only how many bytes
/// they would take is known.
struct Packed {
  std::int64_t bytes = 0;
  std::vector<std::int8_t> weights;
  std::vector<int> channels;
};

Packed packed_conv(const Int8Network& network, const Int8Layer& layer);
Packed packed_linear(const Int8Network& network, const Int8Layer& layer);
Packed packed_depthwise(const Int8Network& network, const Int8Layer& layer);

/// The bias with the input's zero point times the weights taken out: kernels do not subtract it
/// from the input.
std::int32_t folded_bias(const Int8Network& network, const Int8Layer& layer, int channel);

}  // namespace thimble
