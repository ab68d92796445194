#include <thimble/train/supernet.hpp>

#include <algorithm>
#include <cmath>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/core/parallel.hpp>
#include <thimble/core/stop.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/nn/propagation/propagation.hpp>
#include <thimble/nn/propagation/tensor.hpp>
#include <thimble/nn/threads.hpp>
#include <thimble/train/batches.hpp>
#include <thimble/train/learner.hpp>
#include <thimble/train/optimiser.hpp>
#include <thimble/train/parameter_places.hpp>
#include <thimble/train/task.hpp>
#include <thimble/train/tensor_file.hpp>
#include <thimble/train/trained_network.hpp>
#include <thimble/train/trainer.hpp>
#include <thimble/train/training_data.hpp>

namespace thimble {
namespace {

/// A network with weights of its own that were copied, and where they come from.
class Copied {
 public:
  Copied(const Network& whole, const at::Tensor& values, const Path& path)
      : network_{live_part(whole.graph(), path)},
        parameters_{network_},
        places_{parameter_places(whole, network_.graph(), kept_)} {
    parameters_.values().copy_(values.index_select(0, places_));
  }

  Network& network() { return network_; }
  const FlatParameters& parameters() const { return parameters_; }
  const at::Tensor& places() const { return places_; }

 private:
  /// Only what leads from the input to the output has a gradient.
  Graph live_part(const Graph& supernet, const Path& path) {
    const Extracted part = extracted(supernet, path);
    Graph left = live(part.graph);
    NodeId from = 0;  // nodes keep their order
    for (NodeId id = 0; id < left.size(); ++id, ++from) {
      while (part.graph.node(from).name != left.node(id).name) ++from;
      kept_.push_back(part.kept[at(from)]);
    }
    return left;
  }

  std::vector<std::vector<int>> kept_;
  Network network_;
  FlatParameters parameters_;
  at::Tensor places_;
};

}  // namespace

class Supernet::Weights {
 public:
  Weights(const Graph& graph, const Task& task, const TrainingData& data, const Recipe& recipe,
          std::uint64_t seed, int jobs)
      : task_{task},
        data_{data},
        recipe_{recipe},
        seed_{seed},
        jobs_{jobs},
        whole_{drawn(graph, seed)},
        parameters_{whole_},
        optimiser_{recipe, parameters_},
        learned_{data.learned(), recipe.batch, seed, "order"},
        probed_{data.validated(), recipe.batch, seed, "probe"},
        probes_{at::zeros({1}, at::kLong)} {
    if (probed_.of_epoch() == 0)
      throw Error{"no samples are set aside to compare networks on", "set aside validation: 0.2"};
  }

  std::int64_t steps_of_epoch() const { return learned_.of_epoch(); }

  double learn(std::span<const Path> paths) {
    return step(paths.size(), [&](std::size_t i, const Part& part) {
      Copied copied{whole_, parameters_.values(), paths[i]};
      Learned learned = learn(copied.network(), copied.parameters(), part);
      learned.places = copied.places();
      return learned;
    });
  }

  double learn(std::span<const OptionNumbers> mixtures) {
    return step(mixtures.size(), [&](std::size_t i, const Part& part) {
      return learn(whole_.mixed(mixtures[i]), parameters_, part);
    });
  }

  std::vector<double> losses(std::span<const Path> paths) {
    const auto step = (*probes_.data_ptr<std::int64_t>())++;
    const Samples samples = data_.batch(Split::train, probed_.at_step(step));
    std::vector<double> found(paths.size());
    each(paths.size(), [&](std::size_t i) {
      const at::NoGradGuard no_grad;
      Copied copied{whole_, parameters_.values(), paths[i]};
      const at::Tensor outputs = copied.network().forward(samples.images);
      found[i] = task_.loss(outputs, samples.labels, data_.counts()).sum /
                 static_cast<double>(samples.labels.size(0));
    });
    return found;
  }

  std::vector<MixtureLoss> losses(std::span<const OptionNumbers> mixtures) {
    const auto step = (*probes_.data_ptr<std::int64_t>())++;
    const auto places = probed_.at_step(step);
    std::vector<MixtureLoss> found(std::min(mixtures.size(), places.size()));
    each(found.size(), [&](std::size_t i) {
      const at::NoGradGuard no_grad;
      const Samples samples = data_.batch(Split::train, part_of(places, i, found.size()));
      found[i] = loss_of(whole_.mixed(mixtures[i]), samples);
    });
    return found;
  }

