// A searcher that calls itself a proxy.
#include "idle.hpp"

class OddKind final : public thimble::Searcher {
 public:
  static constexpr thimble::Kind kKind = thimble::Kind::proxy;
  using Params = Idle::Params;

  explicit OddKind(const Params&) {}
  thimble::SearchResult search(const thimble::Problem&, thimble::Evaluator&) const override {
    return {};
  }
};

THIMBLE_PLUGIN("odd_kind", "1.2.3") { plugin.provides<OddKind>("does nothing"); }
