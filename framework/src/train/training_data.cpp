#include <thimble/train/training_data.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <set>
#include <string>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// Batch norm needs some.
constexpr std::size_t kFewestToLearnFrom = 8;

/// The group of each sample, numbered as they appear; without groups, each its own.
std::vector<std::int64_t> group_of_each(const Dataset& data, std::int64_t samples) {
  std::vector<std::int64_t> groups = data.groups(Split::train);
  if (groups.empty()) {
    groups.resize(at(samples));
    std::iota(groups.begin(), groups.end(), 0);
  }
  if (std::ssize(groups) != samples)
    throw Error{fmt::format("the dataset has {} training samples and tells the group of {}",
                            samples, groups.size())};
  return groups;
}

}  // namespace

bool is_of_one_group(const Dataset& data) {
  const auto groups = data.groups(Split::train);
  return !groups.empty() &&
         std::ranges::all_of(groups, [&](std::int64_t group) { return group == groups.front(); });
}

TrainingData::TrainingData(const Dataset& data, const Shape& input, double validation,
                           std::uint64_t seed)
    : data_{data}, input_{input}, info_{data.describe()} {
  if (info_.shape.channels != input.channels)
    throw Error{fmt::format("dataset '{}' has samples of {}, the network an input of {}",
                            info_.name, to_string(info_.shape), to_string(input)),
                "give the search space as many input channels as the data has"};
  set_aside(validation, seed);
  if (learned_.size() < kFewestToLearnFrom)
    throw Error{fmt::format("dataset '{}' leaves {} samples to learn from, at least {} are needed",
                            info_.name, learned_.size(), kFewestToLearnFrom),
                "take more data, groups of fewer samples, or a smaller 'validation'"};
  count_classes();
}

void TrainingData::set_aside(double validation, std::uint64_t seed) {
  const auto groups = group_of_each(data_, info_.train_samples);
  std::vector<std::int64_t> names{groups};
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
  const auto count = std::ssize(names);
  const auto wanted =
      static_cast<std::int64_t>(std::round(validation * static_cast<double>(count)));
  // Of a single group, the samples behind the others: neighbours in time are alike.
  if (validation > 0 && count == 1) {
    const auto kept = std::llround((1 - validation) * static_cast<double>(info_.train_samples));
    for (std::int64_t i = 0; i < info_.train_samples; ++i)
      (i < kept ? learned_ : validated_).push_back(i);
    return;
  }
  std::set<std::int64_t> aside;
  if (validation > 0)
    for (const std::int64_t place : Random::stream(seed, {"validation"})
                                        .sample(count, std::clamp<std::int64_t>(wanted, 1, count)))
      aside.insert(names[at(place)]);
  for (std::int64_t i = 0; i < info_.train_samples; ++i)
    (aside.contains(groups[at(i)]) ? validated_ : learned_).push_back(i);
}

void TrainingData::count_classes() {
  if (info_.labels == LabelKind::boxes) return count_boxes();
  const auto labels = data_.labels(Split::train);
  counts_.assign(at(std::max(0, info_.classes)), 0);
  for (const std::int64_t place : learned_) {
    const std::int64_t label = labels[at(place)];
    if (label < 0 || label >= std::ssize(counts_))
      throw Error{fmt::format("dataset '{}': label {} of training sample {} is none of {} classes",
                              info_.name, label, place, info_.classes)};
    ++counts_[at(label)];
  }
}

void TrainingData::count_boxes() {
  const at::Tensor boxes = data_.boxes(Split::train).contiguous();
  require_boxes(boxes, info_.classes);
  counts_.assign(at(info_.classes), 0);
  for (const std::int64_t place : learned_)
    for (const LabelledBox& box : boxes_of(boxes, place))
      if (box.is_one_thing()) ++counts_[at(static_cast<std::int64_t>(box.label))];
}

Samples TrainingData::batch(Split split, std::span<const std::int64_t> places) const {
  Samples samples = data_.batch(split, places);
  if (info_.shape == input_) return samples;
  const bool shrinks = input_.height <= info_.shape.height && input_.width <= info_.shape.width;
  const std::array<std::int64_t, 2> size{input_.height, input_.width};
  samples.images = shrinks ? at::adaptive_avg_pool2d(samples.images, size)
                           : at::upsample_bilinear2d(samples.images, size, false);
  return samples;
}

}  // namespace thimble
