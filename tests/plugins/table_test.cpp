// The table plugin against sums by hand.

#include <array>
#include <cmath>
#include <optional>
#include <set>
#include <string>

#include <conformance/networks.hpp>
#include <support/world.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/installation.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/memory_plan.hpp>
#include <thimble/emulate/profile.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble::table_test {
namespace {

using ::testing::HasSubstr;

constexpr const char* kBoard = R"(id: mine
name: My Board
core: m4
clock_mhz: 100
ram_bytes: 65536
rom_bytes: 262144
active_power_mw: { value: 50, relative_error: 0.3, board: mine, origin: measured, source: test }
counted:
  cpi:
    default: { value: 1.5, relative_error: 0.1, n: 3, board: mine, kernels: k, origin: fitted, source: test }
    add: { value: 2, relative_error: 0.2, n: 3, board: mine, kernels: k, origin: fitted, source: test }
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
      rom += *row->constant_bytes + 16;  // of its call
    }
    if (kernels.insert(layer.kernel).second) rom += 300;
  }

  const Cost cost = make(path("t.csv"), "on_miss: refuse")->cost(graph);
  EXPECT_EQ(cost.unsupported, "");
  const double ms = (cycles + 1000) / 100e3;
  EXPECT_NEAR(cost.latency_ms.value, ms, 1e-12);
  EXPECT_NEAR(cost.latency_ms.relative_error, error / (cycles + 1000), 1e-12);
  EXPECT_EQ(cost.latency_ms.origin, Origin::fitted);
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

TEST_F(Table, RefusesTablesOfOtherKernelsThanItCounts) {
  write_table("t.csv", skeleton(deployed(conformance::plain_network(1))));
  try {
    make(path("t.csv"), "on_miss: profile");
    FAIL();
  } catch (const InputError& error) {
    EXPECT_THAT(error.what(), HasSubstr("no row of the tables is for mine or m4 with the kernels"));
  }
  EXPECT_NO_THROW(make(path("t.csv"), "on_miss: profile, kernels: k"));
}

