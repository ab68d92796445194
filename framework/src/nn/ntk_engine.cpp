#include "ntk_engine.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

#include <ATen/ATen.h>

#include "evaluate.hpp"
#include "ntk_layer.hpp"

namespace thimble::ntk {
namespace {

/// Cotangents that go backwards side by side, one per lane, and the samples in which they are not
/// zero. With coupled statistics that is every sample; with frozen ones a cotangent never leaves
/// its own, so a block is one cotangent in one sample.
struct Block {
  int first_cotangent;
  int cotangent_count;
  int first_sample;
  int sample_count;
};

std::vector<Block> blocks_of(int samples, int lanes, Coupling coupling) {
  std::vector<Block> blocks;
  if (coupling == Coupling::frozen) {
    for (int b = 0; b < samples; ++b) blocks.push_back({b, 1, b, 1});
  } else {
    for (int b = 0; b < samples; b += lanes)
      blocks.push_back({b, std::min(lanes, samples - b), 0, samples});
  }
  return blocks;
}

/// A cotangent as block x sample x pixel x channel, each a vector of lanes, so that a ReLU's mask
/// and a layer's input are the same for all lanes.
template <class Scalar>
struct Cotangent {
  std::vector<Lanes<Scalar>> values;
  std::vector<Lanes<Scalar>> mean;  ///< over samples and pixels: block x channel
  int readers = 0;
};

template <class Scalar>
class Engine {
 public:
  Engine(const Network& network, const torch::Tensor& images, Coupling coupling)
      : network_{network},
        graph_{network.graph()},
        terms_{terms_of(graph_)},
        samples_{static_cast<int>(images.size(0))},
        is_coupled_{coupling == Coupling::coupled},
        blocks_{blocks_of(samples_, kLanes, coupling)},
        activations_(static_cast<std::size_t>(graph_.size())),
        norms_(activations_.size()),
        cotangents_(activations_.size()),
        gram_{at::zeros({samples_, samples_}, at::kDouble)} {
    run_forward(images);
  }

  torch::Tensor run() {
    start(graph_.output());
    for (NodeId id = graph_.output() - 1; id >= 0; --id)
      if (!terms_.into[at(id)].empty()) propagate(id);
    return gram_;
  }

 private:
  using Vector = Lanes<Scalar>;
  static constexpr int kLanes = Vector::kCount;

  static std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }
  int channels(NodeId id) const { return graph_.node(id).shape.channels; }

  void run_forward(const torch::Tensor& images);
  void keep_norm(NodeId id, const torch::Tensor& input);
  void start(NodeId output);
  void propagate(NodeId id);
  std::vector<Layer<Scalar>> layers_into(NodeId id,
                                         std::vector<std::unique_ptr<Visits<Scalar>>>& visits);
  void allocate(NodeId id);
  void add_sums(NodeId id, std::size_t block, int sample);
  void finish(NodeId id);
  void release_sources(NodeId id);
  void add_to_gram(std::span<const Vector> gradient,
                   const std::function<double(std::size_t)>& factor);

  /// `sample` counts from the first of the block.
  Vector* values(NodeId id, std::size_t block, int sample) {
    const auto elements = static_cast<std::size_t>(graph_.node(id).shape.elements());
    const auto before = block * static_cast<std::size_t>(blocks_[0].sample_count);
    return cotangents_[at(id)].values.data() +
           (before + static_cast<std::size_t>(sample)) * elements;
  }

