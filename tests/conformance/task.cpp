// Laws of tasks.

#include <cmath>
#include <set>
#include <vector>

#include <thimble/nn/boxes.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/task.hpp>

#include "subject.hpp"

namespace thimble::conformance {
namespace {

constexpr int kClasses = 4;
constexpr std::int64_t kSamples = 24;

class TaskLaws : public testing::Test {
 protected:
  void SetUp() override {
    try {
      outputs_ = task_->outputs(data_);
    } catch (const Error&) {
      take_boxes();
      outputs_ = task_->outputs(data_);
    }
    auto generator = at::detail::createCPUGenerator(1);
    const std::vector<std::int64_t> one{kSamples, outputs_}, map{kSamples, outputs_, 4, 5};
    drawn_ = at::randn(task_->has_maps() ? map : one, generator, at::kDouble);
  }

  /// Two things of sizes of their own in each sample, and in every third but one.
  void take_boxes() {
    data_.labels = LabelKind::boxes;
    labels_ = at::zeros({kSamples, 2, kBoxColumns});
    for (std::int64_t i = 0; i < kSamples; ++i) {
      const auto boxes = boxes_of(labels_, i);
      const float share = static_cast<float>(i) / kSamples;
      const auto label = static_cast<float>(i % kClasses);
      boxes[0] = {label, 0.2F + 0.3F * share, 0.3F + 0.2F * share, 0.2F + 0.1F * share, 0.3F, 0};
      boxes[1] = {label, 0.75F, 0.8F - 0.3F * share, 0.4F, 0.2F + 0.2F * share, 0};
      if (i % 3 == 0) boxes[1] = {};
    }
  }

  Loss loss(const at::Tensor& outputs) const { return task_->loss(outputs, labels_, counts_); }

  const std::unique_ptr<Task> task_ = make<Task>();
  DatasetInfo data_{.name = "four",
                    .shape = {1, 8, 8},
                    .classes = kClasses,
                    .train_samples = kSamples,
                    .test_samples = kSamples};
  at::Tensor labels_ = at::arange(kSamples) % kClasses;
  const std::vector<std::int64_t> counts_ =
      std::vector<std::int64_t>(kClasses, kSamples / kClasses);
  int outputs_ = 0;
  at::Tensor drawn_;
};

TEST_F(TaskLaws, WantsOutputs) { EXPECT_GT(outputs_, 0); }

TEST_F(TaskLaws, NamesWhatItMeasures) {
  const auto names = task_->metrics();
  ASSERT_FALSE(names.empty());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  for (const std::string& name : names)
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos)
        << name << " is no word for a column";
  const auto measured = task_->measure(drawn_, labels_);
  ASSERT_EQ(measured.size(), names.size());
  for (const double value : measured) EXPECT_TRUE(std::isfinite(value));
}

TEST_F(TaskLaws, GivesTheGradientOfItsLoss) {
  constexpr double kStep = 1e-5;
  const Loss found = loss(drawn_);
  EXPECT_TRUE(std::isfinite(found.sum));
  ASSERT_EQ(found.gradient.sizes(), drawn_.sizes());
  for (std::int64_t i = 0; i < drawn_.numel(); i += 5) {
    at::Tensor more = drawn_.clone(), less = drawn_.clone();
    more.view(-1)[i] += kStep;
    less.view(-1)[i] -= kStep;
    const double slope = (loss(more).sum - loss(less).sum) / (2 * kStep);
    EXPECT_NEAR(found.gradient.reshape(-1)[i].item<double>(), slope, 1e-6);
  }
}

/// So that micro-batches add up to a batch.
TEST_F(TaskLaws, SumsOverSamples) {
  double sum = 0;
  for (std::int64_t i = 0; i < kSamples; ++i)
    sum += task_->loss(drawn_.slice(0, i, i + 1), labels_.slice(0, i, i + 1), counts_).sum;
  EXPECT_NEAR(loss(drawn_).sum, sum, 1e-9 * std::abs(sum));
}

TEST_F(TaskLaws, MeasuresBetterWhatItsLossMadeBetter) {
  at::Tensor outputs = drawn_.clone();
  const double before = task_->measure(outputs, labels_).front();
  const double loss_before = loss(outputs).sum;
  for (int step = 0; step < 300; ++step) outputs = outputs - 0.2 * loss(outputs).gradient;
  EXPECT_LT(loss(outputs).sum, loss_before);
  EXPECT_GT(task_->measure(outputs, labels_).front(), before);
}

TEST_F(TaskLaws, DoesNotHangOnTheOrderOfSamples) {
  const at::Tensor order = at::arange(kSamples).flip(0);
  const auto measured = task_->measure(drawn_, labels_);
  const auto other = task_->measure(drawn_.index_select(0, order), labels_.index_select(0, order));
  for (std::size_t i = 0; i < measured.size(); ++i) EXPECT_NEAR(measured[i], other[i], 1e-9);
}

TEST_F(TaskLaws, RefusesLabelsThatAreNone) {
  const bool are_boxes = data_.labels == LabelKind::boxes;
  for (const int label : {are_boxes ? -2 : -1, kClasses}) {
    at::Tensor labels = labels_.clone();
    (are_boxes ? labels.select(2, 0) : labels).fill_(label);
    EXPECT_THROW(task_->loss(drawn_, labels, counts_), Error);
    EXPECT_THROW(task_->measure(drawn_, labels), Error);
  }
}

TEST_F(TaskLaws, TellsDetailsInWholeTables) {
  for (const NamedTable& details : task_->details(drawn_, labels_, data_)) {
    EXPECT_FALSE(details.name.empty());
    for (const auto& row : details.table.rows)
      EXPECT_EQ(row.size(), details.table.header.size()) << details.name;
  }
}

}  // namespace
}  // namespace thimble::conformance
