#include <thimble/report/tables.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/statistics.hpp>

namespace thimble {
namespace {

/// Columns of the display width, which is what UTF-8 text of one-column letters has.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// A bar by itself would end the cell.
std::string in_a_cell(const std::string& text) {
  std::string cell;
  for (const char letter : text) cell += letter == '|' ? "\\|" : std::string(1, letter);
  return cell;
}

}  // namespace

std::string mean_text(const std::vector<double>& values) {
  if (values.empty()) return "-";
  const auto [mean, deviation] = mean_and_deviation(values);
  if (!std::isfinite(mean)) return "-";
  const double size = std::abs(mean);
  const int decimals = size >= 1000 || size == 0 ? 0
                       : size >= 100             ? 1
                       : size >= 1               ? 2
                       : size >= 0.01            ? 3
                                                 : 5;
  const std::string text =
      size >= 1e6 ? fmt::format("{:.3g}", mean) : fmt::format("{:.{}f}", mean, decimals);
  return deviation > 0 ? text + (size >= 1e6 ? fmt::format(" ± {:.2g}", deviation)
                                             : fmt::format(" ± {:.{}f}", deviation, decimals))
                       : text;
}

std::string number_or_nothing(double value) {
  return std::isfinite(value) ? number_text(value) : "";
}

std::string to_markdown(const Table& given) {
  Table table = given;
  for (auto& row : table.rows)
    for (std::string& cell : row) cell = in_a_cell(cell);
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    std::size_t width = std::max<std::size_t>(3, width_of(table.header[i]));
    for (const auto& row : table.rows) width = std::max(width, width_of(row[i]));
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string gap(widths[i] - width_of(cells[i]), ' ');
      out += "| " + (i == 0 ? cells[i] + gap : gap + cells[i]) + " ";
    }
    out += "|\n";
  };
  add_line(table.header);
  for (std::size_t i = 0; i < widths.size(); ++i)
    out += i == 0 ? "|" + std::string(widths[i] + 2, '-')
                  : "|" + std::string(widths[i] + 1, '-') + ":";
  out += "|\n";
  for (const auto& row : table.rows) add_line(row);
  return out;
}

std::string to_csv(const Table& table) {
  std::string out;
  const auto add_line = [&](const std::vector<std::string>& cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) out += ',';
      if (cells[i].find_first_of(",\"\n") == std::string::npos) {
        out += cells[i];
        continue;
      }
      out += '"';
      for (const char letter : cells[i]) out += letter == '"' ? "\"\"" : std::string(1, letter);
      out += '"';
    }
    out += '\n';
  };
  add_line(table.header);
  for (const auto& row : table.rows) add_line(row);
  return out;
}

}  // namespace thimble
