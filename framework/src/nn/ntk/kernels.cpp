#include "kernels.hpp"

#include <cmath>
#include <cstddef>

#include <thimble/core/instruction_sets.hpp>

namespace thimble::ntk {
namespace {

// Has an address computed once instead of with every use: instructions that add up two registers
// for an address are split in two by the processor.
#define THIMBLE_KEEP(pointer) asm("" : "+r"(pointer))

#define THIMBLE_KERNELS "nn/ntk/kernels.inc"
#include <thimble/core/instruction_sets.inc>

}  // namespace

template <class Scalar>
const Kernels<Scalar>& kernels() {
  static const Kernels<Scalar>& chosen = THIMBLE_BEST(kKernels<Scalar>);
  return chosen;
}

template const Kernels<float>& kernels();
template const Kernels<double>& kernels();

}  // namespace thimble::ntk
