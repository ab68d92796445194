#include <thimble/core/export.hpp>

/// Read by jemalloc before main(). Tensors of a few MiB come and go all the time: given back to the
/// system, each would be cleared and mapped again. Large pages make training steps faster
/// (docs/performance.md).
extern "C" {
THIMBLE_EXPORT const char* malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";
}
