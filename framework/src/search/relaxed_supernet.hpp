#pragma once

#include <functional>
#include <memory>

#include <thimble/search/relaxation.hpp>
#include <thimble/search/scoring.hpp>

namespace thimble {

/// The supernet of the setup's space, which learns the setup's task on its dataset by the recipe
/// for such data. `kept` is called with every epoch.
std::unique_ptr<Relaxation> relaxed_supernet(const ScoringSetup& setup,
                                             const RelaxationOrder& order,
                                             std::function<void()> kept);

}  // namespace thimble
