// A network's costs by running it: its generated C is compiled for the board's core and executed in
// an emulator, which counts instructions exactly. Cycles are those times what an instruction takes
// on the board (CPI, by kind of operator); RAM and ROM are read off the program, with the deepest
// stack that was seen. About a second a network: what the table back end adds up from single
// operators is compared with this.
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include <thimble/deploy/generate_c.hpp>
#include <thimble/deploy/lower.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/figure_sum.hpp>
#include <thimble/hardware/table_hardware.hpp>

namespace {

using thimble::Cost;
using thimble::Figure;
using thimble::Graph;
using thimble::Int8Network;
using thimble::Origin;
using thimble::Profiler;

// Single operators are those of a table that is empty at first.
thimble::OpCostsOptions counted_by(const Profiler& profiler) {
  thimble::OpCostsOptions options{.on_miss = thimble::OnMiss::profile,
                                  .kernels = thimble::own_kernels()};
  options.count = [profiler](std::span<const thimble::OpShape> ops) {
    return thimble::counted_rows(profiler, ops);
  };
  return options;
}

class Qemu final : public thimble::TableHardware {
 public:
  struct Params {
    std::string board = "nucleo_f446re";

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::board, "board", "name of a board, or path to a board file ending in .yaml");
    }
  };

  Qemu(const Params& params, const thimble::Context& context)
      : Qemu{thimble::read_board(thimble::board_file(params.board, context.share_folder))} {}

  Cost cost(const Graph& network) const override {
    const Int8Network skeleton = thimble::skeleton(thimble::deployed(network));
    const std::string key = key_of(skeleton);
    {
      const std::scoped_lock lock{mutex_};
      if (const auto known = known_.find(key); known != known_.end()) return known->second;
    }
    const Cost cost = executed(network, skeleton);
    const std::scoped_lock lock{mutex_};
    return known_.try_emplace(key, cost).first->second;
  }

 private:
  explicit Qemu(const thimble::Board& board)
      : Qemu{board, Profiler{*thimble::core_of(board.core)}} {}
  Qemu(const thimble::Board& board, const Profiler& profiler)
      : TableHardware{board, {}, counted_by(profiler), thimble::scratch_bytes},
        board_{board},
        profiler_{profiler} {}

  // All that a network's costs depend on.
  static std::string key_of(const Int8Network& network) {
    std::string key;
    for (const thimble::Int8Layer& layer : network.layers) {
      key += to_string(thimble::op_shape(network, layer));
      for (const int input : layer.inputs) key += ' ' + std::to_string(input);
      key += '\n';
    }
    return key;
  }

  // A time-out or a full disk says nothing of the network: it ends the run.
  Cost executed(const Graph& graph, const Int8Network& skeleton) const {
    Cost cost;
    try {
      profiler_.require_room(skeleton);
      const Int8Network network = thimble::lower(thimble::drawn_network(graph, 1));
      const std::vector<std::int8_t> input(
          static_cast<std::size_t>(network.tensor(0).shape.elements()));
      const thimble::Execution run = profiler_.execute(network, input);
      cost.latency_ms = latency_of(network, run);
      const thimble::ProgramSize size = profiler_.size(network);
      cost.ram_bytes = {static_cast<double>(size.ram_bytes + run.stack_bytes), 0, Origin::counted};
      // What the linker adds depends on what else is linked.
      constexpr double kRomError = 0.01;
      cost.rom_bytes = {static_cast<double>(size.rom_bytes), kRomError, Origin::counted};
    } catch (const thimble::Unsupported& error) {
      cost.unsupported = error.diagnostics().front().message;
    }
    cost.energy_mj = energy(cost.latency_ms);
    return cost;
  }

  Figure latency_of(const Int8Network& network, const thimble::Execution& run) const {
    thimble::FigureSum sum;
    for (std::size_t i = 0; i < network.layers.size(); ++i) {
      const auto cpi = board_.cpi_for(network.layers[i].kernel, target().runtime);
      const auto instructions = static_cast<double>(run.layer_instructions[i]);
      sum.add({cpi.value * instructions, cpi.relative_error, cpi.origin});
    }
    Figure total = sum.total();
    total.value = (total.value + board_.counted->inference_cycles) * board_.ms_per_cycle();
    return total;
  }

  thimble::Board board_;
  Profiler profiler_;
  mutable std::map<std::string, Cost> known_;
  mutable std::mutex mutex_;
};

}  // namespace

THIMBLE_PLUGIN("qemu", "1.0.0") {
  plugin.provides<Qemu>("costs of generated C as an emulator executes it");
}
