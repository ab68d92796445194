#pragma once

#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <thimble/core/random.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/integer_network.hpp>

#include <ATen/ATen.h>

/// Integers on many samples, compared with the reference.
namespace thimble::test {

/// Real images that reach beyond the ends of what the input can hold.
inline at::Tensor images_for(const Int8Network& network, std::int64_t count, std::uint64_t seed) {
  const auto& [name, shape, q] = network.tensor(0);
  std::vector<float> values(static_cast<std::size_t>(count * shape.elements()));
  Random random = Random::stream(seed, {"images"});
  for (float& value : values)
    value = q.scale * static_cast<float>(static_cast<int>(random.below(300)) - 150 - q.zero_point);
  return at::tensor(values).view({count, shape.channels, shape.height, shape.width});
}

/// Every tensor of every sample.
inline void expect_reference(const IntegerNetwork& quick, const at::Tensor& images) {
  const Int8Network& network = quick.network();
  const IntegerRun run = quick.run(images);
  for (std::int64_t n = 0; n < images.size(0); ++n) {
    const auto truth = run_reference(network, quantised(images[n], network.tensor(0).quantisation));
    for (std::size_t i = 0; i < truth.size(); ++i) {
      const at::Tensor found = run.values[i][n].permute({1, 2, 0}).flatten().contiguous() +
                               network.tensors[i].quantisation.zero_point;
      const std::vector<float> values{found.data_ptr<float>(),
                                      found.data_ptr<float>() + found.numel()};
      ASSERT_EQ(values, std::vector<float>(truth[i].begin(), truth[i].end()))
          << network.tensors[i].name << " of sample " << n;
    }
  }
}

}  // namespace thimble::test
