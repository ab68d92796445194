#include <thimble/nn/threads.hpp>

#include <ctime>

#include <ATen/Parallel.h>
#include <dlfcn.h>

namespace thimble {
namespace {

/// OpenBLAS stands behind Debian's libblas alternative: it is asked for by name, not linked.
template <class Function>
Function* blas_function(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void use_single_threaded_math() {
  at::set_num_threads(1);
  // OpenBLAS has threads of its own, which LibTorch's setting does not reach.
  if (auto* const set_threads = blas_function<void(int)>("openblas_set_num_threads"))
    set_threads(1);
}

void begin_worker() { at::init_num_threads(); }

double thread_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

bool is_blas_fast() { return blas_function<char*()>("openblas_get_corename") != nullptr; }

std::string blas_name() {
  if (auto* const core = blas_function<char*()>("openblas_get_corename"))
    return std::string{"OpenBLAS, "} + core() + " kernels";
  return "reference BLAS: install libopenblas-dev, matrix products are 60 times faster with it";
}

}  // namespace thimble
