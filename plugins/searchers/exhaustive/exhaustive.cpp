// Exhaustive search: every network of a finite space, in order. The upper bound for any searcher
// that works on the same metrics, and the way to tabulate a space.

#include <algorithm>

#include <thimble/core/error.hpp>
#include <thimble/searcher.hpp>

namespace {

class Exhaustive final : public thimble::Searcher {
 public:
  struct Params {
    std::int64_t most = 1'000'000;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::most, "most", "refuse spaces with more networks than this")
          .range(1, 1'000'000'000);
    }
  };

  explicit Exhaustive(const Params& params) : params_{params} {}

  std::optional<std::int64_t> expected_evaluations(const thimble::Problem& problem) const override {
    const auto size = thimble::space_size(problem.decisions);
    if (!size || *size > static_cast<std::uint64_t>(params_.most))
      throw thimble::Error{"the space has more than " + std::to_string(params_.most) + " networks",
                           "raise searcher.most, or use another searcher"};
    return std::min(static_cast<std::int64_t>(*size), problem.budget.evaluations);
  }

  thimble::SearchResult search(const thimble::Problem& problem,
                               thimble::Evaluator& evaluator) const override {
    const auto count = expected_evaluations(problem);
    evaluator.expect(*count);
    std::vector<thimble::Genotype> genotypes;
    genotypes.reserve(static_cast<std::size_t>(*count));
    for (std::int64_t i = 0; i < *count; ++i)
      genotypes.push_back(thimble::genotype_at(problem.decisions, static_cast<std::uint64_t>(i)));
    return thimble::summarize(evaluator.evaluate(genotypes), problem);
  }

 private:
  Params params_;
};

}  // namespace

THIMBLE_PLUGIN("exhaustive", "1.0.0") {
  plugin.provides<Exhaustive>("every network of a finite space");
}
