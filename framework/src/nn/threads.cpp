#include <thimble/nn/threads.hpp>

#include <ctime>

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <dlfcn.h>

#include "torch_config.hpp"

namespace thimble {
namespace {

/// What stands behind Debian's libblas alternative is asked for by name, not linked.
template <class Function>
Function* blas_function(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

/// Nothing for the reference BLAS.
std::string fast_blas() {
  if (const std::string name = built_in_blas(at::show_config()); !name.empty()) return name;
  if (auto* const core = blas_function<char*()>("openblas_get_corename"))
    return std::string{"OpenBLAS, "} + core() + " kernels";
  return blas_function<void()>("mkl_get_version") != nullptr ? "MKL" : "";
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

bool is_blas_fast() { return !fast_blas().empty(); }

std::string blas_name() {
  const std::string name = fast_blas();
  return name.empty() ? "reference BLAS: install libopenblas-dev, matrix products are 60 times "
                        "faster with it"
                      : name;
}

}  // namespace thimble