TEST_F(Table, TakesOfEqualRowsThoseOfTheTableNamedFirst) {
  const Graph graph = conformance::plain_network(1);
  write_table("a.csv", skeleton(deployed(graph)));
  LatencyTable slower;
  const LatencyTable rows = read_latency_table(path("a.csv"));
  for (const OpRow* const row : rows.rows()) {
    OpRow other = *row;
    *other.instructions *= 10;
    slower.add(other);
  }
  write_latency_table(path("b.csv"), slower);
  const auto latency = [&](const std::string& tables) {
    return make(tables, "on_miss: refuse")->cost(graph).latency_ms.value;
  };
  const double fast = latency(path("a.csv"));
  const double slow = latency(path("b.csv"));
  EXPECT_GT(slow, fast);
  EXPECT_EQ(latency(path("a.csv") + ", " + path("b.csv")), fast);
  EXPECT_EQ(latency(path("b.csv") + ", " + path("a.csv")), slow);
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

/// The tables that come with thimble; counts can be made again where there is an emulator.
class ShippedTable : public ::testing::TestWithParam<const char*> {
 protected:
  const Core core_ = core_of(GetParam()).value();
  const LatencyTable table_ = read_latency_table(installed_prefix() / "share" / "thimble" /
                                                 "tables" / (std::string{GetParam()} + ".csv"));
};

TEST_P(ShippedTable, IsOfTheKernelsThatAreGenerated) {
  EXPECT_GT(table_.size(), 400U);
  for (const OpRow* const row : table_.rows()) {
    ASSERT_EQ(row->kernels, own_kernels()) << "run scripts/update-tables";
    ASSERT_EQ(row->target, GetParam());
  }
}

TEST_P(ShippedTable, HasConstantsAndKernelsThatFollowFromTheOperator) {
  for (const OpRow* const row : table_.rows()) {
    const auto [bytes, kernels] = op_parts(row->op);
    EXPECT_EQ(bytes, row->constant_bytes) << to_string(row->op);
    std::set<std::string> listed;
    for (const auto& [kernel, size] : row->code_bytes) listed.insert(kernel);
    EXPECT_EQ(std::set(kernels.begin(), kernels.end()), listed) << to_string(row->op);
  }
}

TEST_P(ShippedTable, IsCountedAgainTheSame) {
  std::optional<Profiler> profiler;
  try {
    profiler.emplace(core_);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  std::vector<OpShape> ops;
  const auto rows = table_.rows();
  for (std::size_t i = 0; i < rows.size(); i += 25) ops.push_back(rows[i]->op);
  for (const OpRow& again : counted_rows(*profiler, ops).rows) {
    OpRow like = again;
    like.compiler = rows.front()->compiler;
    const OpRow* const shipped = table_.find(like);
    ASSERT_NE(shipped, nullptr) << to_string(again.op);
    const double ticks = again.classes.empty() ? 3 : 0;  // SysTick's, where QEMU has no plugin
    const double slack =
        again.compiler == shipped->compiler ? ticks : 0.03 * *shipped->instructions;
    EXPECT_NEAR(*again.instructions, *shipped->instructions, slack) << to_string(again.op);
    EXPECT_EQ(again.constant_bytes, shipped->constant_bytes) << to_string(again.op);
  }
}

/// Operators added up against the whole program, run and read off its ELF.
TEST_P(ShippedTable, AddsUpToTheProgram) {
  std::optional<Profiler> profiler;
  try {
    profiler.emplace(core_);
  } catch (const Error& error) {
    GTEST_SKIP() << error.what();
  }
  const testing::TemporaryFolder folder;
  std::string board = kBoard;
  board.replace(board.find("core: m4"), 8, std::string{"core: "} + GetParam());
  write_file(folder.path() / "mine.yaml", board);
  PluginLoader loader = testing::plugins();
  const auto hardware = testing::make<Hardware>(
      loader, "table", "{board: " + (folder.path() / "mine.yaml").string() + "}");
  const Graph graph = conformance::residual_network();
  const Cost cost = hardware->cost(graph);
  ASSERT_EQ(cost.unsupported, "");

  const Int8Network network = lower(drawn_network(graph, 1));
  const Execution run = profiler->execute(
      network,
      std::vector<std::int8_t>(static_cast<std::size_t>(network.tensor(0).shape.elements())));
  double cycles = 1000;
  for (std::size_t i = 0; i < network.layers.size(); ++i)
    cycles += static_cast<double>(run.layer_instructions[i]) *
              (network.layers[i].kernel == Kernel::add ? 2 : 1.5);
  EXPECT_NEAR(cost.latency_ms.value, cycles / 100e3, 0.005 * cycles / 100e3);

  const ProgramSize size = profiler->size(network);
  const double fixed_ram = 100;
  EXPECT_EQ(cost.ram_bytes.value, static_cast<double>(size.arena_bytes) + fixed_ram);
}

/// Those that stand beside experiments are not counted anew by scripts/update-tables: their READMEs
/// have the commands.
TEST(TablesOfExperiments, AreOfTheKernelsThatAreGenerated) {
  int tables = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator{
           std::filesystem::path{THIMBLE_TEST_SOURCE} / "experiments"}) {
    if (file.path().extension() != ".csv" || file.path().parent_path().filename() != "tables")
      continue;
    ++tables;
    // m33_many.csv is of the core m33.
    const std::string stem = file.path().stem().string();
    const std::string core = stem.substr(0, stem.find('_'));
    const LatencyTable table = read_latency_table(file.path());
    EXPECT_GT(table.size(), 400U) << file.path();
    for (const OpRow* const row : table.rows()) {
      ASSERT_EQ(row->kernels, own_kernels()) << file.path() << ": profile it again";
      ASSERT_EQ(row->target, core) << file.path();
    }
  }
  EXPECT_GE(tables, 5);
}

INSTANTIATE_TEST_SUITE_P(Cores, ShippedTable, ::testing::Values("m3", "m4", "m7", "m33", "m55"),
                         [](const auto& core) { return std::string{core.param}; });

}  // namespace
}  // namespace thimble::table_test
