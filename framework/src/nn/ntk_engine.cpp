#include "ntk_engine.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

#include <ATen/ATen.h>

#include "ntk_buffers.hpp"
#include "ntk_forward.hpp"
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
  Lanes<Scalar>* values = nullptr;
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
        blocks_{blocks_of(samples_, Vector::kCount, coupling)},
        forward_{run_forward<Scalar>(network, terms_, images)},
        cotangents_(static_cast<std::size_t>(graph_.size())),
        buffers_{largest_cotangent()},
        gram_{at::zeros({samples_, samples_}, at::kDouble)} {}

  torch::Tensor run() {
    start(graph_.output());
    for (NodeId id = graph_.output() - 1; id >= 0; --id)
      if (!terms_.into[at(id)].empty()) propagate(id);
    return gram_;
  }

 private:
  using Vector = Lanes<Scalar>;
  using VisitsOf = std::vector<std::unique_ptr<Visits<Scalar>>>;

  static std::size_t at(NodeId id) { return static_cast<std::size_t>(id); }
  std::size_t channels(NodeId id) const { return at(graph_.node(id).shape.channels); }
  std::size_t elements(NodeId id) const {
    return static_cast<std::size_t>(graph_.node(id).shape.elements());
  }
  std::size_t largest_cotangent() const;

  void start(NodeId output);
  void propagate(NodeId id);
  void propagate(NodeId id, std::vector<Layer<Scalar>>& layers, const Band& band);
  int band_rows(NodeId id) const;
  std::vector<Layer<Scalar>> layers_into(NodeId id, VisitsOf& visits);
  const Visits<Scalar>& visits_of(const Term& term, VisitsOf& visits) const;
  void allocate(NodeId id);
  void add_sums(NodeId id, const Band& band);
  void finish(NodeId id);
  void release_sources(NodeId id);
  void add_to_gram(std::span<const Vector> gradient,
                   const std::function<double(std::size_t)>& factor);

  Vector* values(NodeId id, std::size_t block, int sample) const {
    const std::size_t before = block * static_cast<std::size_t>(blocks_[0].sample_count);
    const auto in_block = static_cast<std::size_t>(sample - blocks_[block].first_sample);
    return cotangents_[at(id)].values + (before + in_block) * elements(id);
  }

  const Network& network_;
  const Graph& graph_;
  const Terms terms_;
  const int samples_;
  const bool is_coupled_;
  const std::vector<Block> blocks_;
  Forward<Scalar> forward_;
  std::vector<Cotangent<Scalar>> cotangents_;
  Buffers buffers_;
  Scratch<Scalar> scratch_;
  torch::Tensor gram_;
};

/// In bytes.
template <class Scalar>
std::size_t Engine<Scalar>::largest_cotangent() const {
  std::size_t largest = elements(graph_.output());
  for (NodeId id = 0; id < graph_.output(); ++id)
    if (terms_.is_wanted[at(id)] && !terms_.into[at(id)].empty())
      largest = std::max(largest, elements(id));
  const auto samples = blocks_.size() * static_cast<std::size_t>(blocks_[0].sample_count);
  return samples * largest * sizeof(Vector);
}

/// What to begin with: d(sum of sample b's outputs) is one in sample b and else zero.
template <class Scalar>
void Engine<Scalar>::start(NodeId output) {
  allocate(output);
  const int height = graph_.node(output).shape.height;
  for (std::size_t k = 0; k < blocks_.size(); ++k) {
    const Block& block = blocks_[k];
    for (int s = block.first_sample; s < block.first_sample + block.sample_count; ++s) {
      Vector start{};
      const int lane = s - block.first_cotangent;
      if (lane >= 0 && lane < block.cotangent_count) start.lane[lane] = Scalar{1};
      std::fill_n(values(output, k, s), elements(output), start);
      add_sums(output, {.block = k, .sample = s, .index = 0, .first_row = 0, .end_row = height});
    }
  }
  finish(output);
}

/// Some 24 KiB of cotangent: half of a processor's nearest cache.
template <class Scalar>
int Engine<Scalar>::band_rows(NodeId id) const {
  constexpr std::size_t kBandBytes = 24 * 1024;
  const Shape& shape = graph_.node(id).shape;
  const std::size_t row = elements(id) / static_cast<std::size_t>(shape.height) * sizeof(Vector);
  return static_cast<int>(
      std::clamp<std::size_t>(kBandBytes / row, 1, static_cast<std::size_t>(shape.height)));
}

/// Pulls the cotangent of a node from those of all its readers, some rows at a time, and takes the
/// weights' gradients on the way.
template <class Scalar>
void Engine<Scalar>::propagate(NodeId id) {
  if (terms_.is_wanted[at(id)]) allocate(id);
  VisitsOf visits;
  std::vector<Layer<Scalar>> layers = layers_into(id, visits);
  const int height = graph_.node(id).shape.height;
  const int rows = band_rows(id);
  for (std::size_t k = 0; k < blocks_.size(); ++k) {
    const int end_sample = blocks_[k].first_sample + blocks_[k].sample_count;
    for (int s = blocks_[k].first_sample; s < end_sample; ++s)
      for (int y = 0; y < height; y += rows)
        propagate(id, layers, {k, s, y / rows, y, std::min(y + rows, height)});
  }
  for (const Layer<Scalar>& layer : layers)
    add_to_gram(layer.gradient(), [&layer](std::size_t weight) { return layer.factor(weight); });
  if (terms_.is_wanted[at(id)]) finish(id);
  release_sources(id);
}

