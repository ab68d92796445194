// One class for each sample: cross-entropy, accuracy and macro F1.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/text.hpp>
#include <thimble/task.hpp>

namespace {

enum class ClassWeights { none, balanced };

const std::vector<std::pair<std::string, ClassWeights>>& names_of(ClassWeights) {
  static const std::vector<std::pair<std::string, ClassWeights>> kNames{
      {"none", ClassWeights::none}, {"balanced", ClassWeights::balanced}};
  return kNames;
}

/// How often each class was taken for each, a row a true class.
class Confusion {
 public:
  Confusion(const at::Tensor& outputs, const at::Tensor& labels)
      : classes_{outputs.size(1)}, counts_(static_cast<std::size_t>(classes_ * classes_)) {
    const at::Tensor guesses = outputs.argmax(1).contiguous();
    const at::Tensor truths = labels.contiguous();
    const auto* const guess = guesses.data_ptr<std::int64_t>();
    const auto* const truth = truths.data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < labels.numel(); ++i) ++count(truth[i], guess[i]);
  }

  std::int64_t classes() const { return classes_; }
  std::int64_t of(std::int64_t truth, std::int64_t guess) const {
    return counts_[static_cast<std::size_t>(truth * classes_ + guess)];
  }
  std::int64_t right(std::int64_t label) const { return of(label, label); }
  std::int64_t samples(std::int64_t label) const {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < classes_; ++i) sum += of(label, i);
    return sum;
  }
  std::int64_t guesses(std::int64_t label) const {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < classes_; ++i) sum += of(i, label);
    return sum;
  }
  /// Harmonic mean of precision and recall, in per cent; 0 where a class is never right.
  double f1(std::int64_t label) const {
    const std::int64_t both = samples(label) + guesses(label);
    return both == 0 ? 0 : share(2 * right(label), both);
  }

  static double share(std::int64_t part, std::int64_t whole) {
    return 100 * static_cast<double>(part) / static_cast<double>(whole);
  }

 private:
  std::int64_t& count(std::int64_t truth, std::int64_t guess) {
    if (truth < 0 || truth >= classes_)
      throw thimble::Error{"label " + std::to_string(truth) + " is none of " +
                           std::to_string(classes_) + " classes"};
    return counts_[static_cast<std::size_t>(truth * classes_ + guess)];
  }

  std::int64_t classes_;
  std::vector<std::int64_t> counts_;
};

std::string name_of_class(const thimble::DatasetInfo& data, std::int64_t label) {
  const auto place = static_cast<std::size_t>(label);
  return place < data.class_names.size() ? data.class_names[place] : std::to_string(label);
}

std::string per_cent(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? "" : thimble::number_text(Confusion::share(part, whole));
}

class Classification final : public thimble::Task {
 public:
  struct Params {
    double label_smoothing = 0.1;
    ClassWeights class_weights = ClassWeights::none;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::label_smoothing, "label_smoothing",
            "share of the target that is spread over all classes")
          .range(0, 0.99);
      param(&Params::class_weights, "class_weights",
            "balanced: a sample counts the less, the more its class has");
    }
  };

  explicit Classification(const Params& params) : params_{params} {}

  int outputs(const thimble::DatasetInfo& data) const override {
    if (data.labels != thimble::LabelKind::classes)
      throw thimble::Error{"dataset '" + data.name + "' has boxes, no class of each sample",
                           "take a task for boxes: task: {use: detection}"};
    if (data.classes < 2)
      throw thimble::Error{"dataset '" + data.name + "' has " + std::to_string(data.classes) +
                           " classes, too few to tell apart"};
    return data.classes;
  }

  thimble::Loss loss(const at::Tensor& outputs, const at::Tensor& labels,
                     std::span<const std::int64_t> counts) const override {
    return thimble::cross_entropy(outputs, labels, params_.label_smoothing, weights(counts));
  }

  std::vector<std::string> metrics() const override { return {"accuracy", "macro_f1"}; }

  /// Accuracy and the mean of F1 over the classes that there are samples of, both in per cent.
  std::vector<double> measure(const at::Tensor& outputs, const at::Tensor& labels) const override {
    const Confusion confusion{outputs, labels};
    std::int64_t right = 0, present = 0;
    double f1 = 0;
    for (std::int64_t i = 0; i < confusion.classes(); ++i) {
      right += confusion.right(i);
      if (confusion.samples(i) == 0) continue;
      f1 += confusion.f1(i);
      ++present;
    }
    return {Confusion::share(right, labels.numel()), f1 / static_cast<double>(present)};
  }

  std::vector<thimble::NamedTable> details(const at::Tensor& outputs, const at::Tensor& labels,
                                           const thimble::DatasetInfo& data) const override {
    const Confusion confusion{outputs, labels};
    thimble::Table counts{{"class"}, {}};
    thimble::Table each{{"class", "samples", "precision", "recall", "f1"}, {}};
    for (std::int64_t i = 0; i < confusion.classes(); ++i) {
      const std::string name = name_of_class(data, i);
      counts.header.push_back(name);
      counts.rows.push_back({name});
      for (std::int64_t j = 0; j < confusion.classes(); ++j)
        counts.rows.back().push_back(std::to_string(confusion.of(i, j)));
      each.rows.push_back({name, std::to_string(confusion.samples(i)),
                           per_cent(confusion.right(i), confusion.guesses(i)),
                           per_cent(confusion.right(i), confusion.samples(i)),
                           confusion.samples(i) == 0 ? "" : thimble::number_text(confusion.f1(i))});
    }
    return {{"confusion", counts}, {"classes", each}};
  }

 private:
  /// Those of a class count together as much as those of any other that there are samples of.
  std::vector<double> weights(std::span<const std::int64_t> counts) const {
    if (params_.class_weights == ClassWeights::none) return {};
    double samples = 0, present = 0;
    for (const std::int64_t count : counts) {
      samples += static_cast<double>(count);
      present += count > 0 ? 1 : 0;
    }
    std::vector<double> weights;
    for (const std::int64_t count : counts)
      weights.push_back(count > 0 ? samples / (present * static_cast<double>(count)) : 0);
    return weights;
  }

  Params params_;
};

}  // namespace

THIMBLE_PLUGIN("classification", "1.0.0") {
  plugin.provides<Classification>("one class a sample: cross-entropy, accuracy and macro F1");
}
