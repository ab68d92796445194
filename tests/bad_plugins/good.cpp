// Nothing is wrong with it, but that there are two.
#include "idle.hpp"

THIMBLE_PLUGIN("twin", "1.0.0") { plugin.provides<Idle>("does nothing"); }
