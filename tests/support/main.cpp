// Test programs run as the program does: one thread in LibTorch and BLAS.

#include <cstdlib>

#include <gmock/gmock.h>

#include <thimble/nn/threads.hpp>

int main(int count, char** arguments) {
  testing::InitGoogleMock(&count, arguments);
  thimble::use_single_threaded_math();
  return RUN_ALL_TESTS();
}
