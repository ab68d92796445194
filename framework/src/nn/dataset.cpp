#include <thimble/nn/dataset.hpp>

#include <algorithm>
#include <numeric>

#include <thimble/core/index.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// Calls `take` with all samples of a split, some at a time.
template <class Take>
void for_each_batch(const Dataset& data, Split split, const Take& take) {
  constexpr std::int64_t kBatch = 512;
  const DatasetInfo info = data.describe();
  const std::int64_t count = split == Split::train ? info.train_samples : info.test_samples;
  for (std::int64_t begin = 0; begin < count; begin += kBatch) {
    std::vector<std::int64_t> places(at(std::min(kBatch, count - begin)));
    std::iota(places.begin(), places.end(), begin);
    take(data.batch(split, places));
  }
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.data_ptr()), tensor.nbytes()};
}

}  // namespace

const std::vector<std::pair<std::string, Medium>>& names_of(Medium) {
  static const std::vector<std::pair<std::string, Medium>> kNames{{"images", Medium::images},
                                                                  {"series", Medium::series}};
  return kNames;
}

Dataset::~Dataset() = default;

std::vector<std::int64_t> Dataset::labels(Split split) const {
  std::vector<std::int64_t> all;
  for_each_batch(*this, split, [&](const Samples& samples) {
    const auto* const label = samples.labels.data_ptr<std::int64_t>();
    all.insert(all.end(), label, label + samples.labels.numel());
  });
  return all;
}

at::Tensor Dataset::boxes(Split split) const {
  std::vector<at::Tensor> all;
  for_each_batch(*this, split, [&](const Samples& samples) { all.push_back(samples.labels); });
  return all.empty() ? at::empty({0, 1, kBoxColumns}) : at::cat(all);
}

std::vector<std::int64_t> Dataset::groups(Split) const { return {}; }

std::uint64_t Dataset::fingerprint() const {
  std::uint64_t made = thimble::fingerprint(to_string(describe().shape));
  for (const Split split : {Split::train, Split::test}) {
    for_each_batch(*this, split, [&](const Samples& samples) {
      made = fingerprint_of_data(bytes_of(samples.images.contiguous()), made);
      made = fingerprint_of_data(bytes_of(samples.labels.contiguous()), made);
    });
    const std::vector<std::int64_t> owners = groups(split);
    made = fingerprint_of_data(std::as_bytes(std::span{owners}), made);
  }
  return made;
}

}  // namespace thimble
