#pragma once

#include <thimble/core/export.hpp>

namespace thimble {

/// Has kernels of ours do without AVX-512, so that processors with and without it compute the same.
/// Before anything is computed. Throws InputError on a processor without AVX2.
THIMBLE_EXPORT void limit_to_avx2();
THIMBLE_EXPORT bool may_use_avx512() noexcept;

}  // namespace thimble
