// bin/thimble: sets what must be set before any library is loaded, then becomes the program.
//
// OpenBLAS picks its kernels when it is loaded, and old releases do not know new processors:
// Debian 12's runs SSE3 kernels on them, five times slower than it could. Its threads are set to
// one for the same reason that LibTorch's are: thimble runs candidates in parallel. With
// `--arithmetic avx2` all libraries take the kernels that processors with and without AVX-512 have
// in common.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <unistd.h>

namespace {

constexpr int kKeepWhatTheUserSet = 0;

bool asks_for_avx2(char** arguments) {
  bool asks = false;
  for (; *arguments != nullptr; ++arguments) {
    const std::string_view word = *arguments;
    if (word == "--arithmetic=avx2") asks = true;
    if (word == "--arithmetic" && arguments[1] != nullptr)
      asks = std::string_view{arguments[1]} == "avx2";
  }
  return asks;
}

/// For who starts thimble on a machine of another kind: this was not the user's wish.
void choose(const char* kernels) {
  if (std::getenv("OPENBLAS_CORETYPE") != nullptr) return;
  setenv("OPENBLAS_CORETYPE", kernels, kKeepWhatTheUserSet);
  setenv("THIMBLE_CHOSE_KERNELS", "1", kKeepWhatTheUserSet);
}

}  // namespace

int main(int, char** arguments) {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (asks_for_avx2(arguments)) {
    setenv("OPENBLAS_CORETYPE", "Haswell", 1);
    setenv("ATEN_CPU_CAPABILITY", "avx2", 1);
    setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    setenv("MKL_CBWR", "AVX2", 1);
  } else if (__builtin_cpu_supports("avx512vl")) {
    choose("SkylakeX");
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    choose("Haswell");
  }
#endif
  setenv("OPENBLAS_NUM_THREADS", "1", kKeepWhatTheUserSet);
  std::error_code trouble;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", trouble);
  const auto program = self.parent_path().parent_path() / "libexec" / "thimble" / "thimble";
  execv(program.c_str(), arguments);
  std::fprintf(stderr, "thimble: error: cannot start '%s': %s\n", program.c_str(),
               std::strerror(errno));
  return 1;
}
