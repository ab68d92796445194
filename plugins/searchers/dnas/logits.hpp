#pragma once

#include <thimble/searcher.hpp>

#include "params.hpp"

namespace dnas {

thimble::OptionNumbers zeros_like(const thimble::OptionNumbers& numbers);
void add(thimble::OptionNumbers& to, const thimble::OptionNumbers& more);

/// 1 for a coin, 0 where all is decided; the mean over decisions.
double entropy_of(const thimble::OptionNumbers& shares);

/// Logits that descend.
class Logits {
 public:
  /// `params` outlives this.
  Logits(const thimble::Problem& problem, const Params& params);

  const thimble::OptionNumbers& values() const { return values_; }
  /// `done`: share of the search that is over.
  void descend(const thimble::OptionNumbers& gradient, double done);

  void write(thimble::NamedNumbers& numbers) const;
  void read(const thimble::NamedNumbers& numbers);

 private:
  void descend_by_adam(const thimble::OptionNumbers& gradient);

  const Params& params_;
  thimble::OptionNumbers values_;
  thimble::OptionNumbers first_;
  thimble::OptionNumbers second_;
  double steps_ = 0;
};

}  // namespace dnas
