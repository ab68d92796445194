#include <thimble/nn/patterns.hpp>

#include <algorithm>
#include <utility>

#include <ATen/ATen.h>

#include "evaluate.hpp"

namespace thimble {
namespace {

/// Hashes a string of bits, 64 at a time, with two independent multiply-and-fold chains.
class PatternHash {
 public:
  void add(bool bit) {
    word_ |= std::uint64_t{bit} << (length_ % 64);
    if (++length_ % 64 == 0) fold();
  }
  std::pair<std::uint64_t, std::uint64_t> key() {
    if (length_ % 64 != 0) fold();
    return {low_, high_};
  }

 private:
  static std::uint64_t mixed(std::uint64_t x) {  // SplitMix64's finaliser: every bit reaches all
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }
  void fold() {
    low_ = mixed(low_ ^ word_) + 0x9e3779b97f4a7c15U;
    high_ = mixed(high_ * 0xff51afd7ed558ccdU + word_ + 0xc4ceb9fe1a85ec53U);
    word_ = 0;
  }

  std::uint64_t word_ = 0;
  std::uint64_t low_ = 0;
  std::uint64_t high_ = 0;
  std::uint64_t length_ = 0;
};

void add_bits(std::vector<PatternHash>& patterns, const torch::Tensor& output) {
  const torch::Tensor is_active = (output > 0).contiguous();
  const bool* bit = is_active.data_ptr<bool>();
  const std::int64_t per_sample = is_active.numel() / is_active.size(0);
  for (PatternHash& pattern : patterns)
    for (std::int64_t i = 0; i < per_sample; ++i) pattern.add(*bit++);
}

}  // namespace

std::int64_t count_linear_regions(const Network& network,
                                  const std::vector<torch::Tensor>& batches) {
  const at::NoGradGuard no_grad;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> keys;
  for (const torch::Tensor& batch : batches) {
    std::vector<PatternHash> patterns(static_cast<std::size_t>(batch.size(0)));
    for_each_output(network, batch, [&](NodeId id, const torch::Tensor& output) {
      const Node& node = network.graph().node(id);
      if (node.op == Op::relu || node.has_relu) add_bits(patterns, output);
    });
    for (PatternHash& pattern : patterns) keys.push_back(pattern.key());
  }
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  return static_cast<std::int64_t>(keys.size() - repeated.size());
}

}  // namespace thimble
