// Test programs run as the program does: one thread in LibTorch and BLAS.

#include <cstdlib>

#include <gmock/gmock.h>

#include <thimble/nn/threads.hpp>

#ifdef __SANITIZE_ADDRESS__
/// Asking for more memory than there is fails as it does without the sanitizer: tests do that.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "allocator_may_return_null=1";
}
#endif

int main(int count, char** arguments) {
  testing::InitGoogleMock(&count, arguments);
  thimble::use_single_threaded_math();
  return RUN_ALL_TESTS();
}
