#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include <thimble/page/run_page.hpp>

#include "frame.hpp"
#include "html.hpp"
#include "page_json.hpp"
#include "pictures.hpp"
#include "views.hpp"

namespace thimble {
namespace {

/// Folders are called 20261130-001607-IDENTITY, the time first.
std::string time_of(const std::filesystem::path& folder) {
  std::string name = folder.filename().string();
  if (name.size() < 15 || name[8] != '-') return name;
  const auto part = [&](std::size_t from, std::size_t count) { return name.substr(from, count); };
  return fmt::format("{}-{}-{} {}:{}", part(0, 4), part(4, 2), part(6, 2), part(9, 2), part(11, 2));
}

std::string state_of(const PageData& run) {
  const auto found = std::ranges::count_if(
      run.points, [](const PageData::Point& point) { return !point.best.is_null(); });
  const auto kept = std::ranges::count_if(run.points, &PageData::Point::keeps_limits);
  const auto has_none = [](const PageData::Point& point) { return point.limits.empty(); };
  if (kept == std::ssize(run.points) && std::ranges::all_of(run.points, has_none))
    return "no limits";
  if (kept == std::ssize(run.points)) return "✓ keeps all limits";
  if (run.points.size() == 1) return found == 0 ? "✗ nothing found" : "✗ beyond the limits";
  return fmt::format("{} of {} points keep the limits", kept, run.points.size());
}

/// The best value of every objective within the limits.
std::string bests_of(const PageData& run) {
  std::vector<std::string> words;
  for (const PageData::Metric& metric : run.metrics) {
    if (!metric.is_objective) continue;
    double best = kNotANumber;
    for (std::size_t i = 0; i < metric.values.size(); ++i)
      if (run.state[i] == PageData::State::feasible &&
          (std::isnan(best) ||
           goodness(metric.values[i], *metric.direction) > goodness(best, *metric.direction)))
        best = metric.values[i];
    if (std::isfinite(best))
      words.push_back(escaped(unit_of(metric.name).label) + " " + shown_html(metric.name, best));
  }
  return words.empty() ? "-" : listed(words);
}

/// What is neither a letter, a digit nor harmless, by its bytes.
std::string address_of(const std::string& path) {
  std::string address;
  for (const char letter : path) {
    const bool is_plain = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                          (letter >= '0' && letter <= '9') ||
                          std::string_view{"-._~/"}.find(letter) != std::string_view::npos;
    address +=
        is_plain ? std::string{letter} : fmt::format("%{:02X}", static_cast<unsigned char>(letter));
  }
  return address;
}

std::string link_to(const PageData& run, const std::filesystem::path& folder) {
  const auto page = run.record.folder / kPageFile;
  std::string name = escaped(run.name);
  if (!std::filesystem::exists(page)) return name;
  const auto path =
      std::filesystem::absolute(page).lexically_relative(std::filesystem::absolute(folder));
  return fmt::format("<a href=\"{}\">{}</a>", address_of(path.generic_string()), name);
}

}  // namespace

std::string index_page(const std::vector<PageData>& runs, const std::filesystem::path& folder) {
  HtmlTable table{
      "Runs, the newest first",
      {"run", "time (UTC)", "networks", "limits", "best of each objective", "front", "identity"},
      {},
      99};
  for (const PageData& run : runs)
    table.rows.push_back({link_to(run, folder), escaped(time_of(run.record.folder)),
                          std::to_string(run.all_networks), state_of(run), bests_of(run),
                          front_thumbnail(run), "<code>" + escaped(run.identity) + "</code>"});
  const std::string body =
      "<header><p class=\"kind\">thimble</p><h1>Runs</h1></header>\n<main id=\"main\">\n" +
      section(
          "runs", "All runs",
          "A row is a run. <span class=\"scripted\">Tick two to four with the same objectives to "
          "set their fronts against each other.</span>",
          to_html(table)) +
      section("compare", "Fronts compared", "Nothing is ticked yet.",
              "<div class=\"view\"></div>\n", " class=\"scripted\"") +
      "</main>\n";
  return page_frame("index", "Runs - thimble", body, json_of_fronts(runs));
}

}  // namespace thimble
