// The tangent kernel's two engines side by side, one thread: one backward pass of autograd per
// sample, and all cotangents at once. Prints the best of several runs of each, taken in turns.
//
//   bench_ntk [repeats]

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <limits>

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <thimble/nn/ntk/ntk.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "support/cells.hpp"

extern "C" void openblas_set_num_threads(int) __attribute__((weak));

namespace {

using namespace thimble;

/// Of this thread's processor time: the machine may have other things to do.
template <class Work>
double milliseconds(const Work& work) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) * 1e-6;
  };
  const double begin = now();
  work();
  return now() - begin;
}

at::Tensor images(int batch, at::ScalarType precision) {
  return at::randn({batch, 3, 32, 32}, at::kFloat).to(precision);
}

void compare(const char* name, const Graph& graph, int batch, at::ScalarType precision,
             int repeats) {
  Network network{graph, precision};
  network.initialise(Init::kaiming_normal_fan_out, 1, "bench");
  const at::Tensor x = images(batch, precision);
  double by_rows = std::numeric_limits<double>::infinity();
  double at_once = by_rows;
  double frozen = by_rows;
  double slow_kappa = 0.0;
  double fast_kappa = 0.0;
  for (int i = 0; i < repeats; ++i) {
    by_rows = std::min(by_rows, milliseconds([&] {
                         slow_kappa = condition_number(ntk_gram_by_rows(network, x));
                       }));
    for (int j = 0; j < 5; ++j) {
      at_once = std::min(at_once, milliseconds([&] {
                           fast_kappa =
                               condition_number(ntk_gram(network, x, SampleCoupling::coupled));
                         }));
      frozen = std::min(frozen, milliseconds([&] {
                          condition_number(ntk_gram(network, x, SampleCoupling::frozen));
                        }));
    }
  }
  fmt::print(
      "{:<22} batch {:>2} {:<6}  by rows {:7.1f} ms  at once {:6.1f} ms  ratio {:5.1f}"
      "  (frozen {:5.1f} ms)  kappa {:.6g} and {:.6g}\n",
      name, batch, c10::toString(precision), by_rows, at_once, by_rows / at_once, frozen,
      slow_kappa, fast_kappa);
}

}  // namespace

int main(int argc, char** argv) {
  at::set_num_threads(1);
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
  at::manual_seed(1);
  const int repeats = argc > 1 ? std::atoi(argv[1]) : 3;
  compare("TE-NAS supernet", test::te_nas_supernet(), 32, at::kFloat, repeats);
  compare("TE-NAS supernet", test::te_nas_supernet(), 32, at::kDouble, repeats);
  const auto single = test::every_edge({"nor_conv_3x3"});
  compare("TE-NAS supernet", test::te_nas_supernet(), 72, at::kFloat, 1);
  compare("single cell, C = 3", test::nas_bench_201(single), 32, at::kFloat, repeats);
  for (const int channels : {4, 8, 12, 16})
    compare(fmt::format("single cell, C = {}", channels).c_str(),
            test::nas_bench_201(single, channels), 32, at::kFloat, 1);
}
