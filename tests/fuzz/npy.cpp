// Arrays as NumPy saves them.

#include <algorithm>
#include <vector>

#include <thimble/core/index.hpp>
#include <thimble/nn/npy.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const auto file = fuzz::file_of("array.npy", fuzz::text_of(data, size));
  fuzz::succeeds([&] {
    const Npy array{file};
    // No element without a byte, so this is no more than the file.
    std::vector<float> row(at(array.row_size()));
    fuzz::succeeds([&] {
      for (std::int64_t i = 0; i < array.rows(); ++i) array.read(i, row);
    });
    fuzz::succeeds([&] { array.whole_numbers(); });
  });
  return 0;
}
