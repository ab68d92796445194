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
#include <thimble/core/text.hpp>

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

/// The median, least and most of repeated measurements.
void set_cycles(OpRow& row, std::vector<double> repeats) {
  std::ranges::sort(repeats);
  const std::size_t half = repeats.size() / 2;
  row.cycles = repeats.size() % 2 == 1 ? repeats[half] : (repeats[half - 1] + repeats[half]) / 2;
  row.n = static_cast<std::int64_t>(repeats.size());
  row.least = repeats.front();
  row.most = repeats.back();
}

OpRow blank_row(const OpShape& op, const ImportConditions& conditions) {
  OpRow row;
  row.op = op;
  row.kernels = conditions.kernels;
  row.compiler = conditions.compiler;
  row.flags = conditions.flags;
  return row;
}

/// The cells of one row, by column.
class Cells {
 public:
  Cells(const CsvTable& table, const std::vector<CsvCell>& cells) : table_{table}, cells_{cells} {}

  int size(const std::string& column) const {
    const CsvCell& cell = cells_[table_.column(column)];
    const auto value = parse_integer(cell.text);
    constexpr int kMost = 1 << 20;
    if (value && *value >= 1 && *value <= kMost) return static_cast<int>(*value);
    throw InputError{Diagnostic{
        cell.where, fmt::format("'{}' is {}, not a size", column, in_quotes(cell.text)), {}}};
  }

  std::optional<double> figure(const std::string& column) const {
    if (column.empty()) return std::nullopt;
    const CsvCell& cell = cells_[table_.column(column)];
    if (cell.text.empty()) return std::nullopt;
    const auto value = parse_number(cell.text);
    if (value && *value > 0) return value;
    throw InputError{
        Diagnostic{cell.where,
                   fmt::format("'{}' is {}, not a number above 0", column, in_quotes(cell.text)),
                   {}}};
  }

  Convolution convolution() const {
    return {{size("ci"), size("h"), size("w")},
            size("co"),
            {size("kh"), size("kw")},
            {size("sh"), size("sw")}};
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

std::optional<OpShape> convolution_of(const json& layer) {
  if (!layer.contains("filters") || !layer.contains("kernel_size")) return std::nullopt;
  if (layer.at("padding") != "same" || layer.at("groups") != 1) return std::nullopt;
  const auto in = layer.at("input_shape").get<std::array<int, 4>>();
  const auto window = layer.at("kernel_size").get<std::array<int, 2>>();
  const auto stride = layer.at("strides").get<std::array<int, 2>>();
  return shape_of({{in[3], in[1], in[2]},
                   layer.at("filters").get<int>(),
                   {window[0], window[1]},
                   {stride[0], stride[1]}});
}

std::optional<double> operator_cycles(const json& record) {
  for (const json& timing : record.at("timing"))
    if (timing.at("type") == kOperatorTiming) return timing.at("cpuCycles").get<double>();
  return std::nullopt;
}

}  // namespace

LatencyTable import_convolutions(const std::filesystem::path& file, const std::string& cycles,
                                 const std::string& instructions,
                                 const ImportConditions& conditions) {
  const CsvTable csv = parse_csv(read_file(file), file.string());
  LatencyTable table;
  for (const auto& line : csv.rows) {
    const Cells cells{csv, line};
    const OpShape op = shape_of(cells.convolution());
    cells.check_output(op);
    if (const auto measured = cells.figure(cycles)) {
      OpRow row = blank_row(op, conditions);
      row.target = conditions.board;
      row.origin = Origin::measured;
      set_cycles(row, {*measured});
      table.add(std::move(row));
    }
    if (const auto counted = cells.figure(instructions)) {
      OpRow row = blank_row(op, conditions);
      row.target = conditions.core;
      row.origin = Origin::counted;
      row.instructions = *counted;
      table.add(std::move(row));
    }
  }
  return table;
}

LatencyTable import_micronas_records(const std::filesystem::path& file,
                                     const ImportConditions& conditions) {
  std::map<std::string, std::vector<double>> repeats;
  try {
    for (const json& record : json::parse(read_file(file))) {
      if (!record.contains("timing") || !record.contains("modelConfig")) continue;  // it failed
      const auto op = convolution_of(record.at("modelConfig"));
      const auto cycles = operator_cycles(record);
      if (op && cycles && *cycles > 0) repeats[to_string(*op)].push_back(*cycles);
    }
  } catch (const json::exception& error) {
    throw InputError{Diagnostic{{file.string()}, error.what(), "records.json of MicroNAS is read"}};
  }
  LatencyTable table;
  for (const auto& [op, cycles] : repeats) {
    OpRow row = blank_row(op_shape_of(op), conditions);
    row.target = conditions.board;
    row.origin = Origin::measured;
    set_cycles(row, cycles);
    table.add(std::move(row));
  }
  return table;
}

}  // namespace thimble
