#include <thimble/core/csv.hpp>

#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>

namespace thimble {
namespace {

[[noreturn]] void refuse(const Location& where, const std::string& what, const std::string& note) {
  throw InputError{Diagnostic{where, what, note}};
}

/// A tab is none.
std::optional<ControlCharacter> find_strange(std::string_view text) {
  auto found = find_control(text);
  while (found && found->code == '\t') found = find_control(text, found->at + 1);
  return found;
}

void refuse_strange_characters(std::string_view line, const Location& start) {
  if (const auto strange = find_strange(line))
    refuse({start.file, start.line, 1 + static_cast<int>(strange->at)},
           "control character " + strange->escape(), "a table is plain text: remove it");
}

/// Cuts one line into cells.
class Line {
 public:
  Line(std::string_view text, Location start, char separator)
      : text_{text}, start_{std::move(start)}, separator_{separator} {
    refuse_strange_characters(text, start_);
  }

  std::vector<CsvCell> cells() {
    std::vector<CsvCell> found;
    for (;;) {
      const Location where = place();
      found.push_back({is_next('"') ? quoted(where) : plain(), where});
      if (at_ == text_.size()) return found;
      ++at_;  // the separator
    }
  }

 private:
  bool is_next(char c) const { return at_ < text_.size() && text_[at_] == c; }
  Location place() const { return {start_.file, start_.line, 1 + static_cast<int>(at_)}; }

  std::string plain() {
    const std::size_t end = std::min(text_.find(separator_, at_), text_.size());
    const std::string_view cell = text_.substr(at_, end - at_);
    if (const auto quote = cell.find('"'); quote != std::string_view::npos) {
      at_ += quote;
      refuse(place(), "a quote inside of a cell", "put the whole cell in quotes, and double them");
    }
    at_ = end;
    return std::string{cell};
  }

  std::string quoted(const Location& where) {
    std::string cell;
    for (++at_; at_ < text_.size(); ++at_) {
      if (text_[at_] != '"') {
        cell += text_[at_];
        continue;
      }
      ++at_;
      if (at_ == text_.size() || text_[at_] == separator_) return cell;
      if (text_[at_] != '"')
        refuse(place(), "text behind a closing quote", "double the quotes inside of a cell");
      cell += '"';
    }
    refuse(where, "a quote is never closed", "cells end with their line");
  }

  std::string_view text_;
  Location start_;
  char separator_;
  std::size_t at_ = 0;
};

void require_names(const std::vector<CsvCell>& header) {
  for (auto cell = header.begin(); cell != header.end(); ++cell) {
    if (cell->text.empty())
      refuse(cell->where, "a column without a name", "name it, or remove the separator");
    const bool is_repeated = std::any_of(
        header.begin(), cell, [&](const CsvCell& other) { return other.text == cell->text; });
    if (is_repeated)
      refuse(cell->where, "a second column " + in_quotes(cell->text), "rename or remove one");
  }
}

void require_width(const std::vector<CsvCell>& row, std::size_t columns, const Location& start) {
  const std::string what = fmt::format("{} cells, the header has {}", row.size(), columns);
  if (row.size() < columns) refuse(start, what, "is the file whole?");
  if (row.size() > columns)
    refuse(row[columns].where, what + ": one too many is " + in_quotes(row[columns].text),
           "write numbers with a point, and put a cell with a comma in quotes");
}

}  // namespace

std::optional<std::size_t> CsvTable::find(std::string_view column) const {
  const auto found = std::ranges::find(header, column, &CsvCell::text);
  if (found == header.end()) return std::nullopt;
  return static_cast<std::size_t>(found - header.begin());
}

std::size_t CsvTable::column(std::string_view name) const {
  if (const auto found = find(name)) return *found;
  std::vector<std::string> names;
  for (const CsvCell& cell : header) names.push_back(cell.text);
  refuse(header.front().where, "no column " + in_quotes(name) + did_you_mean(name, names),
         "columns are " + join(names));
}

CsvTable parse_csv(std::string_view text, const std::string& file, int first_line, char separator) {
  CsvTable table;
  Location start{file, first_line, 1};
  text = plain_text(text, file);
  if (text.empty()) refuse(start, "there is no header", "name the columns in the first line");
  for (std::size_t at = 0; at < text.size(); ++start.line) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    if (end == at) refuse(start, "an empty line", "remove it");
    std::string_view line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    auto cells = Line{line, start, separator}.cells();
    at = end + 1;
    if (table.header.empty()) {
      require_names(cells);
      table.header = std::move(cells);
      continue;
    }
    require_width(cells, table.header.size(), start);
    table.rows.push_back(std::move(cells));
  }
  return table;
}

void trim_cells(CsvTable& table) {
  const auto trim = [](CsvCell& cell) {
    if (const auto text = trimmed(cell.text); text.size() != cell.text.size())
      cell.text = std::string{text};
  };
  std::ranges::for_each(table.header, trim);
  require_names(table.header);
  for (auto& row : table.rows) std::ranges::for_each(row, trim);
}

bool is_cell_text(std::string_view text) { return !find_strange(text); }

std::string csv_cell(std::string_view text) {
  if (!is_cell_text(text))
    throw Error{"a table cannot hold the control characters of " + in_quotes(text)};
  if (text.find_first_of(",\"") == std::string_view::npos) return std::string{text};
  std::string quoted = "\"";
  for (const char c : text) {
    quoted += c;
    if (c == '"') quoted += c;
  }
  return quoted + '"';
}

}  // namespace thimble
