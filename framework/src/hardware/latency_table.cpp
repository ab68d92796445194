#include <thimble/hardware/latency_table.hpp>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <numeric>
#include <set>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>
#include <thimble/hardware/figure_bounds.hpp>

namespace thimble {
namespace {

constexpr std::string_view kFirstLine = "# thimble latency table 1";
constexpr std::string_view kClass = "class.";
const std::vector<std::string> kColumns{
    "op", "target", "kernels", "compiler", "flags",          "instructions", "cycles",
    "n",  "min",    "max",     "origin",   "constant_bytes", "code_bytes",   "setup"};
constexpr std::size_t kRequiredColumns = 11;

std::vector<std::string> key_of(const OpRow& row) {
  return {to_string(row.op), row.target, row.kernels, row.compiler, row.flags, row.setup};
}

/// Of a tensor or the weights, in doubles since sizes of 2^20 each overflow 64 bits.
double largest_bytes(const OpShape& op) {
  const auto product = [](std::initializer_list<int> sizes) {
    return std::accumulate(sizes.begin(), sizes.end(), 1.0, std::multiplies<>{});
  };
  const auto elements = [&](const Shape& s) { return product({s.channels, s.height, s.width}); };
  double most = elements(op.output);
  for (const Shape& input : op.inputs) most = std::max(most, elements(input));
  const int in = op.inputs.front().channels;
  const double weights =
      op.kernel == Kernel::linear
          ? op.output.channels * elements(op.inputs.front())
          : product({op.output.channels, op.window.height, op.window.width, in}) / op.groups;
  return op.kernel == Kernel::conv || op.kernel == Kernel::linear ? std::max(most, weights) : most;
}

/// Reads rows; problems are collected, so that all of a file's are told at once.
class RowReader {
 public:
  RowReader(const CsvTable& table, Diagnostics& problems) : table_{table}, problems_{problems} {}

  /// False when the header is no table's.
  bool check_header() {
    const auto before = problems_.size();
    for (const CsvCell& cell : table_.header) {
      const bool is_class =
          cell.text.starts_with(kClass) && is_identifier(cell.text.substr(kClass.size()));
      if (!is_class && std::ranges::find(kColumns, cell.text) == kColumns.end())
        problems_.error(
            cell.where,
            "unknown column " + in_quotes(cell.text) + did_you_mean(cell.text, kColumns),
            "columns are " + join(kColumns) + ", and class.NAME");
    }
    for (std::size_t i = 0; i < kRequiredColumns; ++i)
      if (!table_.find(kColumns[i]))
        problems_.error(table_.header.front().where, "no column " + in_quotes(kColumns[i]));
    return problems_.size() == before;
  }

  OpRow read(const std::vector<CsvCell>& cells) {
    cells_ = &cells;
    OpRow row;
    row.op = op();
    row.target = name("target");
    row.kernels = name("kernels");
    row.compiler = cell("compiler")->text;
    row.flags = cell("flags")->text;
    row.instructions = number("instructions");
    row.cycles = number("cycles");
    row.n = bounded_integer(*cell("n"), "n", kRepeats, problems_).value_or(1);
    row.least = number("min");
    row.most = number("max");
    row.origin = origin();
    if (const CsvCell* const bytes = cell("constant_bytes"); bytes && !bytes->text.empty())
      row.constant_bytes = bounded_integer(*bytes, "constant_bytes", kBytes, problems_);
    row.code_bytes = code_bytes();
    if (const CsvCell* const setup = cell("setup")) row.setup = setup->text;
    row.classes = classes();
    check_figures(row);
    return row;
  }

 private:
  const CsvCell* cell(std::string_view column) const {
    const auto index = table_.find(column);
    return index ? &(*cells_)[*index] : nullptr;
  }

  void refuse(const CsvCell& cell, const std::string& what, const std::string& note = {}) {
    problems_.error(cell.where, what, note);
  }

  OpShape op() {
    const CsvCell& text = *cell("op");
    try {
      OpShape op = op_shape_of(text.text);
      if (to_string(op) != text.text)
        refuse(text, in_quotes(text.text) + " is not how this operator is written",
               "write " + in_quotes(to_string(op)));
      if (!kBytes.contain(largest_bytes(op)))
        refuse(text, in_quotes(text.text) + " has a tensor or weights of more than 4 GiB");
      return op;
    } catch (const InputError& error) {
      const Diagnostic& problem = error.diagnostics().front();
      refuse(text, problem.message, problem.note);
      return {};
    }
  }

