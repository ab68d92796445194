// MbedNet for time series, with windows along time: mbednet.hpp says what it is.

#include "mbednet.hpp"

namespace superblocks {

const Baseline kMbedNet1d{.name = "mbednet_1d",
                          .data = Data::series,
                          .stem = mbednet::stem,
                          .superblock = mbednet::superblock,
                          .head = classifier,
                          .groups = mbednet::kWidths};

}  // namespace superblocks
