// Latency as the sum of single operators, each counted or measured once:
//
//     cycles = sum over operators of (measured cycles, or instructions x CPI of their kind)
//              + a constant per inference
//
// Instructions are those that thimble's generated kernels execute in an emulator, which are exact
// and repeatable; CPI, cycles an instruction, is the board's, fitted to measurements on it. RAM is
// the plan of the arena that the generated code has. README.md tells how good this is.
#include <algorithm>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <thimble/core/text.hpp>
#include <thimble/deploy/generate_c.hpp>
#include <thimble/hardware.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/counted_rows.hpp>
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
          "take rows of these kernels only; empty: thimble's own to profile or with its own table, "
          "else "
          "all rows must be of one version");
  }
};

thimble::LatencyTable tables_for(const thimble::Board& board, const TableParams& params,
                                 const thimble::Context& context) {
  thimble::LatencyTable all;
  for (const std::string& file : params.tables) all.merge(thimble::read_latency_table(file));
  if (!params.tables.empty()) return all;
  const auto shipped = context.share_folder / "tables" / (board.core + ".csv");
  return std::filesystem::exists(shipped) ? thimble::read_latency_table(shipped) : all;
}

// Rows that the emulator gave, by everything they depend on.
thimble::RowCache cache_of(const thimble::Profiler& profiler, const std::filesystem::path& folder) {
  const std::string conditions = thimble::hex(thimble::fingerprint(profiler.conditions()));
  return thimble::RowCache{folder / "operators" /
                           (std::string{name_of(profiler.core())} + "-" + conditions + ".csv")};
}

// Counts can only be made of the kernels that this thimble generates.
void let_count(thimble::OpCostsOptions& options, thimble::Core core,
               const thimble::Context& context) {
  try {
    const thimble::Profiler profiler{core};
    options.count = [profiler, log = context.log,
                     is_told = false](std::span<const thimble::OpShape> ops) mutable {
      if (!std::exchange(is_told, true))
        log("operators that no table has are counted in the emulator, some twenty a second; "
            "`thimble profile` counts those of a search space beforehand");
      return thimble::counted_rows(profiler, ops);
    };
    if (!context.cache_folder.empty()) options.cache = cache_of(profiler, context.cache_folder);
  } catch (const thimble::InputError&) {
    throw;  // a person can mend it
  } catch (const thimble::Error& error) {
    const thimble::Diagnostic& why = error.diagnostics().front();
    context.log("operators that no table has cannot be counted: " + why.message + "; " + why.note);
  }
}

thimble::OpCostsOptions options_for(const thimble::Board& board, const TableParams& params,
                                    const thimble::Context& context) {
  thimble::OpCostsOptions options;
  options.on_miss = params.on_miss;
  options.kernels = params.kernels;
  options.warn = context.log;
  const bool is_counting = params.on_miss == OnMiss::profile;
  if (params.kernels.empty() && (is_counting || params.tables.empty()))
    options.kernels = thimble::own_kernels();
  if (is_counting && options.kernels == thimble::own_kernels())
    let_count(options, *thimble::core_of(board.core), context);
  return options;
}

// A table that somebody names is meant to be used.
const thimble::LatencyTable& usable(const thimble::LatencyTable& table, const thimble::Board& board,
                                    const std::string& kernels) {
  const auto rows = table.rows();
  const bool has_any = std::ranges::any_of(rows, [&](const thimble::OpRow* row) {
    return (row->target == board.id || row->target == board.core) &&
           (kernels.empty() || row->kernels == kernels);
  });
  if (has_any || rows.empty()) return table;
  throw thimble::InputError{
      "no row of the tables is for " + board.id + " or " + board.core +
          (kernels.empty() ? "" : " with the kernels " + thimble::in_quotes(kernels)),
      "the first row is for " + rows.front()->target + " with the kernels " +
          thimble::in_quotes(rows.front()->kernels) +
          "; other kernels need on_miss: fit or refuse"};
}

class Table final : public thimble::TableHardware {
 public:
  using Params = TableParams;

  Table(const Params& params, const thimble::Context& context)
      : Table{params, context,
              thimble::read_board(thimble::board_file(params.board, context.share_folder))} {}

 private:
  Table(const Params& params, const thimble::Context& context, const thimble::Board& board)
      : Table{board, tables_for(board, params, context), options_for(board, params, context),
              params.tables.empty()} {}

  Table(const thimble::Board& board, const thimble::LatencyTable& table,
        thimble::OpCostsOptions options, bool is_shipped)
      : TableHardware{board, is_shipped ? table : usable(table, board, options.kernels),
                      std::move(options), thimble::scratch_bytes} {}
};

}  // namespace

THIMBLE_PLUGIN("table", "1.0.0") {
  plugin.provides<Table>("latency, memory and energy of generated C, from tables of its operators");
}