  std::string name(const std::string& column) {
    const CsvCell& text = *cell(column);
    if (trimmed(text.text).empty()) refuse(text, in_quotes(column) + " is empty");
    return text.text;
  }

  std::optional<double> number(const std::string& column) {
    const CsvCell& text = *cell(column);
    if (text.text.empty()) return std::nullopt;
    return bounded_number(text, column, kCycles, problems_);
  }

  Origin origin() {
    const CsvCell& text = *cell("origin");
    std::vector<std::string> known;
    for (const auto& [name, origin] : names_of(Origin{})) {
      if (name == text.text) return origin;
      known.push_back(name);
    }
    refuse(text, "no origin is " + in_quotes(text.text) + did_you_mean(text.text, known),
           "origins are " + join(known));
    return Origin::guessed;
  }

  /// "conv:812 requantise:96".
  std::map<std::string, std::int64_t> code_bytes() {
    std::map<std::string, std::int64_t> found;
    const CsvCell* const text = cell("code_bytes");
    if (text == nullptr || text->text.empty()) return found;
    for (const std::string& part : split(text->text, ' ')) {
      const auto colon = part.find(':');
      const std::string kernel = part.substr(0, colon);
      if (colon == std::string::npos || found.contains(kernel)) {
        refuse(*text, in_quotes(part) + " is not a kernel and its bytes",
               "write them like 'conv:812 requantise:96'");
        continue;
      }
      const CsvCell bytes{part.substr(colon + 1), text->where};
      found[kernel] = bounded_integer(bytes, kernel, kBytes, problems_).value_or(0);
    }
    return found;
  }

  std::map<std::string, std::int64_t> classes() {
    std::map<std::string, std::int64_t> found;
    for (std::size_t i = 0; i < table_.header.size(); ++i) {
      const std::string& column = table_.header[i].text;
      const CsvCell& count = (*cells_)[i];
      if (!column.starts_with(kClass) || count.text.empty()) continue;
      if (const auto value = bounded_integer(count, column, {0, kCycles.most}, problems_))
        found[column.substr(kClass.size())] = *value;
    }
    return found;
  }

  void check_figures(const OpRow& row) {
    if (cell("instructions")->text.empty() && cell("cycles")->text.empty()) {
      refuse(*cell("cycles"), "neither instructions nor cycles");
      return;
    }
    if (!row.cycles && !row.instructions) return;  // told already
    if (row.least && *row.least > row.figure())
      refuse(*cell("min"), "'min' is above the figure itself");
    if (row.most && *row.most < row.figure())
      refuse(*cell("max"), "'max' is below the figure itself");
  }

