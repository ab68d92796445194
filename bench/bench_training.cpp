// A training step (forwards, backwards, SGD with Nesterov's momentum) of ours against one of the
// same network of torch::nn's modules, LibTorch's tape and torch::optim::SGD in channels last, in
// turns: medians of processor time on one thread; and which share of a step it takes to gather a
// batch from mapped arrays and to alter it as the profile of its medium does. Then two threads
// against one, by the clock; and integers against float, a step that learns and a forward run that
// evaluates.
//
//   bench_training [rounds [network]]      network: resnet8, mobilenet_v1_025, cnn_1d or detector

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include <fmt/format.h>

#include <thimble/core/error.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/nn/calibration.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/search_space.hpp>
#include <thimble/task.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/loss.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/trainer.hpp>

#include "batches_on_disk.hpp"
#include "modules_and_tape.hpp"
#include "support/world.hpp"

namespace {

using namespace thimble;

constexpr std::int64_t kBatch = 64;
constexpr double kRate = 1e-4;
constexpr double kMomentum = 0.9;

struct Batch {
  at::Tensor images;
  at::Tensor labels;

  Batch part(std::int64_t begin, std::int64_t end) const {
    return {images.slice(0, begin, end), labels.slice(0, begin, end)};
  }
};

Batch drawn(const Graph& graph) {
  const Shape& shape = graph.node(0).shape;
  const std::int64_t classes = graph.node(graph.output()).shape.elements();
  return {at::randn({kBatch, shape.channels, shape.height, shape.width}),
          at::arange(kBatch) % classes};
}

using LossOf = std::function<Loss(const at::Tensor& outputs, const at::Tensor& labels)>;

Loss plain_cross_entropy(const at::Tensor& logits, const at::Tensor& labels) {
  return cross_entropy(logits, labels, 0);
}

class Ours {
 public:
  /// `learner` outlives this.
  explicit Ours(Learner& learner, LossOf loss = plain_cross_entropy)
      : learner_{learner},
        loss_{std::move(loss)},
        parameters_{learner.network()},
        optimiser_{recipe(), parameters_} {}

  void step(const Batch& batch, std::size_t parts, int jobs) {
    std::vector<at::Tensor> gradients(parts);
    learner_.begin_step(parts);
    in_parallel(jobs, parts, [&](std::size_t i) {
      begin_worker();
      const std::int64_t each = batch.images.size(0) / static_cast<std::int64_t>(parts);
      const auto begin = each * static_cast<std::int64_t>(i);
      gradients[i] = gradient(batch.part(begin, begin + each), batch.images.size(0), i);
    });
    for (std::size_t i = 1; i < parts; ++i) gradients[0] += gradients[i];
    optimiser_.step(gradients[0], kRate);
    learner_.end_step(0);
  }

 private:
  static Recipe recipe() {
    Recipe made;
    made.momentum = kMomentum;
    made.weight_decay = 0;
    return made;
  }

  at::Tensor gradient(const Batch& batch, std::int64_t all, std::size_t part) const {
    const at::NoGradGuard no_grad;
    const Forward forward = learner_.forward(batch.images, part);
    const Network& network = learner_.weights();
    const at::Tensor logits = logits_of(network, forward);
    const Loss loss = loss_(logits, batch.labels);
    const Wanted wanted{.parameters = true, .outputs = {}};
    const at::Tensor seed = loss.gradient / static_cast<double>(all);
    return parameters_.flat(
        propagate_backward(network, forward, network.graph().output(), seed, wanted));
  }

