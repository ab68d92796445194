#pragma once

// A function marked THIMBLE_CLONES is compiled for several instruction sets; the machine's best is
// taken when the library is loaded. The sets are levels, which go by what a processor can do:
// "arch=haswell" and the like go by its model, and leave others' processors with the oldest set.
// What a clone calls joins in when marked THIMBLE_INLINE. The thread sanitizer gets no clones: it
// would watch the code that chooses one before it can.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define THIMBLE_CLONES_FOR(...) __attribute__((target_clones(__VA_ARGS__)))
#else
#define THIMBLE_CLONES_FOR(...)
#endif
#define THIMBLE_CLONES THIMBLE_CLONES_FOR("arch=x86-64-v4", "arch=x86-64-v3", "default")
#define THIMBLE_INLINE inline __attribute__((always_inline))
