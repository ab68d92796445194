#pragma once

#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/nn/proxy.hpp>
#include <thimble/search/scored_proxy.hpp>
#include <thimble/space/search_space.hpp>

namespace thimble {

/// Proxies that look at the same network under the same conditions: it is built, initialised and
/// run once for all of them.
struct SharedPass {
  Pass pass;  ///< with the most batches and repeats that one of them wants
  Reads reads;
  const SearchSpace* space = nullptr;
  std::vector<std::size_t> proxies;  ///< places in the experiment's list
};

/// In the order of their first proxies. What a pass cannot depend on is no difference: how images
/// are fitted where there are none, and whether weights are fresh where there is one repeat.
THIMBLE_EXPORT std::vector<SharedPass> merge_passes(const std::vector<ScoredProxy>& proxies);

}  // namespace thimble
