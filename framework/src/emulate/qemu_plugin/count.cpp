// SPDX-License-Identifier: GPL-2.0-or-later
//
// A plugin of QEMU that counts the instructions of a firmware's regions exactly. QEMU runs
// translated blocks, each from its start to its end: so a counter for each block is enough, and the
// marks that begin and end regions are calls, which end blocks. A mark stores to a slot of its own,
// and the address of the store says which mark it is. Code between skip and skip + skip_size (the
// mark itself, and what interrupts to keep the time) is counted nowhere.
//
//   -plugin count.so,skip=ADDRESS,skip_size=BYTES,slots=ADDRESS,slots_size=BYTES,out=FILE
//
// Writes a JSON line for each region when QEMU exits:
//   {"region":0,"entries":1,"instructions":1234,"classes":{"alu":800,...}}
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "qemu_api.hpp"
#include "thumb.hpp"

namespace thimble {
namespace {

using Address = std::uint64_t;
using Counts = std::array<std::uint64_t, kInstructionClasses>;

struct Range {
  Address begin = 0;
  Address size = 0;
  bool contains(Address address) const { return address - begin < size; }
};

struct Block {
  Counts classes{};            ///< of one execution
  std::uint64_t executed = 0;  ///< QEMU adds to this
  std::uint64_t seen = 0;      ///< of these, what regions have been told
};

struct Region {
  std::uint64_t entries = 0;
  bool is_open = false;
  Counts classes{};
};

/// A firmware has one core, so nothing here is shared between threads.
class Counter {
 public:
  Range skip;
  Range slots;
  std::string out;

  void translated(qemu_plugin_tb* block);
  void marked(Address address);
  void write() const;

 private:
  Block& block_at(const qemu_plugin_tb* block);
  void settle();

  std::map<std::pair<Address, std::size_t>, std::unique_ptr<Block>> blocks_;
  std::map<std::size_t, Region> regions_;
};

/// Never destroyed: QEMU asks for the result when the process ends, behind our destructors.
Counter& counter = *new Counter;

InstructionClass class_of_instruction(const qemu_plugin_insn* instruction) {
  std::uint16_t halves[2] = {0, 0};
  std::memcpy(halves, qemu_plugin_insn_data(instruction),
              std::min(qemu_plugin_insn_size(instruction), sizeof halves));
  return class_of(halves[0], halves[1]);
}

/// The same code may be translated again; it keeps its counter.
Block& Counter::block_at(const qemu_plugin_tb* block) {
  const std::size_t size = qemu_plugin_tb_n_insns(block);
  auto& known = blocks_[{qemu_plugin_tb_vaddr(block), size}];
  if (known != nullptr) return *known;
  known = std::make_unique<Block>();
  for (std::size_t i = 0; i < size; ++i)
    ++known->classes[static_cast<std::size_t>(
        class_of_instruction(qemu_plugin_tb_get_insn(block, i)))];
  return *known;
}

void Counter::translated(qemu_plugin_tb* block) {
  if (!skip.contains(qemu_plugin_tb_vaddr(block))) {
    qemu_plugin_register_vcpu_tb_exec_inline(block, QEMU_PLUGIN_INLINE_ADD_U64,
                                             &block_at(block).executed, 1);
    return;
  }
  const auto stored = [](unsigned, qemu_plugin_meminfo_t access, Address address, void*) {
    if (qemu_plugin_mem_is_store(access)) counter.marked(address);  // QEMU 7.2 tells of loads, too
  };
  for (std::size_t i = 0; i < qemu_plugin_tb_n_insns(block); ++i)
    qemu_plugin_register_vcpu_mem_cb(qemu_plugin_tb_get_insn(block, i), stored,
                                     QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_W, nullptr);
}

/// Adds what ran since the last mark to every open region.
void Counter::settle() {
  Counts since{};
  for (const auto& [place, block] : blocks_) {
    const std::uint64_t times = block->executed - block->seen;
    if (times == 0) continue;
    block->seen = block->executed;
    for (std::size_t i = 0; i < since.size(); ++i) since[i] += times * block->classes[i];
  }
  for (auto& [number, region] : regions_) {
    if (!region.is_open) continue;
    for (std::size_t i = 0; i < since.size(); ++i) region.classes[i] += since[i];
  }
}

void Counter::marked(Address address) {
  if (!slots.contains(address)) return;
  settle();
  const std::size_t slot = (address - slots.begin) / sizeof(std::uint32_t);
  Region& region = regions_[slot / 2];
  region.is_open = slot % 2 == 0;
  region.entries += region.is_open ? 1 : 0;
}

void Counter::write() const {
  std::ofstream file{out};
  for (const auto& [number, region] : regions_) {
    std::uint64_t sum = 0;
    std::string classes;
    for (std::size_t i = 0; i < region.classes.size(); ++i) {
      sum += region.classes[i];
      if (region.classes[i] == 0) continue;
      classes += (classes.empty() ? "\"" : ",\"") + std::string{kInstructionClassNames[i]} +
                 "\":" + std::to_string(region.classes[i]);
    }
    file << "{\"region\":" << number << ",\"entries\":" << region.entries
         << ",\"instructions\":" << sum << ",\"classes\":{" << classes << "}}\n";
  }
}

/// Takes "name=value"; false when it is none of ours.
bool take(const std::string& argument) {
  const auto equals = argument.find('=');
  if (equals == std::string::npos) return false;
  const std::string name = argument.substr(0, equals), value = argument.substr(equals + 1);
  if (name == "out") {
    counter.out = value;
    return true;
  }
  const std::map<std::string, Address*> numbers{{"skip", &counter.skip.begin},
                                                {"skip_size", &counter.skip.size},
                                                {"slots", &counter.slots.begin},
                                                {"slots_size", &counter.slots.size}};
  const auto found = numbers.find(name);
  if (found == numbers.end()) return false;
  char* end = nullptr;
  *found->second = std::strtoull(value.c_str(), &end, 0);
  return !value.empty() && *end == '\0';
}

}  // namespace
}  // namespace thimble

extern "C" {

__attribute__((visibility("default"))) int qemu_plugin_version = 1;

__attribute__((visibility("default"))) int qemu_plugin_install(qemu_plugin_id_t id,
                                                               const qemu_info_t*, int count,
                                                               char** arguments) {
  using thimble::counter;
  for (int i = 0; i < count; ++i) {
    if (thimble::take(arguments[i])) continue;
    std::fputs("thimble's counting plugin: unknown argument\n", stderr);
    return -1;
  }
  if (counter.skip.size == 0 || counter.slots.size == 0 || counter.out.empty()) {
    std::fputs("thimble's counting plugin needs skip, skip_size, slots, slots_size and out\n",
               stderr);
    return -1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(
      id, [](qemu_plugin_id_t, qemu_plugin_tb* block) { counter.translated(block); });
  qemu_plugin_register_atexit_cb(
      id, [](qemu_plugin_id_t, void*) { counter.write(); }, nullptr);
  return 0;
}
}
