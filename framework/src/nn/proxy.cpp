#include <thimble/nn/proxy.hpp>

#include <numeric>

namespace thimble {

const std::vector<std::pair<std::string, InputKind>>& names_of(InputKind) {
  static const std::vector<std::pair<std::string, InputKind>> names{
      {"data", InputKind::data}, {"normal", InputKind::normal}, {"ones", InputKind::ones}};
  return names;
}

const std::vector<std::pair<std::string, Fit>>& names_of(Fit) {
  static const std::vector<std::pair<std::string, Fit>> names{{"resize", Fit::resize},
                                                              {"crop", Fit::crop}};
  return names;
}

Dataset::~Dataset() = default;
Proxy::~Proxy() = default;

Observation::Observation(const Network& network, std::span<const Samples> batches)
    : network_{network}, batches_{batches}, activations_(batches.size()) {}

const std::vector<torch::Tensor>& Observation::activations(std::size_t batch) {
  auto& kept = activations_.at(batch);
  if (kept.empty()) kept = network_.activations(images(batch));
  return kept;
}

double Proxy::combine(std::span<const double> repeats) const {
  return std::accumulate(repeats.begin(), repeats.end(), 0.0) / static_cast<double>(repeats.size());
}

bool Proxy::accepts_supernets() const { return true; }

}  // namespace thimble
