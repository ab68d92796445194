#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/yaml.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/calibration.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;

void print(const std::vector<CpiFit>& fits) {
  fmt::print("{:<12}{:>6}{:>8}{:>8}{:>8}{:>9}\n", "kind", "n", "CPI", "mean", "95 %", "largest");
  for (const CpiFit& fit : fits)
    fmt::print("{:<12}{:>6}{:>8.3f}{:>7.1f}%{:>7.1f}%{:>8.1f}%\n", fit.kind, fit.n, fit.cpi,
               100 * fit.mean_error, 100 * fit.p95_error, 100 * fit.most_error);
}

void require_extension(const std::string& file, const std::string& extension) {
  if (fs::path{file}.extension() == extension) return;
  throw InputError{in_quotes(file) + " does not end in " + extension, "name the output so"};
}

LatencyTable imported(const ImportArguments& arguments) {
  if (arguments.format == "micronas")
    return import_micronas_records(arguments.file, arguments.conditions);
  if (arguments.format == "convolutions")
    return import_convolutions(arguments.file, arguments.cycles, arguments.instructions,
                               arguments.conditions);
  throw InputError{"no format " + in_quotes(arguments.format) +
                       did_you_mean(arguments.format, {"convolutions", "micronas"}),
                   "formats are convolutions, micronas"};
}

void require_named(const std::string& what, const std::string& option, const std::string& value) {
  if (trimmed(value).empty()) throw InputError{what + " without " + option, "name it"};
}

void require_conditions(const ImportArguments& arguments) {
  const ImportConditions& conditions = arguments.conditions;
  const bool is_measured = !arguments.cycles.empty() || arguments.format == "micronas";
  require_named("rows", "--kernels", conditions.kernels);
  for (const auto& [option, value] : {std::pair{"--board", conditions.board},
                                      {"--kernels", conditions.kernels},
                                      {"--compiler", conditions.compiler},
                                      {"--flags", conditions.flags}})
    require_cell_text(option, value);
  if (!conditions.core.empty()) parse_core(conditions.core);
  if (is_measured) require_named("cycles", "--board", conditions.board);
  if (!arguments.instructions.empty()) require_named("instructions", "--core", conditions.core);
  if (!is_measured && arguments.instructions.empty())
    throw InputError{"nothing to import", "name a column with --cycles or --instructions"};
}

}  // namespace

void require_cell_text(const std::string& option, const std::string& value) {
  if (!is_cell_text(value))
    throw InputError{in_quotes(option + " " + value) + " has control characters",
                     "a table has one line for each row: write it on one"};
}

void require_table(const fs::path& file) {
  const auto folder = file.parent_path();
  if (!folder.empty() && !fs::is_directory(folder))
    throw InputError{"there is no folder " + in_quotes(folder.string()) + " for '--output'",
                     "make it, or name another"};
  const FileLock lock{file};
  if (fs::exists(file)) read_latency_table(file);
}

int calibrate(const CalibrateArguments& arguments, const World& world) {
  const fs::path file = board_file(arguments.board, world.prefix / "share" / "thimble");
  if (!arguments.output.empty()) require_extension(arguments.output, ".yaml");
  if (fs::exists(arguments.output)) read_board(arguments.output);  // nothing else is written over
  const auto samples = calibration_samples(read_board(file), read_latency_table(arguments.measured),
                                           read_latency_table(arguments.counted));
  const auto fits = thimble::calibrate(samples);
  print(fits);
  require_good_fits(fits);
  if (arguments.output.empty()) return 0;
  const std::string source = fmt::format("thimble calibrate: cycles of {} over instructions of {}",
                                         fs::path{arguments.measured}.filename().string(),
                                         fs::path{arguments.counted}.filename().string());
  write_file(arguments.output, to_yaml(with_fits(read_yaml(file), fits, source, arguments.output)));
  return 0;
}

int import_rows(const ImportArguments& arguments) {
  require_extension(arguments.output, ".csv");
  require_conditions(arguments);
  require_table(arguments.output);
  const LatencyTable table = imported(arguments);
  write_latency_table(arguments.output, table);
  fmt::print("{}: {}\n", arguments.output,
             count_text(static_cast<std::int64_t>(table.size()), "row"));
  return 0;
}

}  // namespace thimble::cli
