#include <thimble/train/evaluation.hpp>

#include <algorithm>
#include <numeric>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/train/trainer.hpp>

namespace thimble {
namespace {

/// So many places, spread over all there are.
std::vector<std::int64_t> spread(std::int64_t all, std::int64_t wanted) {
  if (all == 0)
    throw InputError{"the dataset has no test samples",
                     "leave some out of training: 'test_share' or 'test_groups' of most datasets"};
  const std::int64_t count = wanted == 0 ? all : std::min(all, wanted);
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < count; ++i) places.push_back(i * all / count);
  return places;
}

TestOutcome measured(const Task& task, const Answers& answers, const DatasetInfo& info) {
  return {answers.labels.size(0), task.measure(answers.outputs, answers.labels),
          task.details(answers.outputs, answers.labels, info)};
}

/// The outputs of one sample, as real numbers.
at::Tensor outputs_of(const Int8Network& network, const at::Tensor& image) {
  const auto values = run_reference(network, quantised(image, network.tensor(0).quantisation));
  const auto& output = values[at(network.output)];
  const auto& [scale, zero_point] = network.tensor(network.output).quantisation;
  const std::vector<double> levels{output.begin(), output.end()};
  return (at::tensor(levels, at::kDouble) - zero_point) * scale;
}

}  // namespace

TestOutcome test_float(const Network& network, const Dataset& dataset, const Task& task, int jobs) {
  const TrainingData data{dataset, network.graph().node(0).shape, 0, 0};
  const auto places = spread(data.info().test_samples, 0);
  return measured(task, answers(network, data, Split::test, places, jobs), data.info());
}

TestOutcome test_int8(const Int8Network& network, const Shape& input, const Dataset& dataset,
                      const Task& task, std::int64_t samples, int jobs) {
  const TrainingData data{dataset, input, 0, 0};
  const auto places = spread(data.info().test_samples, samples);
  std::vector<at::Tensor> outputs(places.size()), labels(places.size());
  in_parallel(jobs, places.size(), [&](std::size_t i) {
    stop_if_requested();
    const at::NoGradGuard no_grad;
    const Samples sample = data.batch(Split::test, {&places[i], 1});
    outputs[i] = outputs_of(network, sample.images[0]);
    labels[i] = sample.labels;
  });
  return measured(task, {at::stack(outputs), at::cat(labels)}, data.info());
}

}  // namespace thimble
