#include <thimble/nn/patterns.hpp>

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <thimble/core/clones.hpp>
#include <thimble/nn/propagation/evaluate.hpp>
#include <thimble/nn/propagation/tensor.hpp>

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

void add_bits(std::vector<PatternHash>& patterns, const at::Tensor& output) {
  const at::Tensor is_active = (output > 0).contiguous();
  const bool* bit = is_active.data_ptr<bool>();
  const std::int64_t per_sample = is_active.numel() / is_active.size(0);
  for (PatternHash& pattern : patterns)
    for (std::int64_t i = 0; i < per_sample; ++i) pattern.add(*bit++);
}

/// One sample's bits, 64 in a word; the last word is filled up with zeros.
using Words = std::vector<std::uint64_t>;

std::vector<Words> packed(const at::Tensor& output) {
  const at::Tensor is_active = (output > 0).contiguous(output.suggest_memory_format());
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(is_active.data_ptr<bool>());
  const auto per_sample = static_cast<std::size_t>(is_active.numel() / is_active.size(0));
  std::vector<Words> samples(static_cast<std::size_t>(is_active.size(0)));
  for (Words& words : samples) {
    words.assign((per_sample + 63) / 64, 0);
    std::size_t i = 0;
    for (; i + 8 <= per_sample; i += 8) {
      // Eight bytes of 0 or 1 become eight bits by one multiplication.
      std::uint64_t eight = 0;
      std::memcpy(&eight, bytes + i, 8);
      words[i / 64] |= (eight * 0x0102040810204080U >> 56) << (i % 64);
    }
    for (; i < per_sample; ++i) words[i / 64] |= std::uint64_t{bytes[i]} << (i % 64);
    bytes += per_sample;
  }
  return samples;
}

/// Processors count bits in one instruction, but the oldest do not: chosen when loaded.
THIMBLE_CLONES_FOR("popcnt", "default")
std::int64_t distance(const std::uint64_t* a, const std::uint64_t* b, std::size_t count) {
  std::int64_t bits = 0;
  for (std::size_t i = 0; i < count; ++i) bits += __builtin_popcountll(a[i] ^ b[i]);
  return bits;
}

}  // namespace

at::Tensor hamming_distances(const Network& network, const Forward& forward, std::int64_t& bits) {
  const auto relus = relu_nodes(network.graph());
  std::map<NodeId, std::int64_t> times;  // equal ReLUs are looked at once and count each
  for (const NodeId id : relus) ++times[network.twin(id)];
  bits = 0;
  const auto samples = forward.output(0).size(0);
  at::Tensor distances = at::zeros({samples, samples}, at::kLong);
  auto entry = distances.accessor<std::int64_t, 2>();
  for (const auto& [id, count] : times) {
    bits += count * network.graph().node(id).shape.elements();
    const auto patterns = packed(forward.output(id));
    for (std::int64_t i = 0; i < samples; ++i)
      for (std::int64_t j = 0; j < i; ++j) {
        const Words& a = patterns[static_cast<std::size_t>(i)];
        const Words& b = patterns[static_cast<std::size_t>(j)];
        entry[i][j] += count * distance(a.data(), b.data(), a.size());
      }
  }
  return distances + distances.t();
}

std::int64_t count_linear_regions(const Network& network, const std::vector<at::Tensor>& batches) {
  const at::NoGradGuard no_grad;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> keys;
  for (const at::Tensor& batch : batches) {
    std::vector<PatternHash> patterns(static_cast<std::size_t>(batch.size(0)));
    for_each_output(network, batch, [&](NodeId id, const at::Tensor& output) {
      const Node& node = network.graph().node(id);
      if (node.activation != Activation::none) add_bits(patterns, output);
    });
    for (PatternHash& pattern : patterns) keys.push_back(pattern.key());
  }
  std::ranges::sort(keys);
  const auto repeated = std::ranges::unique(keys);
  return static_cast<std::int64_t>(keys.size() - repeated.size());
}

}  // namespace thimble
