#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/core/random.hpp>
#include <thimble/search/searcher.hpp>

namespace thimble {

/// exp(logit / temperature), by decision made to sum to 1.
THIMBLE_EXPORT OptionNumbers shares_of(const OptionNumbers& logits, double temperature);

/// The gradient by logits of what has this gradient by the shares that they make.
THIMBLE_EXPORT OptionNumbers through_softmax(const OptionNumbers& by_share,
                                             const OptionNumbers& shares, double temperature);

/// Networks drawn decision by decision, in an order that is drawn, too, among the options with
/// which a network is known that keeps all limits, by exact costs: whatever is drawn keeps them. A
/// decision with a share for an option has it renormalised among those that are open then. Which
/// options are open is told by a witness, never by a model: that none is found where there is one
/// can happen where costs do not grow with their parts. Decisions are choices. Not thread safe.
class THIMBLE_EXPORT FeasibleDraws {
 public:
  /// `keeps_limits`: false asks for networks that can run at all. Both references outlive this.
  FeasibleDraws(const Problem& problem, Evaluator& evaluator, bool keeps_limits = true);

  /// The network found to begin with, as far below the limits as was found; where it does not keep
  /// them, none was found, and nothing can be drawn.
  const Evaluation& root() const noexcept { return root_; }

  struct Draw {
    Genotype genotype;
    /// With what share each option could be drawn: zero for those that were found closed.
    OptionNumbers shares;
  };
  Draw draw(const OptionNumbers& shares, Random& random);

  /// Of networks that keep the limits, those whose options have the largest product of shares that
  /// is found: by draws, and from the best of them by changes of one and two decisions. Best first.
  std::vector<Genotype> likeliest(const OptionNumbers& shares, std::size_t count, Random& random);

  /// The same among those that differ from a network in one decision or two, without it.
  std::vector<Genotype> likeliest_near(const Genotype& network, const OptionNumbers& shares,
                                       std::size_t count);

  /// Whether it keeps the limits.
  bool is_open(const Genotype& genotype);

  /// The canonical form where it costs the same: what counts for nothing, as in cells that are
  /// skipped, is then the same in all results. Else the network itself.
  Evaluation plain(const Genotype& genotype) const;

 private:
  struct Verdict {
    bool is_valid = false;
    double violation = 0;
    double use = 0;  ///< of the limits; less is cheaper
  };
  using Order = std::vector<std::size_t>;

  double use_of(const Evaluation& network) const;
  Verdict verdict(const Genotype& genotype);
  bool is_open(const Verdict& verdict) const;
  bool is_better(const Verdict& a, const Verdict& b) const;
  Genotype some_network();
  Genotype cheapened(Genotype from, const std::vector<bool>& is_fixed, bool to_the_end);
  const Genotype& cheapest_with(std::size_t decision, std::size_t option);
  std::optional<Genotype> witness_for(const Genotype& genotype, const Order& order,
                                      std::size_t decided);

  const Problem& problem_;
  Evaluator& evaluator_;
  bool keeps_limits_;
  std::vector<std::size_t> options_;  ///< how many each decision has
  Evaluation root_;
  std::unordered_map<std::string, Verdict> known_;
  /// By decision and option, the cheapest network that has it, as far as was looked for.
  std::map<std::pair<std::size_t, std::size_t>, Genotype> cheapest_;
};

}  // namespace thimble
