#include "engine.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <span>

#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>

#include "buffers.hpp"
#include "forward.hpp"
#include "layer.hpp"

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

std::vector<Block> blocks_of(int samples, int lanes, SampleCoupling coupling) {
  std::vector<Block> blocks;
  if (coupling == SampleCoupling::frozen) {
    for (int b = 0; b < samples; ++b) blocks.push_back({b, 1, b, 1});
  } else {
    for (int b = 0; b < samples; b += lanes)
      blocks.push_back({b, std::min(lanes, samples - b), 0, samples});
  }
  return blocks;
}

/// One block's cotangent of a node as sample x pixel x channel, each a vector of lanes, so that a
/// ReLU's mask and a layer's input are the same for all lanes.
template <class Scalar>
struct Cotangent {
  Lanes<Scalar>* values = nullptr;
  std::vector<Lanes<Scalar>> mean;  ///< over samples and pixels, per channel
  int readers = 0;
};

/// What leads to one node's cotangent; the same for all blocks.
template <class Scalar>
struct Way {
  NodeId to;
  std::vector<std::unique_ptr<Visits<Scalar>>> visits;
  std::vector<Layer<Scalar>> layers;
};

template <class Scalar>
class Engine {
 public:
  Engine(const Network& network, const at::Tensor& images, SampleCoupling coupling)
      : network_{network},
        graph_{network.graph()},
        terms_{terms_of(graph_)},
        samples_{static_cast<int>(images.size(0))},
        is_coupled_{coupling == SampleCoupling::coupled},
        blocks_{blocks_of(samples_, Vector::kCount, coupling)},
        forward_{run_forward<Scalar>(network, terms_, images)},
        cotangents_(static_cast<std::size_t>(graph_.size())),
        buffers_{largest_cotangent()} {
    for (NodeId id = graph_.output() - 1; id >= 0; --id)
      if (!terms_.into[at(id)].empty()) prepare(id);
  }

  at::Tensor run() {
    for (const Block& block : blocks_) {
      start(block);
      for (Way<Scalar>& way : ways_) propagate(way, block);
    }
    return gram();
  }

 private:
  using Vector = Lanes<Scalar>;

  std::size_t channels(NodeId id) const { return at(graph_.node(id).shape.channels); }
  std::size_t elements(NodeId id) const {
    return static_cast<std::size_t>(graph_.node(id).shape.elements());
  }
  std::size_t row(NodeId id) const { return elements(id) / at(graph_.node(id).shape.height); }
  std::size_t largest_cotangent() const;
  int band_rows(NodeId id) const;

  void prepare(NodeId id);
  const Visits<Scalar>& visits_of(const Term& term, Way<Scalar>& way) const;
  void start(const Block& block);
  void propagate(Way<Scalar>& way, const Block& block);
  void propagate(Way<Scalar>& way, const Band& band, const Block& block);
  void allocate(NodeId id);
  void add_sums(NodeId id, const Band& band, const Block& block);
  void finish(NodeId id, const Block& block);
  void release_sources(NodeId id);
  void keep(const Block& block, std::span<const Vector> gradient,
            std::vector<Scalar>& jacobian) const;
  at::Tensor gram();
  void add_to(at::Tensor& gram, std::span<const Scalar> jacobian,
              const std::function<double(std::size_t)>& factor) const;

  Vector* values(NodeId id, const Block& block, int sample) const {
    return cotangents_[at(id)].values + at(sample - block.first_sample) * elements(id);
  }

  const Network& network_;
  const Graph& graph_;
  const Terms terms_;
  const int samples_;
  const bool is_coupled_;
  const std::vector<Block> blocks_;
  Forward<Scalar> forward_;
  std::vector<Way<Scalar>> ways_;  ///< in the order of the backward pass
  std::vector<Cotangent<Scalar>> cotangents_;
  Buffers buffers_;
  Scratch<Scalar> scratch_;
};

/// In bytes.
template <class Scalar>
std::size_t Engine<Scalar>::largest_cotangent() const {
  std::size_t largest = elements(graph_.output());
  for (NodeId id = 0; id < graph_.output(); ++id)
    if (terms_.is_wanted[at(id)] && !terms_.into[at(id)].empty())
      largest = std::max(largest, elements(id));
  return static_cast<std::size_t>(blocks_[0].sample_count) * largest * sizeof(Vector);
}

/// Some 40 KiB of cotangent: about a processor's nearest cache.
template <class Scalar>
int Engine<Scalar>::band_rows(NodeId id) const {
  constexpr std::size_t kBandBytes = std::size_t{40} * 1024;
  return static_cast<int>(std::clamp<std::size_t>(kBandBytes / (row(id) * sizeof(Vector)), 1,
                                                  at(graph_.node(id).shape.height)));
}

