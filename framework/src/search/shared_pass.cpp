#include <thimble/search/shared_pass.hpp>

#include <algorithm>

#include <thimble/core/yaml.hpp>

namespace thimble {
namespace {

/// The pass without what its observations do not depend on.
Pass conditions_of(Pass pass) {
  const Pass standard;
  if (pass.input != InputKind::data) {
    pass.augment = standard.augment;
    pass.fit = standard.fit;
  }
  if (pass.repeats == 1) pass.fresh_weights = standard.fresh_weights;
  pass.net = standard.net;  // said by the space
  pass.batches = standard.batches;
  pass.repeats = standard.repeats;
  return pass;
}

}  // namespace

std::vector<SharedPass> merge_passes(const std::vector<ScoredProxy>& proxies) {
  std::vector<SharedPass> passes;
  std::vector<std::string> conditions;
  for (std::size_t i = 0; i < proxies.size(); ++i) {
    const Pass wanted = proxies[i].proxy->pass();
    const Pass common = conditions_of(wanted);
    const std::string text = to_yaml(write_params(common));
    std::size_t place = 0;
    while (place < passes.size() &&
           (passes[place].space != proxies[i].space || conditions[place] != text))
      ++place;
    if (place == passes.size()) {
      passes.push_back({common, {}, proxies[i].space, {}});
      passes.back().pass.net = wanted.net;
      conditions.push_back(text);
    }
    SharedPass& shared = passes[place];
    shared.pass.batches = std::max(shared.pass.batches, wanted.batches);
    shared.pass.repeats = std::max(shared.pass.repeats, wanted.repeats);
    shared.reads |= proxies[i].proxy->reads();
    shared.proxies.push_back(i);
  }
  return passes;
}

}  // namespace thimble
