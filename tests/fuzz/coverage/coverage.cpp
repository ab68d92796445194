// GCC calls this in every basic block; libFuzzer wants counters.

#include <array>
#include <cstddef>
#include <cstdint>

extern "C" void __sanitizer_cov_8bit_counters_init(std::uint8_t* begin, std::uint8_t* end);

namespace {

constexpr unsigned kBits = 16;  // few blocks share a counter, and looking at all is still quick
std::array<std::uint8_t, std::size_t{1} << kBits> counters;

[[gnu::constructor]] void hand_over() {
  __sanitizer_cov_8bit_counters_init(counters.data(), counters.data() + counters.size());
}

}  // namespace

extern "C" [[gnu::visibility("default")]] void __sanitizer_cov_trace_pc() {
  const auto block = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
  ++counters[block * 0x9e3779b97f4a7c15U >> (64 - kBits)];
}

// And these at comparisons of floating-point numbers, which libFuzzer takes no hints from.
extern "C" [[gnu::visibility("default")]] void __sanitizer_cov_trace_cmpf(float, float) {}
extern "C" [[gnu::visibility("default")]] void __sanitizer_cov_trace_cmpd(double, double) {}
