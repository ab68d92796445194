#pragma once

#include <string>

namespace thimble {

class Proxy;
class SearchSpace;

/// A proxy of an experiment, with the network it looks at.
struct ScoredProxy {
  std::string name;  ///< the metric's
  std::string key;   ///< everything its values depend on; values are kept under it
  const Proxy* proxy = nullptr;
  const SearchSpace* space = nullptr;  ///< the search space as the proxy's pass wants it
};

}  // namespace thimble
