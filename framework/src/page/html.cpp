#include "html.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/search/cost_metrics.hpp>

namespace thimble {

std::string escaped(std::string_view text) {
  // Lines and tabs stay; what turns the direction of the text behind it is shown.
  const std::string plain = replace_controls(text, [](const ControlCharacter& control) {
    return control.bytes == 1 ? std::string(1, static_cast<char>(control.code)) : control.escape();
  });
  std::string html;
  html.reserve(plain.size());
  for (const char letter : plain) switch (letter) {
      case '&': html += "&amp;"; break;
      case '<': html += "&lt;"; break;
      case '>': html += "&gt;"; break;
      case '"': html += "&quot;"; break;
      case '\'': html += "&#39;"; break;
      default: html += letter;
    }
  return html;
}

std::string arch_html(std::string_view arch) {
  std::string html = "<code>";
  while (!arch.empty()) {
    const std::string_view decision = arch.substr(0, arch.find_first_of(",;|+"));
    const std::size_t end = std::min(decision.size() + 1, arch.size());
    html += escaped(arch.substr(0, end));
    arch.remove_prefix(end);
    if (!arch.empty()) html += "<wbr>";
  }
  return html + "</code>";
}

Unit unit_of(const std::string& metric) {
  if (metric == "macs") return {"MACs", "M", 1e6};
  if (metric == "params") return {"parameters", "k", 1e3};
  if (metric == "latency_ms") return {"latency", "ms", 1};
  if (metric == "energy_mj") return {"energy", "mJ", 1};
  if (metric == "ram_bytes") return {"RAM", "KiB", 1024};
  if (metric == "rom_bytes") return {"flash", "KiB", 1024};
  if (metric == "accuracy" || metric.starts_with("accuracy.")) return {metric, "%", 1};
  return {metric, "", 1};
}

std::string few_digits(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::abs(value);
  if (size != 0 && (size >= 1e6 || size < 1e-4)) return fmt::format("{:.3g}", value);
  std::string text = size >= 1000 ? fmt::format("{:.0f}", value) : fmt::format("{:.4g}", value);
  return text;
}

std::string shown(const std::string& metric, double value) {
  if (!std::isfinite(value)) return "-";
  const Unit unit = unit_of(metric);
  const std::string number = few_digits(value / unit.factor);
  return unit.symbol.empty() ? number : number + " " + unit.symbol;
}

std::string shown_html(const std::string& metric, double value) {
  if (!std::isfinite(value)) return "<span class=\"none\">no value</span>";
  return fmt::format("<data value=\"{}\">{}</data>", number_text(value),
                     escaped(shown(metric, value)));
}

std::string percent(double share) {
  if (!std::isfinite(share)) return "-";
  if (share > 0 && share < 0.005) return "<1 %";
  constexpr double kManyTimes = 100;
  if (share >= kManyTimes) return few_digits(share) + " times";
  return fmt::format("{:.0f} %", 100 * share);
}

std::string to_html(const HtmlTable& table) {
  std::string html = fmt::format(
      "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{0}\"><table>"
      "<caption>{0}</caption>\n<thead><tr>",
      table.caption);
  const auto cell_class = [&](std::size_t column) {
    return column >= table.first_number ? " class=\"number\"" : "";
  };
  for (std::size_t i = 0; i < table.header.size(); ++i)
    html += fmt::format("<th scope=\"col\"{}>{}</th>", cell_class(i), table.header[i]);
  html += "</tr></thead>\n<tbody>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (std::size_t i = 0; i < row.size(); ++i)
      html += i == 0 ? "<th scope=\"row\">" + row[i] + "</th>"
                     : fmt::format("<td{}>{}</td>", cell_class(i), row[i]);
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string listed(const std::vector<std::string>& words) {
  if (words.size() < 2) return join(words);
  const std::vector<std::string> head(words.begin(), words.end() - 1);
  return join(head) + " and " + words.back();
}

std::string section(const std::string& id, const std::string& heading, const std::string& reading,
                    const std::string& content, const std::string& attributes) {
  return fmt::format(
      "<section id=\"{0}\" aria-labelledby=\"{0}-heading\"{1}>\n<h2 id=\"{0}-heading\">{2}</h2>\n"
      "<p class=\"reading\">{3}</p>\n{4}</section>\n",
      id, attributes, heading, reading, content);
}

}  // namespace thimble
