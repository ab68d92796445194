// A plugin that is right when THIMBLE_MISTAKE_NONE is defined; see CMakeLists.txt for the others.
#include <thimble/searcher.hpp>

namespace {

#if defined THIMBLE_MISTAKE_NO_INTERFACE
class Idle final {
#elif defined THIMBLE_MISTAKE_PRIVATE_INTERFACE
class Idle final : thimble::Searcher {
#else
class Idle final : public thimble::Searcher {
#endif
 public:
#ifndef THIMBLE_MISTAKE_NO_PARAMS
  struct Params {
    int patience = 1;
#ifndef THIMBLE_MISTAKE_NO_DESCRIPTION
    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::patience, "patience", "how long to do nothing");
    }
#endif
  };
  explicit Idle(const Params&) {}
#endif
#if !defined THIMBLE_MISTAKE_STILL_ABSTRACT && !defined THIMBLE_MISTAKE_NO_INTERFACE
  thimble::SearchResult search(const thimble::Problem&, thimble::Evaluator&) const override {
    return {};
  }
#endif
};

}  // namespace

THIMBLE_PLUGIN("idle", "1.0.0") { plugin.provides<Idle>("does nothing"); }
