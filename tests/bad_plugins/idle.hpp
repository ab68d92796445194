#pragma once

#include <thimble/searcher.hpp>

/// The smallest plugin class: a searcher that finds nothing.
class Idle final : public thimble::Searcher {
 public:
  struct Params {
    int patience = 1;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::patience, "patience", "how long to do nothing").range(0, 9);
    }
  };

  explicit Idle(const Params&) {}
  thimble::SearchResult search(const thimble::Problem&, thimble::Evaluator&) const override {
    return {};
  }
};