  double validate(const Path& path) const {
    const at::NoGradGuard no_grad;
    Copied copied{whole_, parameters_.values(), path};
    settle_statistics(copied.network(), samples_for_statistics(data_, learned_.size(), seed_),
                      learned_.size());
    const auto [outputs, labels] =
        answers(outputs_of(copied.network()), data_, Split::train, data_.validated(), jobs_);
    return task_.measure(outputs, labels).front();
  }

  double validate_alone(const Path& path, const Recipe& recipe, bool starts_shared) const {
    Copied copied{whole_, parameters_.values(), path};
    Network& network = copied.network();
    if (!starts_shared) network.initialise(Init::kaiming_normal_fan_out, seed_, "alone");
    FloatLearner learner{network};
    Trainer trainer{learner, task_, data_, recipe, seed_, jobs_};
    while (!trainer.is_done()) trainer.run_epoch();
    return trainer.epochs().back().validation_metric.value();
  }

  std::map<std::string, at::Tensor> weights_of(const Path& path) const {
    Copied copied{whole_, parameters_.values(), path};
    return named_weights(copied.network());
  }

  std::map<std::string, at::Tensor> state() const {
    auto state = optimiser_.state();
    state["values"] = parameters_.values();
    state["probes"] = probes_;
    return state;
  }

 private:
  /// Of a batch.
  struct Part {
    std::span<const std::int64_t> places;
    int epoch = 0;
    std::size_t batch = 0;  ///< samples of all parts
  };

  struct Learned {
    at::Tensor places;  ///< of the gradient's numbers; undefined: it is by all parameters
    at::Tensor gradient;
    double loss_sum = 0;
  };

  static Network drawn(const Graph& graph, std::uint64_t seed) {
    Network made{graph};
    made.initialise(Init::kaiming_normal_fan_out, seed, "supernet");
    return made;
  }

  template <class Visit>
  void each(std::size_t count, const Visit& visit) const {
    in_parallel(jobs_, count, [&](std::size_t i) {
      begin_worker();
      stop_if_requested();
      visit(i);
    });
  }

  static std::span<const std::int64_t> part_of(std::span<const std::int64_t> places, std::size_t i,
                                               std::size_t parts) {
    const std::size_t begin = places.size() * i / parts;
    return places.subspan(begin, places.size() * (i + 1) / parts - begin);
  }

  /// `learn(i, part)` says what the i-th network makes of its part of the next batch.
  template <class Learn>
  double step(std::size_t networks, const Learn& learn) {
    const std::int64_t step = optimiser_.steps();
    const auto places = learned_.at_step(step);
    std::vector<Learned> parts(std::min(networks, places.size()));
    each(parts.size(), [&](std::size_t i) {
      const at::NoGradGuard no_grad;
      parts[i] = learn(i, Part{.places = part_of(places, i, parts.size()),
                               .epoch = static_cast<int>(step / steps_of_epoch()),
                               .batch = places.size()});
    });
    at::Tensor gradient = at::zeros_like(parameters_.values());
    double loss = 0;
    for (const Learned& part : parts) {
      if (part.places.defined())
        gradient.index_add_(0, part.places, part.gradient);
      else
        gradient.add_(part.gradient);
      loss += part.loss_sum;
    }
    if (!std::isfinite(loss))
      throw Error{"the loss is not finite", "take a lower learning rate, or a longer warm-up"};
    optimiser_.step(gradient, learning_rate(recipe_, step, steps_of_epoch() * recipe_.epochs));
    return loss / static_cast<double>(places.size());
  }

  Learned learn(const Network& network, const FlatParameters& parameters, const Part& part) const {
    Samples samples = data_.batch(Split::train, part.places);
    augment(samples, recipe_.medium, recipe_.augmentation, seed_, part.epoch, part.places);
    const Forward forward = propagate_forward(network, samples.images);
    const Loss loss = task_.loss(logits_of(network, forward), samples.labels, data_.counts());
    const Gradients gradients =
        gradients_of(network, forward, loss.gradient / static_cast<double>(part.batch),
                     {.parameters = true, .outputs = {}});
    return {{}, parameters.flat(gradients), loss.sum};
  }

  static Gradients gradients_of(const Network& network, const Forward& forward,
                                const at::Tensor& by_outputs, const Wanted& wanted) {
    const NodeId output = network.graph().output();
    return propagate_backward(network, forward, output,
                              by_outputs.view(forward.output(output).sizes()), wanted);
  }

