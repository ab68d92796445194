#include <thimble/core/export.hpp>

/// Read by jemalloc before main(). Tensors of some MiB come and go all the time: given back to the
/// system, each would be cleared and mapped again, which took up to a third of a training step or
/// of a pass, so what was freed is kept, whatever its size. A large free piece may serve a small
/// tensor: else passes of many shapes pile up pieces of every size (16 GB after 250 cells). Large
/// pages make training steps faster (docs/performance.md).
extern "C" {
THIMBLE_EXPORT const char* malloc_conf =
    "dirty_decay_ms:-1,oversize_threshold:0,lg_extent_max_active_fit:10,thp:always";
}
