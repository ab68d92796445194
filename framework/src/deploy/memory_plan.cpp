#include <thimble/deploy/memory_plan.hpp>

#include <algorithm>
#include <array>
#include <numeric>

#include <thimble/core/index.hpp>

namespace thimble {
namespace {

/// Bytes that must not be touched from one layer to another. Tensors that lie in one place are one
/// block.
struct Block {
  std::int64_t bytes = 0;
  int first = 0;  ///< layers, both included
  int last = 0;
};

bool meet(const Block& a, const Block& b) { return a.first <= b.last && b.first <= a.last; }

/// Which tensors and scratch buffers there are, and when they are alive.
class Blocks {
 public:
  Blocks(const Int8Network& network, const ScratchBytes& scratch, std::int64_t alignment)
      : network_{network},
        alignment_{alignment},
        block_of_tensor_(network.tensors.size(), -1),
        block_of_scratch_(network.layers.size(), -1),
        last_reader_(network.tensors.size(), 0) {
    const int layers = static_cast<int>(network.layers.size());
    for (int i = 0; i < layers; ++i)
      for (const int input : network.layers[at(i)].inputs) last_reader_[at(input)] = i;
    last_reader_[at(network.output)] = layers;
    for (const int input : unmade()) add_tensor(input, 0);
    for (int i = 0; i < layers; ++i) {
      const Int8Layer& layer = network.layers[at(i)];
      const int overwritten = dying_input(layer, i);
      if (overwritten < 0) {
        add_tensor(layer.output, i);
      } else {
        block_of_tensor_[at(layer.output)] = block_of_tensor_[at(overwritten)];
        extend(layer.output);
      }
      const std::int64_t bytes = scratch(network, layer);
      if (bytes > 0) block_of_scratch_[at(i)] = add({rounded(bytes), i, i});
    }
  }

  const std::vector<Block>& all() const { return blocks_; }
  const std::vector<int>& of_tensors() const { return block_of_tensor_; }
  const std::vector<int>& of_scratch() const { return block_of_scratch_; }

  std::int64_t most_alive() const {
    std::vector<std::int64_t> change(network_.layers.size() + 2);  // from one layer to the next
    for (const Block& block : blocks_) {
      change[at(block.first)] += block.bytes;
      change[at(block.last + 1)] -= block.bytes;
    }
    std::partial_sum(change.begin(), change.end(), change.begin());
    return *std::max_element(change.begin(), change.end());
  }

 private:
  std::int64_t rounded(std::int64_t bytes) const {
    return (bytes + alignment_ - 1) / alignment_ * alignment_;
  }

  int add(const Block& block) {
    blocks_.push_back(block);
    return static_cast<int>(blocks_.size()) - 1;
  }

  void add_tensor(int tensor, int layer) {
    const std::int64_t bytes = rounded(network_.tensor(tensor).shape.elements());
    block_of_tensor_[at(tensor)] = add({bytes, layer, layer});
    extend(tensor);
  }

  /// The tensors that no layer makes: inputs.
  std::vector<int> unmade() const {
    std::vector<bool> is_made(network_.tensors.size());
    for (const Int8Layer& layer : network_.layers) is_made[at(layer.output)] = true;
    std::vector<int> found;
    for (int i = 0; i < static_cast<int>(is_made.size()); ++i)
      if (!is_made[at(i)]) found.push_back(i);
    return found;
  }

  void extend(int tensor) {
    Block& block = blocks_[at(block_of_tensor_[at(tensor)])];
    block.last = std::max(block.last, last_reader_[at(tensor)]);
  }

  /// An input that an element-wise layer may write over, or -1.
  int dying_input(const Int8Layer& layer, int index) const {
    if (layer.kernel != Kernel::add && layer.kernel != Kernel::relu) return -1;
    for (const int input : layer.inputs)
      if (blocks_[at(block_of_tensor_[at(input)])].last == index) return input;
    return -1;
  }

