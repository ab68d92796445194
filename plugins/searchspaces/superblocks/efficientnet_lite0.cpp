// EfficientNet-Lite0: EfficientNet-B0 (Tan and Le, ICML 2019, arXiv 1905.11946, table 1) without
// squeeze-and-excitation and with ReLU6 in place of swish; github.com/tensorflow/tpu,
// models/official/efficientnet/lite. Seven stages in four groups, as MobileNetV2's.

#include "baseline.hpp"

namespace superblocks {

const Baseline kEfficientNetLite0{
    .name = "efficientnet_lite0",
    .data = Data::images,
    .stem = mobile_stem,
    .superblock = inverted_residual,
    .head = mobile_head,
    .groups = {{{.width = 40, .depth = 2, .kernel = 5, .stride = 2},
                {.width = 80, .depth = 3, .kernel = 3, .stride = 2},
                {.width = 112, .depth = 3, .kernel = 5, .stride = 1},
                {.width = 192, .depth = 4, .kernel = 5, .stride = 2}}}};

}  // namespace superblocks
