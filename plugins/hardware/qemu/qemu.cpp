// A network's costs by running it: its generated C is compiled for the board's core and executed in
// an emulator, which counts instructions exactly. Cycles are those times what an instruction takes
// on the board (CPI, by kind of operator); RAM and ROM are read off the program, with the deepest
// stack that was seen. About a second a network: what the table back end adds up from single
// operators is compared with this.
#include <cmath>
#include <limits>
#include <string>

#include <thimble/deploy/lower.hpp>
#include <thimble/deploy/profile.hpp>
#include <thimble/graph/transforms.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/figure_sum.hpp>

namespace {

using thimble::Cost;
using thimble::Figure;
using thimble::Graph;
using thimble::Int8Network;
using thimble::Node;
using thimble::OpCost;
using thimble::Origin;

class Qemu final : public thimble::Hardware {
 public:
  static constexpr thimble::Kind kKind = thimble::Kind::hardware;

  struct Params {
    std::string board = "nucleo_f446re";

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::board, "board", "name of a board, or path to a board file ending in .yaml");
    }
  };

  Qemu(const Params& params, const thimble::Context& context)
      : board_{thimble::read_board(thimble::board_file(params.board, context.share_folder))},
        target_{board_.target()},
        profiler_{*thimble::core_of(board_.core)} {
    if (!board_.counted)
      throw thimble::InputError{board_.name + " has no section 'counted' in its board file",
                                "cycles an instruction are needed to make time of instructions"};
    target_.latency_origin = board_.counted->cpi.at("default").origin;
  }

  const thimble::Target& target() const override { return target_; }

  OpCost op_cost(const Graph& deployed, const Node& node) const override {
    const Int8Network network = thimble::skeleton(deployed);
    const auto id = static_cast<int>(&node - deployed.nodes().data());
    OpCost cost;
    for (const thimble::Int8Layer& layer : network.layers) {
      if (layer.output != id) continue;
      const thimble::OpShape op = thimble::op_shape(network, layer);
      const thimble::OpCount count = profiler_.profile({&op, 1}).ops.front();
      const Figure cycles = cycles_of(layer.kernel, count.instructions);
      cost.latency_ms = cycles.value * board_.ms_per_cycle();
      cost.relative_error = cycles.relative_error;
      cost.rom_bytes = count.constant_bytes;
      cost.scratch_bytes = count.scratch_bytes;
    }
    return cost;
  }

  Cost cost(const Graph& network) const override {
    const Int8Network lowered = thimble::lower(thimble::drawn_network(network, 1));
    const std::vector<std::int8_t> input(
        static_cast<std::size_t>(lowered.tensor(0).shape.elements()));
    Cost cost;
    try {
      const thimble::Execution run = profiler_.execute(lowered, input);
      cost.latency_ms = latency(lowered, run);
      const thimble::ProgramSize size = profiler_.size(lowered);
      cost.ram_bytes = {static_cast<double>(size.ram_bytes + run.stack_bytes), 0, Origin::counted};
      cost.rom_bytes = {static_cast<double>(size.rom_bytes), 0, Origin::counted};
    } catch (const thimble::Error& error) {
      cost.unsupported = error.diagnostics().front().message;
    }
    cost.energy_mj = energy(cost.latency_ms);
    return cost;
  }

 private:
  Figure cycles_of(thimble::Kernel kernel, std::int64_t instructions) const {
    const auto& cpi = board_.counted->cpi_of(kernel);
    return {cpi.value * static_cast<double>(instructions), cpi.relative_error, cpi.origin};
  }

  Figure latency(const Int8Network& network, const thimble::Execution& run) const {
    thimble::FigureSum sum;
    for (std::size_t i = 0; i < network.layers.size(); ++i)
      sum.add(cycles_of(network.layers[i].kernel, run.layer_instructions[i]));
    Figure total = sum.total();
    total.value = (total.value + board_.counted->inference_cycles) * board_.ms_per_cycle();
    return total;
  }

  Figure energy(const Figure& latency_ms) const {
    const double power_mw = target_.active_power_mw;
    return {power_mw > 0 ? power_mw * latency_ms.value / 1000
                         : std::numeric_limits<double>::quiet_NaN(),
            std::hypot(latency_ms.relative_error, target_.power_relative_error),
            std::max(latency_ms.origin, target_.power_origin)};
  }

  thimble::Board board_;
  thimble::Target target_;
  thimble::Profiler profiler_;
};

}  // namespace

THIMBLE_PLUGIN("qemu", "1.0.0") {
  plugin.provides<Qemu>("costs of generated C as an emulator executes it");
}
