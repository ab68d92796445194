#include <thimble/hardware/extra_code.hpp>

#include <gtest/gtest.h>

namespace thimble::extra_code_test {
namespace {

/// A board on which every operator takes a kilobyte.
class Steady final : public Hardware {
 public:
  const Target& target() const override { return target_; }
  OpCost op_cost(const Graph&, const Node&) const override {
    OpCost cost;
    cost.latency_ms = 2;
    cost.rom_bytes = 1000;
    return cost;
  }
  std::uint64_t fingerprint() const override { return 7; }

 private:
  Target target_{.name = "steady", .fixed_ram_bytes = 100, .fixed_rom_bytes = 200};
};

TEST(ExtraCode, IsAddedToMemoryAlone) {
  Graph graph;
  graph.conv(graph.input({3, 8, 8}), {.out = 4});
  const auto plain = std::make_shared<const Steady>();
  const auto more =
      with_extra_code(plain, {.ram_bytes = 50, .rom_bytes = 600, .relative_error = 0.1});
  const Cost before = plain->cost(graph), behind = more->cost(graph);
  EXPECT_EQ(behind.ram_bytes.value, before.ram_bytes.value + 50);
  EXPECT_EQ(behind.rom_bytes.value, before.rom_bytes.value + 600);
  EXPECT_DOUBLE_EQ(behind.rom_bytes.relative_error * behind.rom_bytes.value, 60);
  EXPECT_EQ(behind.latency_ms.value, before.latency_ms.value);
  EXPECT_EQ(more->target().fixed_ram_bytes, 150);
  EXPECT_EQ(more->target().fixed_rom_bytes, 800);
  EXPECT_EQ(more->target().name, "steady");
  EXPECT_EQ(more->fingerprint(), 7);
}

}  // namespace
}  // namespace thimble::extra_code_test
