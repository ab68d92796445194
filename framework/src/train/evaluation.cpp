#include <thimble/train/evaluation.hpp>

#include <numeric>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {

TestOutcome test_of(const Outputs& outputs, const Shape& input, const Dataset& dataset,
                    const Task& task, int jobs) {
  const TrainingData data{dataset, input, 0, 0};
  std::vector<std::int64_t> all(at(data.info().test_samples));
  if (all.empty())
    throw InputError{"the dataset has no test samples",
                     "leave some out of training: 'test_share' or 'test_groups' of most datasets"};
  std::iota(all.begin(), all.end(), 0);
  const auto [found, labels] = answers(outputs, data, Split::test, all, jobs);
  return {labels.size(0), task.measure(found, labels), task.details(found, labels, data.info())};
}

}  // namespace thimble
