#include <thimble/report/course.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/report/tables.hpp>

namespace thimble {
namespace {

/// Of all points, each once, in the order in which they appear.
std::vector<std::string> all_columns(const std::vector<PointOutcome>& outcomes) {
  std::vector<std::string> all;
  for (const PointOutcome& outcome : outcomes)
    for (const std::string& column : outcome.result.course.columns)
      if (std::ranges::find(all, column) == all.end()) all.push_back(column);
  return all;
}

/// By epoch, counted from 1; those that are finite.
std::vector<std::vector<double>> line_of(const Course& course, const std::string& column) {
  std::vector<std::vector<double>> points;
  const auto place = std::ranges::find(course.columns, column) - course.columns.begin();
  for (std::size_t i = 0; i < course.rows.size(); ++i) {
    const std::vector<double>& row = course.rows[i];
    if (place < std::ssize(row) && std::isfinite(row[static_cast<std::size_t>(place)]))
      points.push_back({static_cast<double>(i + 1), row[static_cast<std::size_t>(place)]});
  }
  return points;
}

std::string picture(const std::vector<PointOutcome>& outcomes, const std::string& name,
                    const std::string& column) {
  std::string blocks, lines;
  std::size_t count = 0;
  for (const PointOutcome& outcome : outcomes) {
    const auto points = line_of(outcome.result.course, column);
    if (points.empty()) continue;
    blocks += block(fmt::format("course{}", count), points);
    const std::string key = outcome.row.empty() ? "notitle" : "title " + gnuplot_text(outcome.row);
    lines += fmt::format("{}$course{} using 1:2 with lines lw 2 lc rgb '{}' {}",
                         count == 0 ? "" : ", \\\n  ", count, kColours[count % std::size(kColours)],
                         key);
    ++count;
  }
  if (count == 0) return "";
  return head(name, 1200, 750) + blocks +
         title("Search: " + column, count > 1 ? "a line a point of the sweep" : "") +
         "set xlabel 'epoch'\nset key outside right top Left reverse\n"
         "set grid ytics lt 1 lw 0.4 lc rgb '#bbbbbb'\nplot " +
         lines + "\n";
}

}  // namespace

Table course_table(const std::vector<PointOutcome>& outcomes) {
  Table table{{"point", "row", "seed", "epoch"}, {}};
  const auto columns = all_columns(outcomes);
  table.header.insert(table.header.end(), columns.begin(), columns.end());
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    const PointOutcome& outcome = outcomes[point];
    const Course& course = outcome.result.course;
    for (std::size_t i = 0; i < course.rows.size(); ++i) {
      std::vector<std::string> cells{std::to_string(point + 1), outcome.row,
                                     std::to_string(outcome.seed), std::to_string(i + 1)};
      for (const std::string& column : columns) {
        const auto place = std::ranges::find(course.columns, column) - course.columns.begin();
        cells.push_back(place < std::ssize(course.rows[i])
                            ? number_or_nothing(course.rows[i][static_cast<std::size_t>(place)])
                            : "");
      }
      table.rows.push_back(std::move(cells));
    }
  }
  return table;
}

std::vector<Picture> course_pictures(const std::vector<PointOutcome>& outcomes) {
  std::vector<Picture> pictures;
  for (const std::string& column : all_columns(outcomes)) {
    const std::string name = "search_" + column;
    std::string script = picture(outcomes, name, column);
    if (!script.empty()) pictures.push_back({name, std::move(script)});
  }
  return pictures;
}

}  // namespace thimble
