// Its info, written by hand, with one thing wrong. Nothing of it may be called.
#include <cstdlib>

#include <thimble/plugin/registrar.hpp>

#ifdef THIMBLE_WRONG_TORCH
#undef THIMBLE_TORCH
#define THIMBLE_TORCH "0.4.1"
extern "C" void only_another_libtorch_has_this();
#endif

[[maybe_unused]] static void enlist(thimble::Registrar&) {
#ifdef THIMBLE_WRONG_TORCH
  only_another_libtorch_has_this();
#endif
  std::abort();
}

extern "C" THIMBLE_EXPORT const ThimblePluginInfo thimble_plugin_info;
extern "C" const ThimblePluginInfo thimble_plugin_info {
#ifdef THIMBLE_WRONG_SIZE
  sizeof(ThimblePluginInfo) - sizeof(void*),
#else
  sizeof(ThimblePluginInfo),
#endif
#ifdef THIMBLE_WRONG_ABI
      thimble::kAbiVersion + 1000,
#elif defined THIMBLE_OLD_ABI
      thimble::kAbiVersion - 1,
#else
  thimble::kAbiVersion,
#endif
#ifdef THIMBLE_WRONG_BUILD
      "gcc 1; cxx11abi 0; asan 0",
#else
      THIMBLE_BUILD,
#endif
#if defined THIMBLE_WRONG_NAME
      "Wrong-Name",
#elif defined THIMBLE_NULL_NAME
      nullptr,
#else
      "wrong_info",
#endif
      "1.0.0",
#ifdef THIMBLE_NULL_ENLIST
      nullptr,
#else
      &enlist,
#endif
};
