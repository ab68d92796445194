// AZ-NAS's four scores: Lee and Ham (CVPR 2024, arXiv 2403.19232). `score` chooses one; the paper
// adds up the logarithms of a candidate's ranks by all four, among all candidates.
//
//     H_l = entropy of the eigenvalues of the channels' covariance at block l, scaled to a sum of 1
//     expressivity  = sum_l H_l
//     progressivity = min_l (H_{l+1} - H_l)
//     trainability  = mean_l (2 - s_l - 1 / (s_l + 1e-6))
//     complexity    = multiply-accumulates
//
// s_l is the largest singular value of G_{l-1}^T G_l / (samples x pixels), rows being samples and
// pixels and columns channels: G_l is a random +-1 gradient by the output of block l, and G_{l-1}
// what backpropagation makes of it at the block before, whose windows of pixels become channels
// where the block has a stride. More is better for all four. Cost: one forward pass; trainability
// takes one backward pass besides; complexity none. No data, no labels.
//
// Blocks are the innermost scopes of names (thimble/graph/blocks.hpp): NAS-Bench-201's stem, cells
// and reductions.
//
// Traps: the published trainability of a block that does nothing is minus infinity; such a block is
// no part of our networks and is passed over, unless `dead_ends` keeps it, which then gives no
// score. Progressivity is the least of many differences, and 0 at best where blocks repeat.

#include <algorithm>
#include <cmath>
#include <limits>

#include <thimble/core/error.hpp>
#include <thimble/graph/blocks.hpp>
#include <thimble/graph/counts.hpp>
#include <thimble/proxy.hpp>

namespace {

using thimble::NodeId;
using thimble::Observation;

enum class Score { expressivity, progressivity, trainability, complexity };

const std::vector<std::pair<std::string, Score>>& names_of(Score) {
  static const std::vector<std::pair<std::string, Score>> kNames{
      {"expressivity", Score::expressivity},
      {"progressivity", Score::progressivity},
      {"trainability", Score::trainability},
      {"complexity", Score::complexity}};
  return kNames;
}

/// Samples and pixels x channels.
at::Tensor rows_of(const at::Tensor& images) {
  return images.permute({0, 2, 3, 1}).reshape({-1, images.size(1)});
}

/// The entropies of all blocks.
std::vector<double> entropies(Observation& seen, const std::vector<NodeId>& blocks) {
  std::vector<double> found;
  for (const NodeId id : blocks) {
    const auto rows = rows_of(seen.forward().output(id));
    const auto mean = rows.mean(0, /*keepdim=*/true);
    const auto centred = rows - mean;
    const auto covariance = centred.t().mm(centred).to(at::kDouble);
    constexpr double kRounding = 1e-12;  // of squares in float: of a constant something is left
    const double squares = static_cast<double>(rows.size(0)) * mean.square().sum().item<double>();
    if (covariance.trace().item<double>() <= kRounding * squares)
      throw thimble::Error{"a block's output is constant: it has no entropy"};
    const auto eigenvalues = at::linalg_eigvalsh(covariance).clamp_min(0);
    const auto shares = eigenvalues / eigenvalues.sum();
    found.push_back(-(shares * (shares + 1e-8).log()).sum().item<double>());
  }
  return found;
}

double expressivity(Observation& seen, const std::vector<NodeId>& blocks) {
  double sum = 0;
  for (const double entropy : entropies(seen, blocks)) sum += entropy;
  return sum;
}

double progressivity(Observation& seen, const std::vector<NodeId>& blocks) {
  const auto entropy = entropies(seen, blocks);
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t l = 1; l < entropy.size(); ++l)
    least = std::min(least, entropy[l] - entropy[l - 1]);
  return least;
}

at::Tensor random_signs(const at::Tensor& like, thimble::Random& random) {
  const at::Tensor values = at::empty(like.sizes(), at::kFloat);
  random.fill_uniform({values.data_ptr<float>(), static_cast<std::size_t>(values.numel())}, -1, 1);
  return at::where(values < 0, -1.0, 1.0).to(like.scalar_type());
}

double largest_singular_value(const at::Tensor& matrix) {
  const auto wide = matrix.size(0) < matrix.size(1) ? matrix : matrix.t();
  return std::sqrt(at::linalg_eigvalsh(wide.mm(wide.t())).max().item<double>());
}

/// How well the output of one block passes gradients on to that of the block before.
double trainability(Observation& seen, NodeId before, NodeId block, thimble::Random& random) {
  const auto out = random_signs(seen.forward().output(block), random);
  auto in = thimble::propagate_backward(seen.network(), seen.forward(), block, out,
                                        {.parameters = false, .outputs = {before}})
                .outputs[static_cast<std::size_t>(before)];
  if (at::equal(in, out)) throw thimble::Error{"a block does nothing"};
  if (in.size(2) % out.size(2) != 0 || in.size(3) % out.size(3) != 0)
    throw thimble::Error{"a block's stride does not divide its input, so its pixels have no match"};
  const std::int64_t height = out.size(2), width = out.size(3);
  in = in.reshape({in.size(0), in.size(1), height, in.size(2) / height, width, in.size(3) / width})
           .permute({0, 1, 3, 5, 2, 4})
           .reshape({in.size(0), -1, height, width});
  const auto rows = rows_of(out);
  const auto product = rows_of(in).t().mm(rows) / static_cast<double>(rows.size(0));
  const double value = largest_singular_value(product.to(at::kDouble));
  return 2 - value - 1 / (value + 1e-6);
}

double trainability(Observation& seen, const std::vector<NodeId>& blocks) {
  thimble::Random random = seen.random("az_nas");
  double sum = 0;
  for (std::size_t l = 1; l < blocks.size(); ++l)
    sum += trainability(seen, blocks[l - 1], blocks[l], random);
  return sum / static_cast<double>(blocks.size() - 1);
}

struct Params {
  thimble::Pass pass;
  Score score = Score::expressivity;

  Params() {
    pass.init = thimble::Init::kaiming_normal_fan_in;
    pass.input = thimble::InputKind::normal;
  }

  template <class Describe>
  static void describe(Describe& param) {
    param.include(&Params::pass);
    param(&Params::score, "score", "which of the four");
  }
};

class AzNas final : public thimble::ProxyWith<Params> {
 public:
  using ProxyWith::ProxyWith;

  thimble::Direction direction() const override { return thimble::Direction::maximize; }
  thimble::Reads reads() const override { return {.outputs = params().score != Score::complexity}; }

  double score(Observation& seen) const override {
    if (params().score == Score::complexity)
      return static_cast<double>(thimble::macs(seen.graph()));
    auto blocks = thimble::block_outputs(seen.graph());
    std::erase_if(blocks, [&](NodeId id) {  // the classifier's output has no pixels
      const thimble::Op op = seen.graph().node(id).op;
      return op == thimble::Op::linear || op == thimble::Op::softmax;
    });
    if (blocks.size() < 2) throw thimble::Error{"the network has fewer than two blocks"};
    if (params().score == Score::expressivity) return expressivity(seen, blocks);
    if (params().score == Score::progressivity) return progressivity(seen, blocks);
    return trainability(seen, blocks);
  }
};

}  // namespace

THIMBLE_PLUGIN("az_nas", "1.0.0") { plugin.provides<AzNas>("one of the four scores of AZ-NAS"); }