  const Int8Network& network_;
  std::int64_t alignment_;
  std::vector<Block> blocks_;
  std::vector<int> block_of_tensor_;
  std::vector<int> block_of_scratch_;
  std::vector<int> last_reader_;
};

struct Placement {
  std::vector<std::int64_t> offsets;
  std::int64_t bytes = 0;
};

/// Each block in turn goes into the tightest gap between those placed that are alive with it.
Placement place(const std::vector<Block>& blocks, const std::vector<int>& order) {
  Placement made{std::vector<std::int64_t>(blocks.size(), -1), 0};
  std::vector<int> placed;  // by offset
  for (const int index : order) {
    const Block& block = blocks[at(index)];
    std::int64_t end = 0;  // of everything met so far
    std::int64_t best = -1;
    std::int64_t best_gap = 0;
    for (const int other : placed) {
      if (!meet(block, blocks[at(other)])) continue;
      const std::int64_t gap = made.offsets[at(other)] - end;
      if (gap >= block.bytes && (best < 0 || gap < best_gap)) {
        best = end;
        best_gap = gap;
      }
      end = std::max(end, made.offsets[at(other)] + blocks[at(other)].bytes);
    }
    const std::int64_t offset = best < 0 ? end : best;
    made.offsets[at(index)] = offset;
    made.bytes = std::max(made.bytes, offset + block.bytes);
    const auto behind = std::upper_bound(
        placed.begin(), placed.end(), offset,
        [&](std::int64_t value, int other) { return value < made.offsets[at(other)]; });
    placed.insert(behind, index);
  }
  return made;
}

using Key = std::int64_t (*)(const Block&);

std::int64_t life_of(const Block& block) { return block.last - block.first + 1; }

/// Largest key first.
constexpr std::array<std::pair<const char*, Key>, 4> kOrders{{
    {"size", [](const Block& block) { return block.bytes; }},
    {"start", [](const Block& block) { return -std::int64_t{block.first}; }},
    {"size x life", [](const Block& block) { return block.bytes * life_of(block); }},
    {"life", life_of},
}};

std::vector<int> sorted_by(const std::vector<Block>& blocks, Key key) {
  std::vector<int> order(blocks.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](int a, int b) { return key(blocks[at(a)]) > key(blocks[at(b)]); });
  return order;
}

/// Lets the block that sticks out highest choose its place first, again and again.
Placement improved(const std::vector<Block>& blocks, std::vector<int> order, Placement best,
                   std::int64_t bound) {
  constexpr int kTries = 200;
  Placement made = best;
  for (int i = 0; i < kTries && best.bytes > bound; ++i) {
    const auto highest = std::max_element(order.begin(), order.end(), [&](int a, int b) {
      return made.offsets[at(a)] + blocks[at(a)].bytes < made.offsets[at(b)] + blocks[at(b)].bytes;
    });
    std::rotate(order.begin(), highest, highest + 1);
    made = place(blocks, order);
    if (made.bytes < best.bytes) best = made;
  }
  return best;
}

}  // namespace

MemoryPlan plan_memory(const Int8Network& network, const ScratchBytes& scratch,
                       std::int64_t alignment) {
  const Blocks blocks{network, scratch, alignment};
  const auto& all = blocks.all();
  MemoryPlan plan;
  plan.lower_bound_bytes = blocks.most_alive();
  Placement best;
  for (const auto& [name, key] : kOrders) {
    const auto order = sorted_by(all, key);
    const Placement made = improved(all, order, place(all, order), plan.lower_bound_bytes);
    if (!best.offsets.empty() && made.bytes >= best.bytes) continue;
    best = made;
    plan.order = name;
    if (best.bytes == plan.lower_bound_bytes) break;
  }
  plan.arena_bytes = best.bytes;
  const auto offset_of = [&](int block) { return block < 0 ? -1 : best.offsets[at(block)]; };
  for (const int block : blocks.of_tensors()) plan.tensor_offsets.push_back(offset_of(block));
  for (const int block : blocks.of_scratch()) plan.scratch_offsets.push_back(offset_of(block));
  return plan;
}

}  // namespace thimble
