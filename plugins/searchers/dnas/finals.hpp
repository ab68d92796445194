#pragma once

#include <set>
#include <string>
#include <vector>

#include <thimble/search/feasible_draws.hpp>
#include <thimble/searcher.hpp>

#include "params.hpp"

namespace dnas {

/// The likeliest networks by what they do on all samples that weights did not learn from, and as
/// long as that finds a better one, those near the best; then the best of these by what they do
/// when each is trained by itself.
class Finals {
 public:
  /// All outlive this.
  Finals(const thimble::Problem& problem, thimble::FeasibleDraws& feasible,
         const thimble::OptionNumbers& shares, thimble::Relaxation& weights,
         thimble::Evaluator& evaluator, const Params& params)
      : problem_{problem},
        feasible_{feasible},
        shares_{shares},
        weights_{weights},
        evaluator_{evaluator},
        params_{params} {}

  thimble::SearchResult play();

 private:
  struct Ranked {
    thimble::Genotype network;
    double metric = 0;
  };

  /// Whether one is better than all before; of equals the first.
  bool look_at(const std::vector<thimble::Genotype>& networks);
  /// As many as there are trials, the best first, each unlike all before it: what differs in a
  /// decision or two from the best is hardly another network.
  std::vector<thimble::Genotype> unlike() const;
  thimble::SearchResult best_alone(const std::string& compared);
  thimble::SearchResult taken(const thimble::Genotype& network, const std::string& remark);

  const thimble::Problem& problem_;
  thimble::FeasibleDraws& feasible_;
  const thimble::OptionNumbers& shares_;
  thimble::Relaxation& weights_;
  thimble::Evaluator& evaluator_;
  const Params& params_;
  std::set<thimble::Genotype> known_;
  std::vector<Ranked> ranked_;  // best first
};

}  // namespace dnas