  Learner& learner_;
  LossOf loss_;
  FlatParameters parameters_;
  Optimiser optimiser_;
};

double wall_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class Work>
void take(std::vector<double>& times, double (*clock)(), const Work& work) {
  const double start = clock();
  work();
  times.push_back((clock() - start) * 1e3);
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::ranges::nth_element(values, middle);
  return *middle;
}

void require_equal(bench::ModulesAndTape& theirs, const Network& ours, const at::Tensor& images) {
  const at::NoGradGuard no_grad;
  const at::Tensor logits = logits_of(ours, propagate_forward(ours, images));
  if (!at::allclose(theirs.forward(images), logits, 1e-3, 1e-3))
    throw Error{"the two networks are not the same"};
}

void compare(const std::string& name, const Graph& graph, PluginLoader& plugins, int rounds) {
  Network network{graph};
  network.initialise(Init::kaiming_normal_fan_in, 1, "bench");
  const Batch batch = drawn(graph);
  bench::ModulesAndTape theirs{network, {.learning_rate = kRate, .momentum = kMomentum}};
  require_equal(theirs, network, batch.images);
  Network own = network.clone();
  FloatLearner learner{own};
  Ours ours{learner};
  bench::BatchesOnDisk data{graph, plugins, kBatch};
  ours.step(batch, 1, 1);
  theirs.step(batch.images, batch.labels);
  std::vector<double> our_times, their_times, gathering, altering, one_thread, two_threads;
  for (int round = 0; round < rounds; ++round) {
    take(their_times, thread_seconds, [&] { theirs.step(batch.images, batch.labels); });
    take(gathering, thread_seconds, [&] { data.gather(); });
    take(altering, thread_seconds, [&] { data.alter(); });
    take(our_times, thread_seconds, [&] { ours.step(batch, 1, 1); });
  }
  for (int round = 0; round < rounds; ++round) {
    take(one_thread, wall_seconds, [&] { ours.step(batch, 4, 1); });
    take(two_threads, wall_seconds, [&] { ours.step(batch, 4, 2); });
  }
  fmt::print(
      "{:<17} LibTorch {:6.1f} ms  ours {:6.1f} ms  ratio {:4.2f}   one thread {:6.1f} ms  two "
      "{:6.1f} ms  ratio {:4.2f}\n",
      name, median(their_times), median(our_times), median(their_times) / median(our_times),
      median(one_thread), median(two_threads), median(one_thread) / median(two_threads));
  const double of_data = median(gathering) + median(altering);
  fmt::print("{:<17} data: gathering {:5.2f} ms  augmentation {:5.2f} ms  {:4.1f} % of a step\n",
             name, median(gathering), median(altering),
             100 * of_data / (of_data + median(our_times)));
}

/// Two persons in each image.
Batch drawn_scenes(const Shape& shape, std::int64_t samples) {
  const at::Tensor labels = at::zeros({samples, 2, kBoxColumns});
  for (std::int64_t i = 0; i < samples; ++i) {
    const float share = static_cast<float>(i) / static_cast<float>(samples);
    boxes_of(labels, i)[0] = {0, 0.2F + 0.3F * share, 0.3F, 0.1F, 0.2F + 0.1F * share, 0};
    boxes_of(labels, i)[1] = {0, 0.7F, 0.8F - 0.3F * share, 0.3F, 0.5F, 0};
  }
  return {at::randn({samples, shape.channels, shape.height, shape.width}), labels};
}

/// MobileNetV1-0.25 with a head of boxes at 128x128, 16 images a batch. Both are given our loss,
/// whose gradient is no tape's.
void compare_detector(int rounds) {
  PluginLoader plugins = thimble::testing::plugins();
  const auto zoo = thimble::testing::make<SearchSpace>(
      plugins, "zoo",
      "{networks: [mobilenet_v1_025], height: 128, width: 128, classes: 1, head: detection}");
  const Graph graph = zoo->build(Genotype{0});
  const auto task = thimble::testing::make<Task>(plugins, "detection", "{}");
  const LossOf loss = [&](const at::Tensor& outputs, const at::Tensor& labels) {
    return task->loss(outputs, labels, {});
  };
  Network network{graph};
  network.initialise(Init::kaiming_normal_fan_in, 1, "bench");
  constexpr std::int64_t kImages = 16;
  const Batch batch = drawn_scenes(graph.node(0).shape, kImages);
  bench::ModulesAndTape theirs{network, {.learning_rate = kRate, .momentum = kMomentum}};
  require_equal(theirs, network, batch.images);
  FloatLearner learner{network};
  Ours ours{learner, loss};
  const auto their_step = [&] {
    theirs.step_by(batch.images, [&](const at::Tensor& outputs) {
      return loss(outputs, batch.labels).gradient / static_cast<double>(kImages);
    });
  };
  ours.step(batch, 1, 1);
  their_step();
  std::vector<double> our_times, their_times;
  for (int round = 0; round < rounds; ++round) {
    take(their_times, thread_seconds, their_step);
    take(our_times, thread_seconds, [&] { ours.step(batch, 1, 1); });
  }
  fmt::print("{:<17} LibTorch {:6.1f} ms  ours {:6.1f} ms  ratio {:4.2f}\n", "detector",
             median(their_times), median(our_times), median(their_times) / median(our_times));
}

/// Both from the same network; what is evaluated has settled statistics.
void compare_integers(const std::string& name, const Graph& graph, int rounds) {
  Network network{graph};
  network.initialise(Init::kaiming_normal_fan_in, 1, "bench");
  const Batch batch = drawn(graph);
  settle_statistics(network, {batch.images, batch.labels}, kBatch);
  IntegerLearner integers{folded(calibrated(network, batch.images)), 1};
  FloatLearner floats{network};
  Ours float_steps{floats}, integer_steps{integers};
  float_steps.step(batch, 1, 1);
  integer_steps.step(batch, 1, 1);
  const Outputs float_outputs = floats.outputs(), integer_outputs = integers.outputs();
  std::vector<double> float_times, integer_times, float_forward, integer_forward;
  const at::NoGradGuard no_grad;
  for (int round = 0; round < rounds; ++round) {
    take(float_times, thread_seconds, [&] { float_steps.step(batch, 1, 1); });
    take(integer_times, thread_seconds, [&] { integer_steps.step(batch, 1, 1); });
    take(float_forward, thread_seconds, [&] { float_outputs(batch.images); });
    take(integer_forward, thread_seconds, [&] { integer_outputs(batch.images); });
  }
  fmt::print(
      "{:<17} step: float {:6.1f} ms  integers {:6.1f} ms  ratio {:4.2f}   forward: float {:6.1f} "
      "ms  integers {:6.1f} ms  ratio {:4.2f}\n",
      name, median(float_times), median(integer_times), median(integer_times) / median(float_times),
      median(float_forward), median(integer_forward),
      median(integer_forward) / median(float_forward));
}

}  // namespace

int main(int argc, char** argv) {
  use_single_threaded_math();
  at::manual_seed(1);
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 15;
  for (const std::string name : {"resnet8", "mobilenet_v1_025", "cnn_1d"}) {
    if (argc > 2 && name != argv[2]) continue;
    PluginLoader plugins = thimble::testing::plugins();
    const auto zoo =
        thimble::testing::make<SearchSpace>(plugins, "zoo", "{networks: [" + name + "]}");
    const Graph graph = zoo->build(Genotype{0});
    compare(name, graph, plugins, rounds);
    compare_integers(name, graph, rounds);
  }
  if (argc <= 2 || std::string{argv[2]} == "detector") compare_detector(rounds);
}