  const CsvTable& table_;
  Diagnostics& problems_;
  const std::vector<CsvCell>* cells_ = nullptr;
};

std::string text_of(const std::optional<double>& number) {
  return number ? number_text(*number) : "";
}

std::string code_text(const std::map<std::string, std::int64_t>& code) {
  std::vector<std::string> parts;
  for (const auto& [kernel, bytes] : code) parts.push_back(fmt::format("{}:{}", kernel, bytes));
  return join(parts, " ");
}

std::string origin_text(Origin origin) {
  const auto& names = names_of(Origin{});
  return std::ranges::find(names, origin, &std::pair<std::string, Origin>::second)->first;
}

/// What a table's file has besides the columns of every table.
struct MoreColumns {
  bool has_setup = false;
  std::set<std::string> classes;
};

MoreColumns more_columns(const LatencyTable& table) {
  MoreColumns made;
  for (const OpRow* const row : table.rows()) {
    made.has_setup = made.has_setup || !row->setup.empty();
    for (const auto& [name, count] : row->classes) made.classes.insert(name);
  }
  return made;
}

std::vector<std::string> cells_of(const OpRow& row, const MoreColumns& more) {
  std::vector<std::string> cells{to_string(row.op), row.target, row.kernels, row.compiler,
                                 row.flags};
  for (const auto& number : {row.instructions, row.cycles}) cells.push_back(text_of(number));
  cells.push_back(fmt::to_string(row.n));
  for (const auto& number : {row.least, row.most}) cells.push_back(text_of(number));
  cells.push_back(origin_text(row.origin));
  cells.push_back(row.constant_bytes ? fmt::to_string(*row.constant_bytes) : "");
  cells.push_back(code_text(row.code_bytes));
  if (more.has_setup) cells.push_back(row.setup);
  for (const std::string& name : more.classes) {
    const auto count = row.classes.find(name);
    cells.push_back(count != row.classes.end() ? fmt::to_string(count->second) : "");
  }
  return cells;
}

std::string line_of(const std::vector<std::string>& cells) {
  std::vector<std::string> quoted;
  for (const std::string& cell : cells) quoted.push_back(csv_cell(cell));
  return join(quoted, ",") + '\n';
}

/// Equal tables are equal files, so there is one way to end a line.
void refuse_carriage_returns(std::string_view text, const std::string& file) {
  const std::size_t at = text.find('\r');
  if (at == std::string_view::npos) return;
  throw InputError{
      Diagnostic{place_of(at, text, file), "carriage return", "end lines with a line feed only"}};
}

}  // namespace

std::string OpRow::build() const { return fmt::format("{} ({} {})", kernels, compiler, flags); }

void LatencyTable::add(OpRow row) {
  const auto [place, is_new] = rows_.try_emplace(key_of(row), row);
  if (!is_new && row.origin < place->second.origin) place->second = std::move(row);
}

void LatencyTable::merge(const LatencyTable& other) {
  for (const auto& [key, row] : other.rows_) add(row);
}

const OpRow* LatencyTable::find(const OpRow& like) const {
  const auto found = rows_.find(key_of(like));
  return found != rows_.end() ? &found->second : nullptr;
}

std::vector<const OpRow*> LatencyTable::rows() const {
  std::vector<const OpRow*> all;
  all.reserve(rows_.size());
  for (const auto& [key, row] : rows_) all.push_back(&row);
  return all;
}

void require_one_setup(std::span<const OpRow* const> rows) {
  std::set<std::string> setups;
  for (const OpRow* const row : rows) setups.insert(in_quotes(row->setup));
  if (setups.size() > 1)
    throw InputError{"rows of several setups: " + join({setups.begin(), setups.end()}),
                     "take a table that has one of them"};
}

LatencyTable parse_latency_table(std::string_view text, const std::string& file) {
  refuse_carriage_returns(text, file);
  const std::size_t end = text.find('\n');
  if (text.substr(0, end) != kFirstLine)
    throw InputError{Diagnostic{{file, 1, 1},
                                "no latency table of this version of thimble",
                                "its first line must be " + in_quotes(kFirstLine)}};
  const CsvTable csv =
      parse_csv(end == std::string_view::npos ? "" : text.substr(end + 1), file, 2);
  LatencyTable table;
  Diagnostics problems;
  RowReader reader{csv, problems};
  if (reader.check_header()) {
    for (const auto& cells : csv.rows) {
      const auto before = problems.size();
      const OpRow row = reader.read(cells);
      if (problems.size() != before) continue;
      const OpRow* const other = table.find(row);
      if (other != nullptr && *other != row)
        problems.error(
            cells.front().where,
            in_quotes(to_string(row.op)) + " stands here a second time, with other figures",
            "remove one of the rows");
      table.add(row);
    }
  }
  problems.throw_if_any();
  return table;
}

LatencyTable read_latency_table(const std::filesystem::path& file) {
  return parse_latency_table(read_file(file), file.string());
}

std::string to_csv(const LatencyTable& table) {
  const MoreColumns more = more_columns(table);
  std::vector<std::string> header = kColumns;
  if (!more.has_setup) header.pop_back();
  for (const std::string& name : more.classes) header.push_back(std::string{kClass} + name);
  std::string text = std::string{kFirstLine} + '\n' + line_of(header);
  for (const OpRow* const row : table.rows()) text += line_of(cells_of(*row, more));
  return text;
}

void write_latency_table(const std::filesystem::path& file, const LatencyTable& table) {
  write_file(file, to_csv(table));
}

}  // namespace thimble
