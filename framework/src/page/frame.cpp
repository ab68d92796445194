#include "frame.hpp"

#include <fmt/format.h>

#include <thimble/page/run_page.hpp>

#include "html.hpp"
#include "sources.hpp"

namespace thimble {
namespace {

/// Nothing is fetched from anywhere, and no script runs but ours.
std::string policy() {
  return fmt::format(
      "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {}; "
      "base-uri 'none'; form-action 'none'",
      kPageScript.empty() ? "'none'" : fmt::format("'{}'", kPageScriptHash));
}

std::string lacks() {
  const std::string why = what_pages_lack();
  if (!why.empty()) return fmt::format("<p class=\"lacks\">This thimble was {}.</p>\n", why);
  return "<noscript><p class=\"lacks\">Without JavaScript the page has its tables and pictures, "
         "but "
         "nothing to drag, sort or compare.</p></noscript>\n";
}

}  // namespace

std::string what_pages_lack() {
  if (!kPageScript.empty()) return "";
  return "built without npm, so pages have tables and pictures, but no parallel coordinates, no "
         "scatter matrix, and nothing to drag, sort or compare";
}

std::string page_frame(const std::string& kind, const std::string& title, const std::string& body,
                       const std::string& data) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>{}</title>\n<style>{}</style>\n"
      "</head>\n<body data-page=\"{}\">\n{}{}",
      policy(), escaped(title), kPageStyle, kind, lacks(), body);
  if (!kPageScript.empty()) {
    html +=
        fmt::format("<script type=\"application/json\" id=\"data\">{}</script>\n<script>", data);
    html += kPageScript;
    html += "</script>\n";
  }
  return html + "</body>\n</html>\n";
}

}  // namespace thimble
