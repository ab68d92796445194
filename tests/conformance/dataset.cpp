// Laws of datasets.

#include <array>
#include <atomic>
#include <optional>
#include <set>
#include <vector>

#include <thimble/nn/boxes.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "subject.hpp"

namespace thimble::conformance {
namespace {

using Indices = std::vector<std::int64_t>;

class DatasetLaws : public testing::Test {
 protected:
  void SetUp() override {
    try {
      dataset_ = make<Dataset>();
    } catch (const InputError& error) {
      GTEST_SKIP() << "its data is not here: " << error.what();
    }
    info_ = dataset_->describe();
  }

  std::int64_t count(Split split) const {
    return split == Split::train ? info_.train_samples : info_.test_samples;
  }
  /// First, last and some between; not in order, and one twice.
  Indices some(Split split) const {
    const std::int64_t last = count(split) - 1;
    return {last / 2, 0, last, last / 3, 0};
  }
  /// The splits that have samples.
  std::vector<Split> splits() const {
    std::vector<Split> found;
    for (const Split split : {Split::train, Split::test})
      if (count(split) > 0) found.push_back(split);
    return found;
  }

  std::unique_ptr<Dataset> dataset_;
  DatasetInfo info_;
};

bool are_equal(const Samples& a, const Samples& b) {
  return at::equal(a.images, b.images) && at::equal(a.labels, b.labels);
}

TEST_F(DatasetLaws, DescribesItself) {
  EXPECT_FALSE(info_.name.empty());
  EXPECT_GT(info_.shape.elements(), 0);
  EXPECT_GE(info_.classes, info_.labels == LabelKind::boxes ? 1 : 2);
  EXPECT_GT(info_.train_samples, 0);
  EXPECT_GE(info_.test_samples, 0);
  EXPECT_EQ(info_.remark.find('\n'), std::string::npos);
}

TEST_F(DatasetLaws, GivesImagesAndLabelsOfTheStatedShape) {
  const auto& [channels, height, width] = info_.shape;
  for (const Split split : splits()) {
    const Samples samples = dataset_->batch(split, some(split));
    EXPECT_EQ(samples.images.sizes(), (at::IntArrayRef{5, channels, height, width}));
    EXPECT_EQ(samples.images.scalar_type(), at::kFloat);
    EXPECT_TRUE(samples.images.isfinite().all().item<bool>());
    EXPECT_FALSE(samples.images.requires_grad());
    if (info_.labels == LabelKind::boxes) {
      EXPECT_EQ(samples.labels.size(0), 5);
      EXPECT_NO_THROW(require_boxes(samples.labels, info_.classes));
      continue;
    }
    EXPECT_EQ(samples.labels.sizes(), at::IntArrayRef{5});
    EXPECT_EQ(samples.labels.scalar_type(), at::kLong);
    EXPECT_GE(samples.labels.min().item<std::int64_t>(), 0);
    EXPECT_LT(samples.labels.max().item<std::int64_t>(), info_.classes);
  }
}

TEST_F(DatasetLaws, IsNormalisedMoreOrLess) {
  Indices indices;
  for (std::int64_t i = 0; i < 256; ++i) indices.push_back(i * info_.train_samples / 256);
  const at::Tensor images = dataset_->batch(Split::train, indices).images;
  EXPECT_LT(std::abs(images.mean().item<double>()), 1.0);
  EXPECT_GT(images.std().item<double>(), 0.2);
  EXPECT_LT(images.std().item<double>(), 5.0);
}

TEST_F(DatasetLaws, GivesTheSameSamplesForTheSameIndices) {
  const auto again = make<Dataset>();
  for (const Split split : splits()) {
    const Samples samples = dataset_->batch(split, some(split));
    EXPECT_TRUE(are_equal(dataset_->batch(split, some(split)), samples));
    EXPECT_TRUE(are_equal(again->batch(split, some(split)), samples));
  }
}

TEST_F(DatasetLaws, HasTheSameFingerprintAgain) {
  const std::uint64_t before = dataset_->fingerprint();
  dataset_->batch(Split::train, some(Split::train));
  EXPECT_EQ(dataset_->fingerprint(), before);
  EXPECT_EQ(make<Dataset>()->fingerprint(), before);
}

TEST_F(DatasetLaws, KeepsTheOrderOfIndices) {
  for (const Split split : splits()) {
    const Samples samples = dataset_->batch(split, some(split));
    for (std::int64_t i = 0; i < 5; ++i) {
      const auto one = dataset_->batch(split, Indices{some(split)[static_cast<std::size_t>(i)]});
      EXPECT_TRUE(at::equal(one.images[0], samples.images[i]));
      EXPECT_TRUE(at::equal(one.labels[0], samples.labels[i]));
    }
  }
}

TEST_F(DatasetLaws, TellsTheLabelsOfItsSamples) {
  for (const Split split : splits()) {
    const at::Tensor all = info_.labels == LabelKind::boxes ? dataset_->boxes(split)
                                                            : at::tensor(dataset_->labels(split));
    ASSERT_EQ(all.size(0), count(split));
    EXPECT_TRUE(at::equal(all.index_select(0, at::tensor(some(split))),
                          dataset_->batch(split, some(split)).labels));
  }
}

TEST_F(DatasetLaws, KeepsGroupsInOneSplit) {
  const auto groups = dataset_->groups(Split::train);
  if (groups.empty()) GTEST_SKIP() << "its samples do not know each other";
  EXPECT_EQ(std::ssize(groups), info_.train_samples);
  const auto tested = dataset_->groups(Split::test);
  EXPECT_EQ(std::ssize(tested), info_.test_samples);
  const std::set<std::int64_t> learned{groups.begin(), groups.end()};
  for (const std::int64_t group : tested) EXPECT_FALSE(learned.contains(group)) << group;
}

TEST_F(DatasetLaws, NamesEveryClassOrNone) {
  if (info_.class_names.empty()) return;
  EXPECT_EQ(std::ssize(info_.class_names), info_.classes);
}

TEST_F(DatasetLaws, HandsOutSamplesOfOnesOwn) {
  const Indices first{0};
  const Samples samples = dataset_->batch(Split::train, first);
  const Samples kept{samples.images.clone(), samples.labels.clone()};
  samples.images.fill_(7);
  samples.labels.fill_(7);
  EXPECT_TRUE(are_equal(dataset_->batch(Split::train, first), kept));
}

TEST_F(DatasetLaws, RefusesIndicesThatAreOutOfRange) {
  for (const Split split : {Split::train, Split::test}) {
    EXPECT_THROW(dataset_->batch(split, Indices{-1}), Error);
    EXPECT_THROW(dataset_->batch(split, Indices{count(split)}), Error);
    EXPECT_THROW(dataset_->batch(split, Indices{INT64_MAX}), Error);
    EXPECT_THROW(dataset_->batch(split, Indices{INT64_MIN}), Error);
  }
}

TEST_F(DatasetLaws, ServesTwoThreadsAtOnce) {
  const std::array<Indices, 2> indices{some(Split::train), Indices{1, 0}};
  const std::array alone{dataset_->batch(Split::train, indices[0]),
                         dataset_->batch(Split::train, indices[1])};
  std::atomic<bool> is_same = true;
  on_two_threads([&](std::size_t thread) {
    for (std::size_t k = 0; k < 20; ++k) {
      const std::size_t i = (k + thread) % 2;
      if (!are_equal(dataset_->batch(Split::train, indices[i]), alone[i])) is_same = false;
    }
  });
  EXPECT_TRUE(is_same);
}

TEST_F(DatasetLaws, LeavesLibTorchsGeneratorAlone) {
  const at::Tensor before = at::globalContext().defaultGenerator(at::kCPU).get_state();
  dataset_->batch(Split::train, some(Split::train));
  EXPECT_TRUE(at::equal(at::globalContext().defaultGenerator(at::kCPU).get_state(), before));
}

}  // namespace
}  // namespace thimble::conformance
