// Latency as the sum of single operators, each counted or measured once:
//
//     cycles = sum over operators of (measured cycles, or instructions x CPI of their kind)
//              + a constant per inference
//
// Instructions are those that thimble's generated kernels execute in an emulator, which are exact
// and repeatable; CPI, cycles an instruction, is the board's, fitted to measurements on it. RAM is
// the plan of the arena that the generated code has. README.md tells how good this is.
#include <filesystem>
#include <string>
#include <vector>

#include <thimble/deploy/generate_c.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/table_hardware.hpp>

namespace {

using thimble::OnMiss;

struct TableParams {
  std::string board = "nucleo_f446re";
  std::vector<std::string> tables;
  OnMiss on_miss = OnMiss::profile;
  std::string kernels;

  template <class Describe>
  static void describe(Describe& param) {
    param(&TableParams::board, "board", "name of a board, or path to a board file ending in .yaml");
    param(&TableParams::tables, "tables",
          "paths of look-up tables; none: the one that comes with thimble for the board's core");
    param(&TableParams::on_miss, "on_miss",
          "operators that no table has: profile counts them in the emulator, fit estimates them "
          "from others of their kind, refuse gives the network up");
    param(&TableParams::kernels, "kernels",
          "take rows of these kernels only; empty: all rows must be of one version");
  }
};

thimble::LatencyTable tables_for(const thimble::Board& board, const TableParams& params,
                                 const thimble::Context& context) {
  if (params.tables.empty())
    return thimble::read_latency_table(context.share_folder / "tables" / (board.core + ".csv"));
  thimble::LatencyTable all;
  for (const std::string& file : params.tables) all.merge(thimble::read_latency_table(file));
  return all;
}

class Table final : public thimble::TableHardware {
 public:
  static constexpr thimble::Kind kKind = thimble::Kind::hardware;
  using Params = TableParams;

  Table(const Params& params, const thimble::Context& context)
      : Table{params, context,
              thimble::read_board(thimble::board_file(params.board, context.share_folder))} {}

 private:
  Table(const Params& params, const thimble::Context& context, const thimble::Board& board)
      : TableHardware{board,
                      tables_for(board, params, context),
                      {.on_miss = params.on_miss, .kernels = params.kernels},
                      thimble::scratch_bytes} {}
};

}  // namespace

THIMBLE_PLUGIN("table", "1.0.0") {
  plugin.provides<Table>("latency, memory and energy of generated C, from tables of its operators");
}