template <class Scalar>
void Engine<Scalar>::propagate(NodeId id, std::vector<Layer<Scalar>>& layers, const Band& band) {
  Vector* const into = terms_.is_wanted[at(id)] ? values(id, band.block, band.sample) : nullptr;
  bool is_begun = into == nullptr;
  if (!is_begun && !layers[0].is_plain()) {
    const std::size_t row = elements(id) / static_cast<std::size_t>(graph_.node(id).shape.height);
    std::fill(into + static_cast<std::size_t>(band.first_row) * row,
              into + static_cast<std::size_t>(band.end_row) * row, Vector{});
    is_begun = true;
  }
  std::vector<const Vector*> from;
  for (Layer<Scalar>& layer : layers) {
    from.clear();
    for (const NodeId source : layer.sources())
      from.push_back(values(source, band.block, band.sample));
    const NodeId first = layer.sources()[0];
    const Vector* mean = cotangents_[at(first)].mean.data() + band.block * channels(first);
    layer.run(band, from, mean, into, !is_begun, scratch_);
    is_begun = true;
  }
  if (into != nullptr) add_sums(id, band);
}

template <class Scalar>
std::vector<Layer<Scalar>> Engine<Scalar>::layers_into(NodeId id, VisitsOf& visits) {
  std::vector<Layer<Scalar>> layers;
  for (const Term& term : terms_.into[at(id)]) {
    const bool is_absorbed = std::ranges::any_of(
        layers, [&](Layer<Scalar>& layer) { return layer.absorbs(network_, term); });
    if (is_absorbed) continue;
    const Norm<Scalar>* norm = term.norm < 0 ? nullptr : &forward_.norms[at(term.norm)];
    const auto* values = forward_.activations[at(id)].template data_ptr<Scalar>();
    layers.emplace_back(network_, term, norm, visits_of(term, visits), values, blocks_.size());
  }
  std::ranges::stable_partition(layers, &Layer<Scalar>::is_plain);
  return layers;
}

template <class Scalar>
const Visits<Scalar>& Engine<Scalar>::visits_of(const Term& term, VisitsOf& visits) const {
  const Window window = window_of(graph_, term);
  for (const auto& visit : visits)
    if (visit->suits(window, term.is_rectified)) return *visit;
  const auto* values = forward_.activations[at(term.to)].template data_ptr<Scalar>();
  visits.push_back(
      std::make_unique<Visits<Scalar>>(window, term.is_rectified, values, samples_,
                                       band_rows(term.to)));
  return *visits.back();
}

template <class Scalar>
void Engine<Scalar>::allocate(NodeId id) {
  auto& cotangent = cotangents_[at(id)];
  cotangent.readers = terms_.readers[at(id)];
  cotangent.values = static_cast<Vector*>(buffers_.take());
  cotangent.mean.assign(blocks_.size() * channels(id), Vector{});
  for (const Term& term : terms_.norms[at(id)])
    forward_.norms[at(term.norm)].slope.assign(blocks_.size() * channels(id), Vector{});
}

/// Adds some rows to the sums that batch norm needs.
template <class Scalar>
void Engine<Scalar>::add_sums(NodeId id, const Band& band) {
  const std::vector<Term>& norms = terms_.norms[at(id)];
  const Shape& shape = graph_.node(id).shape;
  const std::size_t first_channel = band.block * channels(id);
  const auto first_pixel = static_cast<std::size_t>(band.first_row * shape.width);
  SumRun<Scalar> run{};
  run.from = values(id, band.block, band.sample) + first_pixel * channels(id);
  run.pixels = (band.end_row - band.first_row) * shape.width;
  run.plane = static_cast<int>(shape.pixels());
  run.channels = shape.channels;
  run.sum = cotangents_[at(id)].mean.data() + first_channel;
  std::vector<Vector> ignored;
  for (std::size_t i = 0; i < norms.size();) {
    run.norm_count = 0;
    for (; i < norms.size() && run.norm_count < SumRun<Scalar>::kMostNorms; ++i) {
      Norm<Scalar>& norm = forward_.norms[at(norms[i].norm)];
      run.normalised[run.norm_count] = norm.normalised.template data_ptr<Scalar>() +
                                       static_cast<std::size_t>(band.sample) * elements(id) +
                                       first_pixel;
      run.norm_sum[run.norm_count++] = norm.slope.data() + first_channel;
    }
    kernels<Scalar>().sum(run);
    ignored.resize(channels(id));
    run.sum = ignored.data();  // the plain sum is complete after the first time
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
    Norm<Scalar>& norm = forward_.norms[at(term.norm)];
    add_to_gram(norm.slope, [&term](std::size_t) { return term.factor; });
    mean_of(norm.slope);
  }
}

template <class Scalar>
void Engine<Scalar>::release_sources(NodeId id) {
  forward_.activations[at(id)].reset();
  for (const Term& term : terms_.into[at(id)]) {
    auto& from = cotangents_[at(term.from)];
    if (--from.readers == 0) buffers_.give(from.values);
    if (term.norm >= 0) forward_.norms[at(term.norm)] = {};
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
