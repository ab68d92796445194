#include <thimble/core/instruction_sets.hpp>

#include <atomic>

#include <thimble/core/error.hpp>

namespace thimble {
namespace {

std::atomic<bool> is_limited = false;

bool has_avx2() {
#ifdef __x86_64__
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

}  // namespace

void limit_to_avx2() {
  if (!has_avx2())
    throw InputError{"this processor has no AVX2",
                     "leave out --arithmetic avx2, and name nodes with AVX2 in the engine file"};
  is_limited = true;
}

bool may_use_avx512() noexcept { return !is_limited; }

}  // namespace thimble
