#pragma once

#include <string>

#include <thimble/core/export.hpp>

namespace thimble {

/// Sets LibTorch and the BLAS library to one thread each: the kernel runs candidates in parallel,
/// and many small networks lose by threads inside. To be called once, before any other work.
THIMBLE_EXPORT void use_single_threaded_math();

/// Carries the number of threads over to the thread that calls: OpenMP counts for each its own.
THIMBLE_EXPORT void begin_worker();

/// Of this thread's processor time: what else the machine does must not count as a proxy's.
THIMBLE_EXPORT double thread_seconds();

/// The BLAS library that LibTorch's matrix products run on ("OpenBLAS, SkylakeX kernels"), with a
/// warning when it is the reference one, which is 60 times slower.
THIMBLE_EXPORT std::string blas_name();
THIMBLE_EXPORT bool is_blas_fast();

}  // namespace thimble
