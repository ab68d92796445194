// Calls what nobody defines; the linker lets that pass in a module, unless told otherwise.
#include "idle.hpp"

int nobody_defines_this();

THIMBLE_PLUGIN("missing_symbol", "1.0.0") {
  if (nobody_defines_this() == 0) plugin.provides<Idle>("does nothing");
}