  const Network& network_;
  const Graph& graph_;
  const Terms terms_;
  const int samples_;
  const bool is_coupled_;
  const std::vector<Block> blocks_;
  std::vector<torch::Tensor> activations_;  ///< of nodes that terms go to
  std::vector<Norm<Scalar>> norms_;
  std::vector<Cotangent<Scalar>> cotangents_;
  Scratch<Scalar> scratch_;
  torch::Tensor gram_;
};

template <class Scalar>
void Engine<Scalar>::run_forward(const torch::Tensor& images) {
  std::vector<std::vector<NodeId>> norms_after(activations_.size());
  for (const auto& norms : terms_.norms)
    for (const Term& term : norms) norms_after[at(graph_.inputs(term.norm)[0])].push_back(term.norm);
  for_each_output(network_, images, [&](NodeId id, const torch::Tensor& output) {
    if (!terms_.into[at(id)].empty()) activations_[at(id)] = output.contiguous();
    for (const NodeId norm : norms_after[at(id)]) keep_norm(norm, output);
  });
}

template <class Scalar>
void Engine<Scalar>::keep_norm(NodeId id, const torch::Tensor& input) {
  const auto [normalised, mean, inverse_deviation] =
      at::native_batch_norm(input, {}, {}, {}, {}, /*training=*/true, 0.0, kBatchNormEpsilon);
  const torch::Tensor factor = (network_.parameters(id).weight.detach() * inverse_deviation)
                                   .to(at::kDouble)
                                   .contiguous();
  const auto* first = factor.template data_ptr<double>();
  norms_[at(id)].normalised = normalised.contiguous();
  norms_[at(id)].factor.assign(first, first + factor.numel());
}

/// What to begin with: d(sum of sample b's outputs) is one in sample b and else zero.
template <class Scalar>
void Engine<Scalar>::start(NodeId output) {
  allocate(output);
  const auto elements = graph_.node(output).shape.elements();
  for (std::size_t k = 0; k < blocks_.size(); ++k) {
    const Block& block = blocks_[k];
    for (int s = 0; s < block.sample_count; ++s) {
      Vector* const cotangent = values(output, k, s);
      const int lane = block.first_sample + s - block.first_cotangent;
      if (lane >= 0 && lane < block.cotangent_count)
        for (std::int64_t i = 0; i < elements; ++i) cotangent[i].lane[lane] = Scalar{1};
      add_sums(output, k, s);
    }
  }
  finish(output);
}

/// Pulls the cotangent of a node from those of all its readers, sample by sample so that the
/// processor's cache holds what it works on, and takes the weights' gradients on the way.
template <class Scalar>
void Engine<Scalar>::propagate(NodeId id) {
  const bool is_wanted = terms_.is_wanted[at(id)];
  if (is_wanted) allocate(id);
  std::vector<std::unique_ptr<Visits<Scalar>>> visits;
  std::vector<Layer<Scalar>> layers = layers_into(id, visits);
  for (std::size_t k = 0; k < blocks_.size(); ++k) {
    for (int s = 0; s < blocks_[k].sample_count; ++s) {
      Vector* const into = is_wanted ? values(id, k, s) : nullptr;
      for (Layer<Scalar>& layer : layers) {
        const NodeId from = layer.term().from;
        const Vector* mean = cotangents_[at(from)].mean.data() +
                             k * static_cast<std::size_t>(channels(from));
        layer.run(k, blocks_[k].first_sample + s, values(from, k, s), mean, into, scratch_);
      }
      if (is_wanted) add_sums(id, k, s);
    }
  }
  for (const Layer<Scalar>& layer : layers)
    add_to_gram(layer.gradient(), [&layer](std::size_t weight) { return layer.factor(weight); });
  if (is_wanted) finish(id);
  release_sources(id);
}

template <class Scalar>
std::vector<Layer<Scalar>> Engine<Scalar>::layers_into(
    NodeId id, std::vector<std::unique_ptr<Visits<Scalar>>>& visits) {
  const auto* activation = activations_[at(id)].template data_ptr<Scalar>();
  std::vector<Layer<Scalar>> layers;
  for (const Term& term : terms_.into[at(id)]) {
    const Window window = term.window < 0 ? identity_window(graph_.node(id).shape)
                                          : window_of(graph_, term.window);
    auto suiting = std::ranges::find_if(
        visits, [&](const auto& visit) { return visit->suits(window, term.is_rectified); });
    if (suiting == visits.end()) {
      visits.push_back(std::make_unique<Visits<Scalar>>(window, term.is_rectified, activation,
                                                        samples_));
      suiting = visits.end() - 1;
    }
    const Norm<Scalar>* norm = term.norm < 0 ? nullptr : &norms_[at(term.norm)];
    layers.emplace_back(network_, term, norm, **suiting, activation, blocks_.size());
  }
  return layers;
}

template <class Scalar>
void Engine<Scalar>::allocate(NodeId id) {
  auto& cotangent = cotangents_[at(id)];
  const auto elements = static_cast<std::size_t>(graph_.node(id).shape.elements());
  const auto samples = blocks_.size() * static_cast<std::size_t>(blocks_[0].sample_count);
  const auto per_channel = blocks_.size() * static_cast<std::size_t>(channels(id));
  cotangent.readers = terms_.readers[at(id)];
  cotangent.values.assign(samples * elements, Vector{});
  cotangent.mean.assign(per_channel, Vector{});
  for (const Term& term : terms_.norms[at(id)])
    norms_[at(term.norm)].slope.assign(per_channel, Vector{});
}

/// Adds one sample to the sums that batch norm needs.
template <class Scalar>
void Engine<Scalar>::add_sums(NodeId id, std::size_t block, int sample) {
  const auto first = block * static_cast<std::size_t>(channels(id));
  const auto elements = graph_.node(id).shape.elements();
  SumRun<Scalar> run{};
  run.from = values(id, block, sample);
  run.pixels = static_cast<int>(graph_.node(id).shape.pixels());
  run.channels = channels(id);
  if (terms_.norms[at(id)].empty()) return;
  run.sum = cotangents_[at(id)].mean.data() + first;
  kernels<Scalar>().sum(run);
  for (const Term& term : terms_.norms[at(id)]) {
    Norm<Scalar>& norm = norms_[at(term.norm)];
    run.normalised = norm.normalised.template data_ptr<Scalar>() +
                     (blocks_[block].first_sample + sample) * elements;
    run.sum = norm.slope.data() + first;
    kernels<Scalar>().sum(run);
  }
}

/// The sums are the gradients of batch norm's scales; then they become means. Frozen statistics
/// do not depend on the weights, as if those means were zero.
template <class Scalar>
void Engine<Scalar>::finish(NodeId id) {
  const auto mean_of = [&](std::vector<Vector>& sums) {
    const auto members = static_cast<Scalar>(samples_ * graph_.node(id).shape.pixels());
    for (Vector& sum : sums)
      for (Scalar& lane : sum.lane) lane = is_coupled_ ? lane / members : Scalar{0};
  };
  mean_of(cotangents_[at(id)].mean);
  for (const Term& term : terms_.norms[at(id)]) {
    Norm<Scalar>& norm = norms_[at(term.norm)];
    add_to_gram(norm.slope, [&term](std::size_t) { return term.factor; });
    mean_of(norm.slope);
  }
}

template <class Scalar>
void Engine<Scalar>::release_sources(NodeId id) {
  activations_[at(id)].reset();
  for (const Term& term : terms_.into[at(id)]) {
    auto& from = cotangents_[at(term.from)];
    if (--from.readers == 0) from = {};
    if (term.norm >= 0) norms_[at(term.norm)] = {};
  }
}

/// gradient: block x weight. Adds J J^T, J being the samples x weights block of the Jacobian.
template <class Scalar>
void Engine<Scalar>::add_to_gram(std::span<const Vector> gradient,
                                 const std::function<double(std::size_t)>& factor) {
  const std::size_t weights = gradient.size() / blocks_.size();
  if (weights == 0) return;
  const torch::Tensor jacobian =
      at::empty({static_cast<std::int64_t>(weights), samples_}, at::kDouble);
  auto* into = jacobian.template data_ptr<double>();
  for (std::size_t weight = 0; weight < weights; ++weight) {
    const double by = factor(weight);
    for (std::size_t k = 0; k < blocks_.size(); ++k)
      for (int lane = 0; lane < blocks_[k].cotangent_count; ++lane)
        *into++ = by * gradient[k * weights + weight].lane[lane];
  }
  gram_.addmm_(jacobian.t(), jacobian);
}

}  // namespace

template <class Scalar>
torch::Tensor gram(const Network& network, const torch::Tensor& images, Coupling coupling) {
  return Engine<Scalar>{network, images, coupling}.run();
}

template torch::Tensor gram<float>(const Network&, const torch::Tensor&, Coupling);
template torch::Tensor gram<double>(const Network&, const torch::Tensor&, Coupling);

}  // namespace thimble::ntk
