// bin/thimble: sets what must be set before any library is loaded, then becomes the program.
//
// OpenBLAS picks its kernels when it is loaded, and old releases do not know new processors:
// Debian 12's runs SSE3 kernels on them, five times slower than it could. Its threads are set to
// one for the same reason that LibTorch's are: thimble runs candidates in parallel.

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include <unistd.h>

int main(int, char** arguments) {
  constexpr int kKeepWhatTheUserSet = 0;
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vl")) {
    setenv("OPENBLAS_CORETYPE", "SkylakeX", kKeepWhatTheUserSet);
  } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    setenv("OPENBLAS_CORETYPE", "Haswell", kKeepWhatTheUserSet);
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