template <class Scalar>
void Engine<Scalar>::prepare(NodeId id) {
  Way<Scalar> way{.to = id, .visits = {}, .layers = {}};
  const auto* values = forward_.activations[at(id)].template data_ptr<Scalar>();
  for (const Term& term : terms_.into[at(id)]) {
    const bool is_absorbed = std::ranges::any_of(
        way.layers, [&](Layer<Scalar>& layer) { return layer.absorbs(network_, term); });
    if (is_absorbed) continue;
    const Norm<Scalar>* norm = term.norm < 0 ? nullptr : &forward_.norms[at(term.norm)];
    way.layers.emplace_back(network_, term, norm, visits_of(term, way), values);
  }
  std::stable_partition(way.layers.begin(), way.layers.end(),
                        [](const Layer<Scalar>& layer) { return layer.is_plain(); });
  ways_.push_back(std::move(way));
}

template <class Scalar>
const Visits<Scalar>& Engine<Scalar>::visits_of(const Term& term, Way<Scalar>& way) const {
  const Window window = window_of(graph_, term);
  for (const auto& visits : way.visits)
    if (visits->suits(window, term.is_rectified)) return *visits;
  const auto* values = forward_.activations[at(term.to)].template data_ptr<Scalar>();
  way.visits.push_back(std::make_unique<Visits<Scalar>>(window, term.is_rectified, values, samples_,
                                                        band_rows(term.to)));
  return *way.visits.back();
}

/// What to begin with: d(sum of sample b's outputs) is one in sample b and else zero.
template <class Scalar>
void Engine<Scalar>::start(const Block& block) {
  const NodeId output = graph_.output();
  const int height = graph_.node(output).shape.height;
  allocate(output);
  for (int s = block.first_sample; s < block.first_sample + block.sample_count; ++s) {
    Vector start{};
    const int lane = s - block.first_cotangent;
    if (lane >= 0 && lane < block.cotangent_count) start.lane[lane] = Scalar{1};
    std::fill_n(values(output, block, s), elements(output), start);
    add_sums(output, {.sample = s, .index = 0, .first_row = 0, .end_row = height}, block);
  }
  finish(output, block);
}

/// Pulls the cotangent of a node from those of all its readers, some rows at a time, and takes the
/// weights' gradients on the way.
template <class Scalar>
void Engine<Scalar>::propagate(Way<Scalar>& way, const Block& block) {
  if (terms_.is_wanted[at(way.to)]) allocate(way.to);
  for (Layer<Scalar>& layer : way.layers) std::ranges::fill(layer.gradient(), Vector{});
  const int height = graph_.node(way.to).shape.height;
  const int rows = band_rows(way.to);
  for (int s = block.first_sample; s < block.first_sample + block.sample_count; ++s)
    for (int y = 0; y < height; y += rows)
      propagate(way, {s, y / rows, y, std::min(y + rows, height)}, block);
  for (Layer<Scalar>& layer : way.layers) keep(block, layer.gradient(), layer.jacobian());
  if (terms_.is_wanted[at(way.to)]) finish(way.to, block);
  release_sources(way.to);
}

template <class Scalar>
void Engine<Scalar>::propagate(Way<Scalar>& way, const Band& band, const Block& block) {
  const NodeId id = way.to;
  Vector* const into = terms_.is_wanted[at(id)] ? values(id, block, band.sample) : nullptr;
  bool is_begun = into == nullptr;
  if (!is_begun && !way.layers[0].is_plain()) {
    std::fill(into + at(band.first_row) * row(id), into + at(band.end_row) * row(id), Vector{});
    is_begun = true;
  }
  std::vector<const Vector*> from;
  for (Layer<Scalar>& layer : way.layers) {
    from.clear();
    for (const NodeId source : layer.sources()) from.push_back(values(source, block, band.sample));
    const Vector* mean = cotangents_[at(layer.sources()[0])].mean.data();
    layer.run(band, from, mean, into, !is_begun, scratch_);
    is_begun = true;
  }
  if (into != nullptr) add_sums(id, band, block);
}

template <class Scalar>
void Engine<Scalar>::allocate(NodeId id) {
  auto& cotangent = cotangents_[at(id)];
  cotangent.readers = terms_.readers[at(id)];
  cotangent.values = static_cast<Vector*>(buffers_.take());
  cotangent.mean.assign(channels(id), Vector{});
  for (const Term& term : terms_.norms[at(id)])
    forward_.norms[at(term.norm)].slope.assign(channels(id), Vector{});
}