  /// The gradient by an option's share is the product of what the option gives with the gradient
  /// by the sum, over all choices that the decision makes.
  MixtureLoss loss_of(const Network& network, const Samples& samples) const {
    const Graph& graph = network.graph();
    Wanted wanted{.parameters = false, .outputs = {}};
    for (NodeId id = 0; id < graph.size(); ++id)
      if (graph.node(id).op == Op::choice) wanted.outputs.push_back(id);
    const Forward forward = propagate_forward(network, samples.images);
    const Loss loss = task_.loss(logits_of(network, forward), samples.labels, data_.counts());
    const auto count = static_cast<double>(samples.labels.size(0));
    const Gradients gradients = gradients_of(network, forward, loss.gradient / count, wanted);
    MixtureLoss made{.loss = loss.sum / count, .by_share = {}};
    for (const ChoiceDecision& decision : graph.decisions())
      made.by_share.emplace_back(decision.options.size());
    for (const NodeId id : wanted.outputs) {
      const at::Tensor& by_sum = gradients.outputs[at(id)];
      if (!by_sum.defined()) continue;
      const Node& choice = graph.node(id);
      const auto options = options_in(choice.alive);
      for (std::size_t i = 0; i < options.size(); ++i) {
        const at::Tensor given = forward.output(graph.inputs(choice)[i]);
        made.by_share[at(choice.decision)][at(options[i])] +=
            (given * by_sum).sum(at::kDouble).item<double>();
      }
    }
    return made;
  }

  const Task& task_;
  const TrainingData& data_;
  Recipe recipe_;
  std::uint64_t seed_;
  int jobs_;
  Network whole_;
  FlatParameters parameters_;
  Optimiser optimiser_;
  Batches learned_;
  Batches probed_;
  at::Tensor probes_;  ///< a number, as all that is kept
};

Supernet::Supernet(const Graph& graph, const Task& task, const TrainingData& data,
                   const Recipe& recipe, std::uint64_t seed, int jobs)
    : weights_{std::make_unique<Weights>(graph, task, data, recipe, seed, jobs)} {}
Supernet::~Supernet() = default;

std::int64_t Supernet::steps_of_epoch() const { return weights_->steps_of_epoch(); }
double Supernet::learn(std::span<const Path> paths) { return weights_->learn(paths); }
std::vector<double> Supernet::losses(std::span<const Path> paths) {
  return weights_->losses(paths);
}
double Supernet::learn(std::span<const OptionNumbers> mixtures) {
  return weights_->learn(mixtures);
}
std::vector<MixtureLoss> Supernet::losses(std::span<const OptionNumbers> mixtures) {
  return weights_->losses(mixtures);
}
double Supernet::validate(const Path& path) const { return weights_->validate(path); }
double Supernet::validate_alone(const Path& path, const Recipe& recipe, bool starts_shared) const {
  return weights_->validate_alone(path, recipe, starts_shared);
}
void Supernet::write_network(const Path& path, const std::filesystem::path& file,
                             const std::map<std::string, std::string>& about) const {
  write_tensors(file, {weights_->weights_of(path), about});
}

void Supernet::save(const std::filesystem::path& file,
                    const std::map<std::string, std::vector<double>>& numbers) const {
  TensorFile content{weights_->state(), {}};
  for (const auto& [name, list] : numbers)
    content.tensors["searcher/" + name] = at::tensor(list, at::kDouble);
  write_tensors(file, content);
}

std::map<std::string, std::vector<double>> Supernet::restore(const std::filesystem::path& file) {
  const TensorFile content = read_tensors(file);
  for (auto& [name, tensor] : weights_->state()) {
    const auto found = content.tensors.find(name);
    if (found == content.tensors.end() || found->second.sizes() != tensor.sizes() ||
        found->second.scalar_type() != tensor.scalar_type())
      throw Error{"'" + file.string() + "' is of another supernet"};
    tensor.copy_(found->second);
  }
  std::map<std::string, std::vector<double>> numbers;
  for (const auto& [name, tensor] : content.tensors)
    if (name.starts_with("searcher/"))
      numbers[name.substr(9)] = {tensor.data_ptr<double>(),
                                 tensor.data_ptr<double>() + tensor.numel()};
  return numbers;
}

}  // namespace thimble
