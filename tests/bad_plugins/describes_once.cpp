// Describes its parameters when it is registered, and throws whenever they are described again.
#include <stdexcept>

#include <thimble/searcher.hpp>

namespace {

class DescribesOnce final : public thimble::Searcher {
 public:
  struct Params {
    int patience = 1;

    template <class Describe>
    static void describe(Describe& param) {
      static int times = 0;
      if (++times > 1) throw std::runtime_error{"asked too often"};
      param(&Params::patience, "patience", "how often to answer");
    }
  };

  explicit DescribesOnce(const Params&) {}
  thimble::SearchResult search(const thimble::Problem&, thimble::Evaluator&) const override {
    return {};
  }
};

}  // namespace

THIMBLE_PLUGIN("describes_once", "1.2.3") { plugin.provides<DescribesOnce>("answers once"); }
