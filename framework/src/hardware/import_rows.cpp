#include <thimble/hardware/import_rows.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/median.hpp>
#include <thimble/core/text.hpp>
#include <thimble/hardware/figure_bounds.hpp>

namespace thimble {
namespace {

/// In records.json: the cycles of the operator itself. Others are those of the whole invocation and
/// of the interpreter around it.
constexpr int kOperatorTiming = 3;

/// Rows above the first window, so that ceil(size / stride) windows fit; an odd rest goes below.
int same_padding(int size, int window, int stride) {
  const int windows = (size + stride - 1) / stride;
  return std::max((windows - 1) * stride + window - size, 0) / 2;
}

struct Convolution {
  Shape in;
  int filters = 0;
  Extent window;
  Extent stride;
};

OpShape shape_of(const Convolution& conv) {
  OpShape op;
  op.kernel = Kernel::conv;
  op.inputs = {conv.in};
  op.window = conv.window;
  op.stride = conv.stride;
  op.padding = {same_padding(conv.in.height, conv.window.height, conv.stride.height),
                same_padding(conv.in.width, conv.window.width, conv.stride.width)};
  op.output = {conv.filters, (conv.in.height + conv.stride.height - 1) / conv.stride.height,
               (conv.in.width + conv.stride.width - 1) / conv.stride.width};
  return op;
}

/// Figures of operators, as often as each was measured.
using Repeats = std::map<std::string, std::vector<double>>;

/// A row for each operator: the median, least and most of what was measured on a board (cycles) or
/// counted on a core (instructions).
void add_rows(LatencyTable& table, const Repeats& repeats, const ImportConditions& conditions,
              Origin origin) {
  for (auto [op, figures] : repeats) {
    std::ranges::sort(figures);
    const bool is_measured = origin == Origin::measured;
    OpRow row;
    row.op = op_shape_of(op);
    row.target = is_measured ? conditions.board : conditions.core;
    row.kernels = conditions.kernels;
    row.compiler = conditions.compiler;
    row.flags = conditions.flags;
    (is_measured ? row.cycles : row.instructions) = median(figures);
    row.n = static_cast<std::int64_t>(figures.size());
    row.least = figures.front();
    row.most = figures.back();
    row.origin = origin;
    table.add(std::move(row));
  }
}

constexpr std::int64_t kMostSize = 1 << 20;

/// The cells of one row, by column.
class Cells {
 public:
  Cells(const CsvTable& table, const std::vector<CsvCell>& cells) : table_{table}, cells_{cells} {}

  int size(const std::string& column) const {
    Diagnostics problems;
    const auto value =
        bounded_integer(cells_[table_.column(column)], column, {1, kMostSize}, problems);
    problems.throw_if_any();
    return static_cast<int>(value.value());
  }

  std::optional<double> figure(const std::string& column) const {
    if (column.empty()) return std::nullopt;
    const CsvCell& cell = cells_[table_.column(column)];
    if (cell.text.empty()) return std::nullopt;
    Diagnostics problems;
    const auto value = bounded_number(cell, column, kCycles, problems);
    problems.throw_if_any();
    return value;
  }

  Convolution convolution() const {
    return {{size("ci"), size("h"), size("w")},
            size("co"),
            {size("kh"), size("kw")},
            {size("sh"), size("sw")}};
  }

  /// What a benchmark of several operators says of a row must be what the row is read as.
  void check_operator() const {
    const auto column = table_.find("op");
    if (!column || cells_[*column].text.starts_with("conv")) return;
    throw InputError{Diagnostic{
        cells_[*column].where, fmt::format("{} is no convolution", in_quotes(cells_[*column].text)),
        "rows of other operators cannot be imported: leave them out, or call it conv..."}};
  }

  void check_output(const OpShape& op) const {
    const Extent stated{size("oh"), size("ow")};
    if (stated == Extent{op.output.height, op.output.width}) return;
    throw InputError{
        Diagnostic{cells_[table_.column("oh")].where,
                   fmt::format("the output is {}x{}, with SAME padding it is {}x{}", stated.height,
                               stated.width, op.output.height, op.output.width),
                   "convolutions are read as padded with SAME"}};
  }

