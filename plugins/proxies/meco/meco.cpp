// MeCo, the minimum eigenvalue of the correlation between channels: Jiang, Wang and Bie (NeurIPS
// 2023, "MeCo: Zero-Shot NAS with One Data and Single Forward Pass via Minimum Eigenvalue of
// Correlation").
//
//     P_l = Pearson correlation between the channels of a node's output, over its pixels
//     S   = sum over nodes of the least eigenvalue of P_l
//
// of one sample; no labels. More is better. With `channels: 8` this is MeCo_opt: P_l of so many
// channels drawn at random, its eigenvalue scaled by C / channels. Forward only, shared with every
// other proxy of the same pass: of a batch, the first sample is looked at.
//
// The published code hooks every module, containers too, so that a cell's output counts several
// times. `containers: true` does the like with the scopes of names, which are the search space's
// and not one implementation's modules; sums count as the end of their scopes alone.
//
// Traps: with fewer pixels than channels P_l is singular and gives rounding noise for a value; one
// pixel or a constant channel gives 0, and where that is all there is, no score. Batch norm sees
// the whole batch here; `batch: 1` gives it one sample, as published.

#include <algorithm>
#include <string>

#include <thimble/core/error.hpp>
#include <thimble/nn/correlation.hpp>
#include <thimble/proxy.hpp>

namespace {

using thimble::NodeId;

struct Params {
  thimble::Pass pass;
  int channels = 0;
  bool containers = false;

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass);
    param(&Params::channels, "channels", "channels to draw from each node (MeCo_opt: 8); 0: all")
        .range(0, 4096);
    param(&Params::containers, "containers",
          "count a node again for every container that ends with it, as the published code does");
  }
};

class Meco final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.outputs = true}; }

  double score(thimble::Observation& seen) const override {
    thimble::Random random = seen.random("meco");
    double sum = 0;
    bool is_varied = false;
    for (NodeId id = 1; id < seen.graph().size(); ++id) {
      const auto eigenvalues = eigenvalues_of(seen.forward().output(id, 0), random);
      if (!eigenvalues.defined()) continue;
      sum += times_counted(seen.graph(), id) * eigenvalues[0].item<double>();
      is_varied = is_varied || eigenvalues[-1].item<double>() > 0;
    }
    if (!is_varied) throw thimble::Error{"no channel varies over its pixels"};
    return sum;
  }

 private:
  /// As itself, and for each container, which is a scope of names, that it is the last node of.
  int times_counted(const thimble::Graph& graph, NodeId id) const {
    const thimble::Node& node = graph.node(id);
    if (!params().containers) return node.op == thimble::Op::zero ? 0 : 1;
    int times = node.op == thimble::Op::add || node.op == thimble::Op::zero ? 0 : 1;
    if (id == graph.output()) ++times;  // the network is a container too
    const std::string& name = graph.name(id);
    for (std::size_t slash = name.find('/'); slash != std::string::npos;
         slash = name.find('/', slash + 1)) {
      const bool goes_on =
          id + 1 < graph.size() && graph.name(id + 1).starts_with(name.substr(0, slash + 1));
      if (!goes_on) ++times;
    }
    return times;
  }

  /// Of the correlation, ascending. output: C x H x W, or a vector, which has one pixel and so no
  /// correlation: undefined.
  at::Tensor eigenvalues_of(const at::Tensor& output, thimble::Random& random) const {
    const std::int64_t channels = output.size(0);
    if (output.numel() == channels) return {};
    auto pixels = output.flatten(1);
    const std::int64_t drawn =
        params().channels == 0 ? channels : std::min<std::int64_t>(params().channels, channels);
    if (drawn < channels)
      pixels = pixels.index_select(0, at::tensor(random.sample(channels, drawn)));
    const double scale = static_cast<double>(channels) / static_cast<double>(drawn);
    const auto correlation = thimble::correlation(pixels.to(at::kDouble));
    return scale * at::linalg_eigvalsh(correlation);
  }
};

}  // namespace

THIMBLE_PLUGIN("meco", "1.0.0") {
  plugin.provides<Meco>("least eigenvalue of the correlation between channels, summed (MeCo)")
      .profile("opt", "{channels: 8}");
}
