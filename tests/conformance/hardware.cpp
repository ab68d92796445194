// Laws of hardware.

#include <algorithm>
#include <atomic>
#include <cmath>

#include <thimble/graph/counts.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware/hardware.hpp>

#include "networks.hpp"
#include "subject.hpp"

namespace thimble::conformance {
namespace {

/// The networks that the target can run; one layer more than the one before, the first three.
class HardwareLaws : public testing::Test {
 protected:
  void SetUp() override {
    try {
      hardware_ = make<Hardware>();
    } catch (const InputError&) {
      throw;
    } catch (const Error& missing) {  // a compiler, an emulator: nothing that the plugin can mend
      GTEST_SKIP() << missing.what();
    }
    for (const auto& [name, graph] : single_networks())
      if (hardware_->cost(graph).unsupported.empty()) networks_.emplace_back(name, graph);
  }

  std::unique_ptr<Hardware> hardware_;
  std::vector<NamedGraph> networks_;
};

std::vector<double> numbers(const Cost& cost) {
  std::vector<double> all;
  for (const Figure* const figure :
       {&cost.latency_ms, &cost.energy_mj, &cost.ram_bytes, &cost.rom_bytes}) {
    // What is unknown is not equal to itself, but stays unknown.
    all.push_back(std::isnan(figure->value) ? -1 : figure->value);
    all.push_back(std::isnan(figure->relative_error) ? -1 : figure->relative_error);
  }
  return all;
}

bool is_sound(const Figure& figure) {
  return std::isfinite(figure.value) && figure.value > 0 && figure.relative_error >= 0 &&
         std::isfinite(figure.relative_error);
}

TEST_F(HardwareLaws, DescribesItsTarget) {
  const Target& target = hardware_->target();
  EXPECT_FALSE(target.name.empty());
  EXPECT_GT(target.ram_bytes, 0);
  EXPECT_GT(target.rom_bytes, 0);
  EXPECT_GE(target.fixed_ram_bytes, 0);
  EXPECT_GE(target.fixed_rom_bytes, 0);
  EXPECT_GE(target.inference_latency_ms, 0);
  EXPECT_GE(target.active_power_mw, 0);
  EXPECT_GE(target.power_relative_error, 0);
}

TEST_F(HardwareLaws, RunsAPlainConvolutionalNetwork) {
  EXPECT_EQ(hardware_->cost(plain_network(1)).unsupported, "");
}

TEST_F(HardwareLaws, GivesSoundCosts) {
  for (const auto& [name, graph] : networks_) {
    SCOPED_TRACE(name);
    const Cost cost = hardware_->cost(graph);
    EXPECT_TRUE(is_sound(cost.latency_ms)) << cost.latency_ms.value;
    EXPECT_TRUE(is_sound(cost.ram_bytes)) << cost.ram_bytes.value;
    EXPECT_TRUE(is_sound(cost.rom_bytes)) << cost.rom_bytes.value;
    if (hardware_->target().active_power_mw > 0) {
      EXPECT_TRUE(is_sound(cost.energy_mj)) << cost.energy_mj.value;
    } else {
      EXPECT_TRUE(std::isnan(cost.energy_mj.value)) << "the power is unknown, so is the energy";
    }
  }
}

TEST_F(HardwareLaws, NeedsRoomForEveryTensorAndEveryWeight) {
  for (const auto& [name, graph] : networks_) {
    const Graph runs = deployed(graph);
    std::int64_t largest = 0;
    std::int64_t weights = 0;
    for (const Node& node : runs.nodes()) {
      std::int64_t bytes = node.shape.elements();
      for (const NodeId input : runs.inputs(node)) bytes += runs.node(input).shape.elements();
      if (node.op == Op::conv) largest = std::max(largest, bytes);  // never in place
      weights += params(runs, node);
    }
    const Cost cost = hardware_->cost(graph);
    EXPECT_GE(cost.ram_bytes.value, static_cast<double>(largest)) << name;
    EXPECT_GE(cost.rom_bytes.value, static_cast<double>(weights)) << name;
  }
}

TEST_F(HardwareLaws, GivesTheSameCostAgain) {
  const auto other = make<Hardware>();
  for (const auto& [name, graph] : networks_) {
    const auto once = numbers(hardware_->cost(graph));
    EXPECT_EQ(numbers(hardware_->cost(graph)), once) << name;
    EXPECT_EQ(numbers(other->cost(graph)), once) << name;
  }
}

TEST_F(HardwareLaws, HasTheSameFingerprintAgain) {
  const std::uint64_t before = hardware_->fingerprint();
  hardware_->cost(plain_network(1));
  EXPECT_EQ(hardware_->fingerprint(), before);
  EXPECT_EQ(make<Hardware>()->fingerprint(), before);
}

TEST_F(HardwareLaws, OneMoreLayerNeverCostsLess) {
  Cost before = hardware_->cost(plain_network(1));
  for (int depth = 2; depth <= 5; ++depth) {
    const Cost after = hardware_->cost(plain_network(depth));
    EXPECT_GE(after.latency_ms.value, before.latency_ms.value) << depth << " convolutions";
    EXPECT_GE(after.rom_bytes.value, before.rom_bytes.value) << depth << " convolutions";
    before = after;
  }
}

/// A whole network may be known better than its parts, but within what is said of its error.
TEST_F(HardwareLaws, OperatorsAddUpToTheNetwork) {
  const Target& target = hardware_->target();
  for (const auto& [name, graph] : networks_) {
    SCOPED_TRACE(name);
    const Graph runs = deployed(graph);
    double latency_ms = target.inference_latency_ms;
    double rom_bytes = static_cast<double>(target.fixed_rom_bytes);
    for (const Node& node : runs.nodes()) {
      const OpCost op = hardware_->op_cost(runs, node);
      EXPECT_TRUE(op.unsupported.empty()) << op.unsupported;
      EXPECT_GE(op.latency_ms, 0);
      EXPECT_GE(op.relative_error, 0);
      EXPECT_GE(op.rom_bytes, 0);
      EXPECT_GE(op.scratch_bytes, 0);
      latency_ms += op.latency_ms;
      rom_bytes += static_cast<double>(op.rom_bytes);
    }
    const Cost cost = hardware_->cost(graph);
    const auto slack = [](const Figure& figure) {
      return figure.value * std::max(figure.relative_error, 1e-9);
    };
    EXPECT_NEAR(latency_ms, cost.latency_ms.value, slack(cost.latency_ms));
    EXPECT_NEAR(rom_bytes, cost.rom_bytes.value, slack(cost.rom_bytes));
  }
}

TEST_F(HardwareLaws, ServesTwoThreadsAtOnce) {
  std::vector<std::vector<double>> alone;
  for (const auto& [name, graph] : networks_) alone.push_back(numbers(hardware_->cost(graph)));
  std::atomic<bool> is_same = true;
  on_two_threads([&](std::size_t thread) {
    for (std::size_t k = 0; k < 100 * networks_.size(); ++k) {
      const std::size_t i = (k + thread) % networks_.size();
      if (numbers(hardware_->cost(networks_[i].second)) != alone[i]) is_same = false;
    }
  });
  EXPECT_TRUE(is_same);
}

}  // namespace
}  // namespace thimble::conformance
