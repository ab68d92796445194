#include <thimble/nn/dataset.hpp>

#include <algorithm>
#include <numeric>

#include <thimble/core/index.hpp>

namespace thimble {

const std::vector<std::pair<std::string, Medium>>& names_of(Medium) {
  static const std::vector<std::pair<std::string, Medium>> kNames{{"images", Medium::images},
                                                                  {"series", Medium::series}};
  return kNames;
}

Dataset::~Dataset() = default;

std::vector<std::int64_t> Dataset::labels(Split split) const {
  constexpr std::int64_t kBatch = 512;
  const DatasetInfo info = describe();
  const std::int64_t count = split == Split::train ? info.train_samples : info.test_samples;
  std::vector<std::int64_t> all;
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    std::vector<std::int64_t> places(at(std::min(kBatch, count - begin)));
    std::iota(places.begin(), places.end(), begin);
    const Samples samples = batch(split, places);
    const auto* const label = samples.labels.data_ptr<std::int64_t>();
    all.insert(all.end(), label, label + places.size());
  }
  return all;
}

std::vector<std::int64_t> Dataset::groups(Split) const { return {}; }

}  // namespace thimble
