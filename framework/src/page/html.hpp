#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace thimble {

/// As text or as an attribute in double quotes.
std::string escaped(std::string_view text);

/// An architecture, to be broken between its decisions where a line is too short for it.
std::string arch_html(std::string_view arch);

/// How a metric's numbers are written for people.
struct Unit {
  std::string label;   ///< "RAM", "latency", or the metric's own name
  std::string symbol;  ///< "KiB", or nothing
  double factor = 1;   ///< of the symbol, in the metric's own unit
};
Unit unit_of(const std::string& metric);

/// Four digits at most: "220.5", "0.01234", "1.2e+09".
std::string few_digits(double value);
/// With its unit: "80.4 KiB"; "-" for what is no number.
std::string shown(const std::string& metric, double value);
/// The same as an element that keeps the whole number.
std::string shown_html(const std::string& metric, double value);
/// "<1 %", "62 %".
std::string percent(double share);

/// Cells are HTML already; those of `numbers` columns stand to the right.
struct HtmlTable {
  std::string caption;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> rows;
  std::size_t first_number = 1;  ///< this column and all behind it
};
/// Scrolls by itself where it is too wide.
std::string to_html(const HtmlTable& table);

/// "a", "a and b", "a, b and c".
std::string listed(const std::vector<std::string>& words);

/// A section of the page with its heading and the sentence that says how to read it (HTML).
std::string section(const std::string& id, const std::string& heading, const std::string& reading,
                    const std::string& content, const std::string& attributes = "");

}  // namespace thimble
