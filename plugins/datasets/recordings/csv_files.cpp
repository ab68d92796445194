#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>

#include "series.hpp"

namespace recordings {
namespace {

namespace fs = std::filesystem;

/// One recording, and what a table says of it.
struct Source {
  fs::path file;
  std::optional<std::string> label;
  std::optional<std::string> group;
};

thimble::CsvTable read_table(const fs::path& file) {
  thimble::CsvTable table = thimble::parse_csv(thimble::read_file(file), file.string());
  trim_cells(table);
  return table;
}

std::vector<Source> listed(const fs::path& folder, const CsvFormat& format) {
  const thimble::CsvTable table = read_table(folder / format.table);
  const std::size_t file = table.column("file");
  const auto label = table.find(format.label), group = table.find(format.group);
  std::vector<Source> sources;
  for (const auto& row : table.rows) {
    Source& source = sources.emplace_back();
    source.file = folder / row[file].text;
    if (label) {
      require_class(row[*label].text, format.class_names, row[*label].where);
      source.label = row[*label].text;
    }
    if (group) source.group = row[*group].text;
  }
  return sources;
}

bool has_folders(const fs::path& folder) {
  return std::ranges::any_of(fs::directory_iterator{folder},
                             [](const auto& entry) { return entry.is_directory(); });
}

std::vector<Source> found(const fs::path& folder) {
  std::error_code problem;
  std::vector<fs::path> files;
  if (fs::is_regular_file(folder, problem))
    files.push_back(folder);
  else
    for (const auto& entry : fs::directory_iterator{folder, problem})
      if (entry.path().extension() == ".csv" && !entry.path().filename().string().starts_with('.'))
        files.push_back(entry.path());
  if (problem) refuse({folder.string()}, problem.message(), "'folder' says where the files are");
  if (files.empty())
    refuse({folder.string()}, "no file in it ends in .csv",
           has_folders(folder) ? "files of folders within it are not read: name them in a 'table', "
                                 "or one of the folders as 'folder'"
                               : "'folder' says where the files are");
  std::ranges::sort(files);
  std::vector<Source> sources;
  for (const fs::path& file : files) sources.push_back({file, {}, {}});
  return sources;
}

/// Appends a recording's values, and the windows in them.
void read_recording(const Source& source, const CsvFormat& format, Series& series) {
  const thimble::CsvTable table = read_table(source.file);
  std::vector<std::size_t> columns;
  columns.reserve(format.signals.size());
  for (const std::string& signal : format.signals) columns.push_back(table.column(signal));
  std::optional<std::size_t> label, group;
  if (!source.label) label = table.column(format.label);
  if (!source.group && !format.group.empty()) group = table.column(format.group);
  const std::string name = source.file.filename().string();
  const auto length = static_cast<std::size_t>(format.length);

  std::pair<std::string, std::string> current;
  std::size_t run = 0;  // rows since label and group are what they are
  for (const auto& row : table.rows) {
    std::pair<std::string, std::string> now{label ? row[*label].text : *source.label,
                                            group ? row[*group].text : source.group.value_or(name)};
    if (now != current) {
      if (label) require_class(now.first, format.class_names, row[*label].where);
      run = 0;
      current = std::move(now);
    }
    for (const std::size_t column : columns)
      series.values.push_back(number_of(row[column].text, row[column].where));
    ++run;
    if (run < length || (run - length) % static_cast<std::size_t>(format.stride) != 0) continue;
    series.begins.push_back(series.values.size() - length * columns.size());
    series.labels.push_back(current.first);
    series.groups.push_back(current.second);
  }
}

}  // namespace

Series read_csv_files(const fs::path& folder, const CsvFormat& format) {
  Series series;
  series.sensors = static_cast<int>(format.signals.size());
  series.length = format.length;
  for (const Source& source : format.table.empty() ? found(folder) : listed(folder, format))
    read_recording(source, format, series);
  if (series.begins.empty())
    refuse({folder.string()},
           "no stretch of one label has " + thimble::count_text(format.length, "row"),
           "a smaller 'length' makes shorter windows");
  return series;
}

void refuse(const thimble::Location& where, std::string message, std::string note) {
  throw thimble::InputError{thimble::Diagnostic{where, std::move(message), std::move(note)}};
}

float number_of(const std::string& word, const thimble::Location& where) {
  const std::string_view text = thimble::trimmed(word);
  const auto number = thimble::parse_number(text);
  double ignored = 0;
  const bool is_beyond_doubles =
      !number &&
      std::from_chars(text.data(), text.data() + text.size(), ignored) ==
          std::from_chars_result{text.data() + text.size(), std::errc::result_out_of_range};
  if (!number && !is_beyond_doubles)
    refuse(where, thimble::in_quotes(word) + " is no number", "fill in what is missing");
  if (!number || std::abs(*number) > std::numeric_limits<float>::max())
    refuse(where, thimble::in_quotes(word) + " is out of range for a number of 32 bits",
           "another unit makes it smaller");
  return static_cast<float>(*number);
}

void require_class(const std::string& label, const std::vector<std::string>& names,
                   const thimble::Location& where) {
  if (thimble::trimmed(label).empty()) refuse(where, "no label", "fill in what is missing");
  if (names.empty() || std::ranges::count(names, label) > 0) return;
  refuse(where, thimble::in_quotes(label) + " is no class" + thimble::did_you_mean(label, names),
         "classes are " + thimble::join(names));
}

}  // namespace recordings
