#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include <thimble/graph/transforms.hpp>
#include <thimble/search/expected_cost.hpp>
#include <thimble/search/witnesses.hpp>
#include <thimble/searcher.hpp>

namespace pruning {

/// One option that could go.
struct Removal {
  std::size_t decision = 0;
  int option = 0;
};

/// Says what to remove: the gains of every removal in the objectives, ranked and weighted.
class Judge {
 public:
  /// Costs are taken in the state in which the search begins, around a network of it.
  Judge(const thimble::Problem& problem, thimble::Evaluator& evaluator,
        thimble::Witnesses& networks, bool by_score, thimble::AliveOptions start,
        thimble::Genotype witness);

  /// S of every removal; the least is best to remove.
  std::vector<double> sums(const thimble::AliveOptions& state, const std::vector<Removal>& removals,
                           double cost_factor);

 private:
  std::vector<double> gains_in(const std::string& metric, thimble::Direction direction,
                               const thimble::AliveOptions& state,
                               const std::vector<Removal>& removals,
                               const std::vector<thimble::Evaluation>& seen);
  std::vector<double> cost_gains(const std::string& metric, thimble::Direction direction,
                                 const thimble::AliveOptions& state,
                                 const std::vector<Removal>& removals);
  std::vector<double> proxy_gains(const std::string& metric, thimble::Direction direction,
                                  const std::vector<thimble::Evaluation>& seen) const;

  const thimble::Problem& problem_;
  thimble::Evaluator& evaluator_;
  thimble::Witnesses& networks_;
  bool by_score_;
  thimble::AliveOptions start_;
  thimble::Genotype witness_;  // of the start
  std::map<std::string, thimble::ExpectedCost> costs_;
};

}  // namespace pruning