/// Adds some rows to the sums that batch norm needs.
template <class Scalar>
void Engine<Scalar>::add_sums(NodeId id, const Band& band, const Block& block) {
  const std::vector<Term>& norms = terms_.norms[at(id)];
  const Shape& shape = graph_.node(id).shape;
  const std::size_t first_pixel = at(band.first_row) * at(shape.width);
  SumRun<Scalar> run{};
  run.from = values(id, block, band.sample) + first_pixel * channels(id);
  run.pixels = (band.end_row - band.first_row) * shape.width;
  run.plane = static_cast<int>(shape.pixels());
  run.channels = shape.channels;
  run.sum = cotangents_[at(id)].mean.data();
  std::vector<Vector> ignored;
  for (std::size_t i = 0; i < norms.size();) {
    run.norm_count = 0;
    for (; i < norms.size() && run.norm_count < SumRun<Scalar>::kMostNorms; ++i) {
      Norm<Scalar>& norm = forward_.norms[at(norms[i].norm)];
      run.normalised[run.norm_count] = norm.normalised.template data_ptr<Scalar>() +
                                       at(band.sample) * elements(id) + first_pixel;
      run.norm_sum[run.norm_count++] = norm.slope.data();
    }
    kernels<Scalar>().sum(run);
    ignored.resize(channels(id));
    run.sum = ignored.data();  // the plain sum is complete after the first time
  }
}

/// The sums over one block are complete. They are the gradients of batch norm's scales; then they
/// become means. Frozen statistics do not depend on the weights, as if those means were zero.
template <class Scalar>
void Engine<Scalar>::finish(NodeId id, const Block& block) {
  const auto members = static_cast<Scalar>(samples_ * graph_.node(id).shape.pixels());
  const auto make_mean = [&](std::vector<Vector>& sums) {
    for (Vector& sum : sums)
      for (Scalar& lane : sum.lane) lane = is_coupled_ ? lane / members : Scalar{0};
  };
  make_mean(cotangents_[at(id)].mean);
  for (const Term& term : terms_.norms[at(id)]) {
    Norm<Scalar>& norm = forward_.norms[at(term.norm)];
    keep(block, norm.slope, norm.jacobian);
    make_mean(norm.slope);
  }
  if (terms_.readers[at(id)] == 0) buffers_.give(cotangents_[at(id)].values);
}

template <class Scalar>
void Engine<Scalar>::release_sources(NodeId id) {
  for (const Term& term : terms_.into[at(id)]) {
    auto& from = cotangents_[at(term.from)];
    if (--from.readers == 0) buffers_.give(from.values);
  }
}

template <class Scalar>
void Engine<Scalar>::keep(const Block& block, std::span<const Vector> gradient,
                          std::vector<Scalar>& jacobian) const {
  jacobian.resize(gradient.size() * at(samples_));
  for (std::size_t weight = 0; weight < gradient.size(); ++weight)
    std::copy_n(gradient[weight].lane, block.cotangent_count,
                &jacobian[weight * at(samples_) + at(block.first_cotangent)]);
}

template <class Scalar>
at::Tensor Engine<Scalar>::gram() {
  at::Tensor gram = at::zeros({samples_, samples_}, at::kDouble);
  for (Way<Scalar>& way : ways_)
    for (Layer<Scalar>& layer : way.layers)
      add_to(gram, layer.jacobian(), [&](std::size_t weight) { return layer.factor(weight); });
  for (const auto& norms : terms_.norms)
    for (const Term& term : norms)
      add_to(gram, forward_.norms[at(term.norm)].jacobian,
             [&](std::size_t) { return term.factor; });
  return gram;
}

/// Adds J^T J, J being the weights x cotangents part of the Jacobian but for factors.
template <class Scalar>
void Engine<Scalar>::add_to(at::Tensor& gram, std::span<const Scalar> jacobian,
                            const std::function<double(std::size_t)>& factor) const {
  const std::size_t weights = jacobian.size() / at(samples_);
  if (weights == 0) return;
  const at::Tensor scaled = at::empty({static_cast<std::int64_t>(weights), samples_}, at::kDouble);
  auto* into = scaled.template data_ptr<double>();
  const Scalar* from = jacobian.data();
  for (std::size_t weight = 0; weight < weights; ++weight) {
    const double by = factor(weight);
    for (int b = 0; b < samples_; ++b) *into++ = by * *from++;
  }
  gram.addmm_(scaled.t(), scaled);
}

}  // namespace

template <class Scalar>
at::Tensor gram(const Network& network, const at::Tensor& images, SampleCoupling coupling) {
  return Engine<Scalar>{network, images, coupling}.run();
}

template at::Tensor gram<float>(const Network&, const at::Tensor&, SampleCoupling);
template at::Tensor gram<double>(const Network&, const at::Tensor&, SampleCoupling);

}  // namespace thimble::ntk
