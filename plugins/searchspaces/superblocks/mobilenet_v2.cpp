// MobileNetV2: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: Inverted Residuals and
// Linear Bottlenecks", CVPR 2018, arXiv 1801.04381, table 2. Its seven stages in four groups: the
// two narrowest are the stem's, the last one, a single block, is the head's.

#include "baseline.hpp"

namespace superblocks {

const Baseline kMobileNetV2{.name = "mobilenet_v2",
                            .data = Data::images,
                            .stem = mobile_stem,
                            .superblock = inverted_residual,
                            .head = mobile_head,
                            .groups = {{{.width = 32, .depth = 3, .kernel = 3, .stride = 2},
                                        {.width = 64, .depth = 4, .kernel = 3, .stride = 2},
                                        {.width = 96, .depth = 3, .kernel = 3, .stride = 1},
                                        {.width = 160, .depth = 3, .kernel = 3, .stride = 2}}}};

}  // namespace superblocks
