// The table plugin against sums by hand.

#include <array>
#include <cmath>
#include <set>
#include <string>

#include <conformance/networks.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/memory_plan.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBoard = R"(id: mine
name: My Board
core: m4
clock_mhz: 100
ram_bytes: 65536
rom_bytes: 262144
active_power_mw: { value: 50, relative_error: 0.3, origin: measured, source: test }
counted:
  cpi:
    default: { value: 1.5, relative_error: 0.1, n: 3, origin: measured, source: test }
    add: { value: 2, relative_error: 0.2, n: 3, origin: measured, source: test }
  inference_cycles: 1000
  fixed_ram_bytes: 100
  fixed_rom_bytes: 200
  source: test
)";

class Table : public ::testing::Test {
 protected:
  Table() { write_file(folder_.path() / "mine.yaml", kBoard); }

  std::string path(const std::string& name) const { return (folder_.path() / name).string(); }

  std::unique_ptr<Hardware> make(const std::string& tables, const std::string& more = "") {
    return testing::make<Hardware>(loader_, "table",
                                   "{board: " + path("mine.yaml") + ", tables: [" + tables + "]" +
                                       (more.empty() ? "" : ", " + more) + "}");
  }

  /// A table of a network's operators; the i-th distinct one executes 1000 (i + 1) instructions and
  /// has 10 (i + 1) bytes of constants.
  void write_table(const std::string& name, const Int8Network& network) {
    LatencyTable table;
    for (const Int8Layer& layer : network.layers) {
      OpRow row;
      row.op = op_shape(network, layer);
      row.target = "m4";
      row.kernels = "k";
      row.flags = "-O2";
      row.instructions = 1000.0 * static_cast<double>(table.size() + 1);
      row.origin = Origin::counted;
      row.constant_bytes = 10 * static_cast<std::int64_t>(table.size() + 1);
      row.code_bytes = {{name_of(layer.kernel), 300}, {"requantise", 70}};
      table.add(row);
    }
    write_latency_table(path(name), table);
  }

  testing::TemporaryFolder folder_;
  PluginLoader loader_ = testing::plugins();
};

TEST_F(Table, AddsUpOperators) {
  const Graph graph = conformance::residual_network();
  const Int8Network network = skeleton(deployed(graph));
  write_table("t.csv", network);
  const LatencyTable table = read_latency_table(path("t.csv"));

  double cycles = 0;
  double error = 0;
  std::int64_t rom = 200 + 70;
  std::set<Kernel> kernels;
  for (const Int8Layer& layer : network.layers) {
    for (const OpRow* const row : table.rows()) {
      if (row->op != op_shape(network, layer)) continue;
      const bool is_add = layer.kernel == Kernel::add;
      cycles += *row->instructions * (is_add ? 2 : 1.5);
      error += *row->instructions * (is_add ? 2 * 0.2 : 1.5 * 0.1);
      rom += *row->constant_bytes;
    }
    if (kernels.insert(layer.kernel).second) rom += 300;
  }

  const Cost cost = make(path("t.csv"), "on_miss: refuse")->cost(graph);
  EXPECT_EQ(cost.unsupported, "");
  const double ms = (cycles + 1000) / 100e3;
  EXPECT_NEAR(cost.latency_ms.value, ms, 1e-12);
  EXPECT_NEAR(cost.latency_ms.relative_error, error / (cycles + 1000), 1e-12);
  EXPECT_EQ(cost.latency_ms.origin, Origin::counted);
  EXPECT_NEAR(cost.energy_mj.value, 50 * ms / 1000, 1e-12);
  EXPECT_NEAR(cost.energy_mj.relative_error, std::hypot(error / (cycles + 1000), 0.3), 1e-12);
  EXPECT_EQ(cost.rom_bytes.value, static_cast<double>(rom));
  EXPECT_EQ(cost.ram_bytes.value,
            static_cast<double>(plan_memory(network, scratch_bytes).arena_bytes + 100));
}

TEST_F(Table, RefusesWhatItDoesNotKnow) {
  write_table("t.csv", skeleton(deployed(conformance::plain_network(1))));
  const auto refusing = make(path("t.csv"), "on_miss: refuse");
  EXPECT_EQ(refusing->cost(conformance::plain_network(1)).unsupported, "");
  EXPECT_THAT(refusing->cost(conformance::plain_network(2)).unsupported, HasSubstr("no table has"));
  const auto fitting = make(path("t.csv"), "on_miss: fit");
  EXPECT_THAT(fitting->cost(conformance::plain_network(2)).unsupported,
              HasSubstr("too few to fit"));
}

TEST_F(Table, RefusesBrokenTablesByTheirPlace) {
  write_file(path("broken.csv"), "# thimble latency table 1\nop\n");
  try {
    make(path("broken.csv"));
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("broken.csv:2:1: error: no column 'target'"));
  }
  EXPECT_THROW(make(path("none.csv")), InputError);
}

}  // namespace
}  // namespace thimble