 private:
  const CsvTable& table_;
  const std::vector<CsvCell>& cells_;
};

using nlohmann::json;

/// The sizes of a member of a layer, in the order of its list.
template <std::size_t N>
std::array<int, N> sizes(const json& layer, const char* name) {
  const json& found = layer.at(name);
  const json list = found.is_array() ? found : json::array({found});
  std::array<int, N> made{};
  for (std::size_t i = 0; i < N; ++i) {
    const json& size = list.at(i);
    if (!size.is_number_unsigned() || size < 1 || size > kMostSize)
      throw Error{fmt::format("'{}' is {}, not {}", name, found.dump(),
                              N > 1 ? "sizes of at least 1" : "a size of at least 1")};
    made[i] = size.get<int>();
  }
  return made;
}

std::optional<OpShape> convolution_of(const json& layer) {
  if (!layer.contains("filters") || !layer.contains("kernel_size")) return std::nullopt;
  if (layer.at("padding") != "same" || layer.at("groups") != 1) return std::nullopt;
  const auto in = sizes<4>(layer, "input_shape");
  const auto window = sizes<2>(layer, "kernel_size");
  const auto stride = sizes<2>(layer, "strides");
  return shape_of({{in[3], in[1], in[2]},
                   sizes<1>(layer, "filters")[0],
                   {window[0], window[1]},
                   {stride[0], stride[1]}});
}

std::optional<double> operator_cycles(const json& record) {
  for (const json& timing : record.at("timing")) {
    if (timing.at("type") != kOperatorTiming) continue;
    const json& cycles = timing.at("cpuCycles");
    if (cycles == 0) return std::nullopt;  // it did not run
    if (kCycles.contain(cycles.get<double>())) return cycles.get<double>();
    throw Error{fmt::format("'cpuCycles' is {}, must be in {}", cycles.dump(), kCycles.text())};
  }
  return std::nullopt;
}

void require_rows(const LatencyTable& table, const std::filesystem::path& file) {
  if (table.size() == 0)
    throw InputError{Diagnostic{{file.string()},
                                "has no figure of a convolution to import",
                                "are the columns that hold them empty, or is it another format?"}};
}

}  // namespace

LatencyTable import_convolutions(const std::filesystem::path& file, const std::string& cycles,
                                 const std::string& instructions,
                                 const ImportConditions& conditions) {
  const CsvTable csv = parse_csv(read_file(file), file.string());
  Repeats measured, counted;
  for (const auto& line : csv.rows) {
    const Cells cells{csv, line};
    cells.check_operator();
    const OpShape op = shape_of(cells.convolution());
    cells.check_output(op);
    if (const auto figure = cells.figure(cycles)) measured[to_string(op)].push_back(*figure);
    if (const auto figure = cells.figure(instructions)) counted[to_string(op)].push_back(*figure);
  }
  LatencyTable table;
  add_rows(table, measured, conditions, Origin::measured);
  add_rows(table, counted, conditions, Origin::counted);
  require_rows(table, file);
  return table;
}

LatencyTable import_micronas_records(const std::filesystem::path& file,
                                     const ImportConditions& conditions) {
  Repeats measured;
  std::size_t place = 0;
  const auto refuse = [&](const std::string& why) {
    throw InputError{Diagnostic{{file.string()},
                                place > 0 ? fmt::format("record {}: {}", place, why) : why,
                                "records.json of MicroNAS is read"}};
  };
  try {
    for (const json& record : json::parse(read_file(file))) {
      ++place;
      if (!record.contains("timing") || !record.contains("modelConfig")) continue;  // it failed
      const auto op = convolution_of(record.at("modelConfig"));
      const auto cycles = operator_cycles(record);
      if (op && cycles) measured[to_string(*op)].push_back(*cycles);
    }
  } catch (const json::exception& error) {
    refuse(error.what());
  } catch (const InputError&) {
    throw;  // the file cannot be read
  } catch (const Error& error) {
    refuse(error.diagnostics().front().message);
  }
  LatencyTable table;
  add_rows(table, measured, conditions, Origin::measured);
  require_rows(table, file);
  return table;
}

}  // namespace thimble
