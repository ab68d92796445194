// Test programs run as the program does: one thread in LibTorch and BLAS.

#include <cstdlib>

#include <gmock/gmock.h>

#include <thimble/nn/threads.hpp>

/// Asking for more memory than there is fails as it does without a sanitizer: tests do that.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define THIMBLE_OPTIONS_OF(sanitizer)               \
  extern "C" __attribute__((visibility("default"))) \
  const char* __##sanitizer##_default_options() {   \
    return "allocator_may_return_null=1";           \
  }
THIMBLE_OPTIONS_OF(asan)
THIMBLE_OPTIONS_OF(tsan)
#endif

int main(int count, char** arguments) {
  testing::InitGoogleMock(&count, arguments);
  thimble::use_single_threaded_math();
  return RUN_ALL_TESTS();
}
