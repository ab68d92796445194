#include <thimble/hardware/import_rows.hpp>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/median.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>
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

  /// A convolution in groups, for one, has fewer than it is read as.
  void check_macs(const OpShape& op) const {
    const auto column = table_.find("macs");
    if (!column || cells_[*column].text.empty()) return;
    const CsvCell& cell = cells_[*column];
    if (parse_integer(cell.text) == macs(op)) return;
    throw InputError{Diagnostic{
        cell.where,
        fmt::format("'macs' is {}, and {} has {}", in_quotes(cell.text), to_string(op), macs(op)),
        "convolutions in one group are read: leave other rows out, or correct the cell"}};
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

constexpr const char* kRecordsNote = "records.json of MicroNAS is read: is this one, and whole?";

/// The last word before `end`; of what structures JSON, one letter.
std::string_view last_word(std::string_view text, std::size_t end) {
  constexpr std::string_view kStructure = " \t\r\n,:[]{}\"";
  const std::size_t last = end - 1;
  if (kStructure.find(text[last]) != std::string_view::npos) return text.substr(last, 1);
  const std::size_t begin = text.find_last_of(kStructure, last) + 1;  // npos is -1
  return text.substr(begin, text.find_first_of(kStructure, last) - begin);
}

/// A list of records, and where each begins in the file.
class Records {
 public:
  /// The text must outlive this.
  Records(std::string_view text, std::string file) : text_{text}, file_{std::move(file)} {
    std::istringstream in{std::string{text}};
    const auto take_begin = [&](int depth, json::parse_event_t event, const json& /*value*/) {
      const bool is_end = event == json::parse_event_t::object_end ||  //
                          event == json::parse_event_t::array_end;
      if (depth == 1 && !is_end) begins_.push_back(byte_of(last_value(in)));
      return true;
    };
    try {
      records_ = json::parse(in, take_begin);
    } catch (const json::parse_error& error) {
      if (error.byte > text.size()) refuse(text.size(), "the JSON ends too early");
      refuse("no JSON goes on with", last_word(text, error.byte));
    } catch (const json::out_of_range&) {
      refuse("out of range is the number", last_value(in));
    }
    if (!records_.is_array()) refuse(0, "not a list of records");
  }

  std::size_t size() const { return records_.size(); }
  const json& at(std::size_t index) const { return records_[index]; }
  Location place(std::size_t index) const { return place_of(begins_[index], text_, file_); }

 private:
  [[noreturn]] void refuse(std::size_t byte, const std::string& what) const {
    throw InputError{Diagnostic{place_of(byte, text_, file_), what, kRecordsNote}};
  }
  [[noreturn]] void refuse(const std::string& what, std::string_view word) const {
    refuse(byte_of(word), what + ' ' + in_quotes(word));
  }

  std::size_t byte_of(std::string_view word) const {
    return static_cast<std::size_t>(word.data() - text_.data());
  }

  /// What was read last: a number only when what follows it was, too.
  std::string_view last_value(std::istringstream& in) const {
    const auto read =
        static_cast<std::size_t>(in.rdbuf()->pubseekoff(0, std::ios::cur, std::ios::in));
    return last_word(text_, text_.find_last_not_of(", \t\r\n]}", read - 1) + 1);
  }

  std::string_view text_;
  std::string file_;
  json records_;
  std::vector<std::size_t> begins_;
};

const json& member(const json& of, const char* name) {
  if (!of.is_object())
    throw Error{fmt::format("no map with {} is {}", in_quotes(name), in_quotes(of.dump()))};
  const auto found = of.find(name);
  if (found == of.end()) throw Error{"there is no " + in_quotes(name)};
  return *found;
}

/// The sizes of a member of a layer, in the order of its list.
template <std::size_t N>
std::array<int, N> sizes(const json& layer, const char* name) {
  const json& found = member(layer, name);
  const json list = found.is_array() ? found : json::array({found});
  const bool are_sizes = std::all_of(list.begin(), list.end(), [](const json& size) {
    return size.is_number_unsigned() && size >= 1 && size <= kMostSize;
  });
  if (list.size() != N || !are_sizes)
    throw Error{
        fmt::format("'{}' is {}, not {}", name, found.dump(),
                    N > 1 ? fmt::format("{} sizes of at least 1", N) : "a size of at least 1")};
  std::array<int, N> made{};
  std::transform(list.begin(), list.end(), made.begin(),
                 [](const json& size) { return size.get<int>(); });
  return made;
}

std::optional<OpShape> convolution_of(const json& layer) {
  if (!layer.is_object())
    throw Error{fmt::format("'modelConfig' is {}, not a map", in_quotes(layer.dump()))};
  if (!layer.contains("filters") || !layer.contains("kernel_size")) return std::nullopt;
  if (member(layer, "padding") != "same" || member(layer, "groups") != 1) return std::nullopt;
  const auto in = sizes<4>(layer, "input_shape");
  const auto window = sizes<2>(layer, "kernel_size");
  const auto stride = sizes<2>(layer, "strides");
  return shape_of({{in[3], in[1], in[2]},
                   sizes<1>(layer, "filters")[0],
                   {window[0], window[1]},
                   {stride[0], stride[1]}});
}

std::optional<double> operator_cycles(const json& record) {
  const json& timings = member(record, "timing");
  if (!timings.is_array()) throw Error{"'timing' is " + in_quotes(timings.dump()) + ", not a list"};
  for (const json& timing : timings) {
    if (member(timing, "type") != kOperatorTiming) continue;
    const json& cycles = member(timing, "cpuCycles");
    if (cycles == 0) return std::nullopt;  // it did not run
    if (cycles.is_number() && kCycles.contain(cycles.get<double>())) return cycles.get<double>();
    throw Error{fmt::format("'cpuCycles' is {}, must be in {}", cycles.dump(), kCycles.text())};
  }
  return std::nullopt;
}

void add_record(const json& record, Repeats& measured) {
  if (!record.is_object()) throw Error{"it is " + in_quotes(record.dump()) + ", not a map"};
  if (!record.contains("timing") || !record.contains("modelConfig")) return;  // it failed
  const auto op = convolution_of(record.at("modelConfig"));
  const auto cycles = operator_cycles(record);
  if (op && cycles) measured[to_string(*op)].push_back(*cycles);
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
    cells.check_macs(op);
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
  const std::string bytes = read_file(file);
  const Records records{plain_text(bytes, file.string()), file.string()};
  Repeats measured;
  for (std::size_t i = 0; i < records.size(); ++i) {
    try {
      add_record(records.at(i), measured);
    } catch (const Error& error) {
      throw InputError{Diagnostic{
          records.place(i),
          fmt::format("record {}: {}", i + 1, error.diagnostics().front().message), kRecordsNote}};
    }
  }
  LatencyTable table;
  add_rows(table, measured, conditions, Origin::measured);
  require_rows(table, file);
  return table;
}

}  // namespace thimble
