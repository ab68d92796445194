#pragma once

// A function marked THIMBLE_CLONES is compiled for several instruction sets; the machine's best is
// taken when the library is loaded. The sets are levels, which go by what a processor can do:
// "arch=haswell" and the like go by its model, and leave others' processors with the oldest set.
// What a clone calls joins in when marked THIMBLE_INLINE.
#ifdef __x86_64__
#define THIMBLE_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define THIMBLE_CLONES
#endif
#define THIMBLE_INLINE inline __attribute__((always_inline))
