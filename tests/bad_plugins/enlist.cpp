// An entry point that throws, or provides too little or too much.
#include <stdexcept>

#include "idle.hpp"

#if defined THIMBLE_PROVIDE_ONE
THIMBLE_PLUGIN("other", "1.2.3") { plugin.provides<Idle>("does nothing"); }
#elif defined THIMBLE_PROVIDE_TWO
THIMBLE_PLUGIN("provides_two", "1.2.3") {
  plugin.provides<Idle>("does nothing");
  plugin.provides<Idle>("does nothing again");
}
#elif defined THIMBLE_THROW_STANDARD
THIMBLE_PLUGIN("throws_standard", "1.2.3") {
  plugin.provides<Idle>("does nothing");
  throw std::runtime_error{"no luck today"};
}
#elif defined THIMBLE_THROW_ERROR
THIMBLE_PLUGIN("throws_error", "1.2.3") {
  // The profile stands before what it is a profile of.
  plugin.profile("small", "{patience: 0}").provides<Idle>("does nothing");
}
#elif defined THIMBLE_THROW_INT
THIMBLE_PLUGIN("throws_int", "1.2.3") {
  plugin.provides<Idle>("does nothing");
  throw 42;
}
#else
THIMBLE_PLUGIN("provides_nothing", "1.2.3") { static_cast<void>(plugin); }
#endif
