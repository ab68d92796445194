#include <thimble/page/run_page.hpp>

#include <array>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/experiment/study.hpp>

#include "frame.hpp"
#include "html.hpp"
#include "page_json.hpp"
#include "views.hpp"

namespace thimble {
namespace {

struct View {
  const char* id;
  const char* name;
  std::string (*html)(const PageData&);
};
constexpr std::array kViews{View{"verdict", "Verdict", verdict_view},
                            View{"front", "Front", front_view},
                            View{"matrix", "Matrix", matrix_view},
                            View{"selection", "Selection", selection_view},
                            View{"network", "Network", network_view},
                            View{"memory", "Memory", memory_view},
                            View{"agreement", "Proxies", agreement_view},
                            View{"search", "Search", search_view},
                            View{"training", "Training", training_view},
                            View{"provenance", "Provenance", provenance_view}};

}  // namespace

std::string run_page(const PageData& data) {
  std::string links, sections;
  for (const View& view : kViews) {
    const std::string html = view.html(data);
    if (html.empty()) continue;
    const bool is_scripted = html.find("class=\"scripted\"") < html.find('>');
    links += fmt::format("<a href=\"#{}\"{}>{}</a>\n", view.id,
                         is_scripted ? " class=\"scripted\"" : "", view.name);
    sections += html;
  }
  const std::string body = fmt::format(
      "<a class=\"skip\" href=\"#main\">To the verdict</a>\n<header>\n<p "
      "class=\"kind\">thimble</p>\n"
      "<h1>{}</h1>\n<p class=\"headline\">{}</p>\n</header>\n<nav aria-label=\"Views\">{}</nav>\n"
      "<main id=\"main\">\n{}</main>\n",
      escaped(data.name), escaped(headline(data)), links, sections);
  return page_frame("run", data.name + " - thimble", body, json_of_run(data));
}

std::filesystem::path write_page(const std::filesystem::path& run, std::span<const Study> studies,
                                 const std::string& why_not) {
  auto file = run / kPageFile;
  write_file(file, run_page(page_data(read_run(run), studies, why_not)));
  return file;
}

}  // namespace thimble
