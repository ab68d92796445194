#include <thimble/deploy/int8_network.hpp>

#include <cmath>

#include <thimble/core/error.hpp>

namespace thimble {

Rescale rescale_of(double factor) {
  if (!(factor >= 0) || std::isinf(factor)) throw Error{"a rescaling factor is not a number"};
  if (factor == 0) return {};
  int shift = 0;
  auto multiplier = std::llround(std::frexp(factor, &shift) * 2147483648.0);
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) return {};
  if (shift > 30) return {2147483647, 30};
  return {static_cast<std::int32_t>(multiplier), shift};
}

const char* name_of(Kernel kernel) {
  switch (kernel) {
    case Kernel::conv: return "conv";
    case Kernel::depthwise: return "depthwise";
    case Kernel::linear: return "linear";
    case Kernel::avg_pool: return "avg_pool";
    case Kernel::max_pool: return "max_pool";
    case Kernel::mean: return "mean";
    case Kernel::relu: return "relu";
    case Kernel::add: return "add";
    case Kernel::concat: return "concat";
    case Kernel::softmax: return "softmax";
  }
  return "?";
}

}  // namespace thimble
