#include "ntk_kernels.hpp"

#include <cmath>
#include <cstddef>

namespace thimble::ntk {
namespace {

// Each kernel is compiled for several instruction sets, and the machine's best is taken at run
// time: the library itself stays one for any x86-64 (or other) processor.

// Has an address computed once instead of with every use: instructions that add up two registers
// for an address are split in two by the processor.
#define THIMBLE_KEEP(pointer) asm("" : "+r"(pointer))

namespace generic {
#define THIMBLE_TARGET
#include "ntk_kernels.inc"
#undef THIMBLE_TARGET
}  // namespace generic

#ifdef __x86_64__
namespace avx2 {
#define THIMBLE_TARGET __attribute__((target("avx2,fma")))
#include "ntk_kernels.inc"
#undef THIMBLE_TARGET
}  // namespace avx2

namespace avx512 {
#define THIMBLE_TARGET __attribute__((target("avx512f,avx512dq,avx512vl,fma")))
#include "ntk_kernels.inc"
#undef THIMBLE_TARGET
}  // namespace avx512
#endif

template <class Scalar>
const Kernels<Scalar>& best() {
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl"))
    return avx512::kKernels<Scalar>;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    return avx2::kKernels<Scalar>;
#endif
  return generic::kKernels<Scalar>;
}

}  // namespace

template <class Scalar>
const Kernels<Scalar>& kernels() {
  static const Kernels<Scalar>& chosen = best<Scalar>();
  return chosen;
}

template const Kernels<float>& kernels();
template const Kernels<double>& kernels();

}  // namespace thimble::ntk
