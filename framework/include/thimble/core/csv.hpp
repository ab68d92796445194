#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>

namespace thimble {

/// One cell of a table, and where it was written.
struct CsvCell {
  std::string text;
  Location where;
};

/// A table with a header. Every row has as many cells as the header.
struct CsvTable {
  std::vector<CsvCell> header;
  std::vector<std::vector<CsvCell>> rows;

  THIMBLE_EXPORT std::optional<std::size_t> find(std::string_view column) const;
  /// Throws InputError that names the columns there are.
  THIMBLE_EXPORT std::size_t column(std::string_view name) const;
};

/// Reads commas, quotes and lines as RFC 4180 has them (lines may end without a carriage return,
/// too), but strictly: one line a row, UTF-8, no control characters, no empty lines,
/// no column twice. `first_line` is the number of the text's first line; cells may be separated by
/// another letter. Throws InputError with the first thing that is wrong.
THIMBLE_EXPORT CsvTable parse_csv(std::string_view text, const std::string& file,
                                  int first_line = 1, char separator = ',');

/// Takes blanks off the ends of all cells, as people's spreadsheets write them. Throws InputError
/// where two columns have one name then, or one has none.
THIMBLE_EXPORT void trim_cells(CsvTable& table);

/// True for what a cell can hold: no control characters, so one line.
THIMBLE_EXPORT bool is_cell_text(std::string_view text);

/// A cell as parse_csv() reads it back: in quotes where it has to be. Throws Error for what no cell
/// can hold.
THIMBLE_EXPORT std::string csv_cell(std::string_view text);

}  // namespace thimble
