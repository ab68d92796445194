#include <algorithm>
#include <string_view>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>

#include "series.hpp"

namespace recordings {
namespace {

/// Goes through a file line by line.
class TsReader {
 public:
  TsReader(int length, std::vector<std::string>& class_names, Series& series)
      : is_fitted_{length > 0}, class_names_{class_names}, series_{series} {
    if (is_fitted_) series_.length = length;
  }

  void read(const std::filesystem::path& file) {
    const std::string bytes = thimble::read_file(file);
    where_ = {file.string()};
    for (const std::string& line :
         thimble::split(thimble::plain_text(bytes, file.string()), '\n')) {
      ++where_.line;
      const std::string_view text = thimble::trimmed(line);
      if (text.empty() || text.starts_with('#')) continue;
      if (text.starts_with('@'))
        read_header(std::string{text});
      else
        read_series(std::string{text});
    }
    if (!is_data_) refuse({where_.file}, "no line '@data'", "is it a file of the .ts format?");
  }

 private:
  void read_header(const std::string& text) {
    std::vector<std::string> words;
    for (const std::string& word : thimble::split(text, ' '))
      if (!thimble::trimmed(word).empty()) words.emplace_back(thimble::trimmed(word));
    const bool is_true = words.size() > 1 && words[1] == "true";
    if (words[0] == "@data") is_data_ = true;
    if (words[0] == "@timeStamps" && is_true)
      refuse(where_, "series with time stamps are not read", "evenly spaced series have none");
    if (words[0] != "@classLabel") return;
    if (!is_true) refuse(where_, "series without classes", "there is nothing to learn from them");
    if (class_names_.empty()) class_names_.assign(words.begin() + 2, words.end());
  }

  void read_series(const std::string& text) {
    if (!is_data_) refuse(where_, "a series before the line '@data'", "it stands before the first");
    std::vector<std::string> parts = thimble::split(text, ':');
    const std::string label{thimble::trimmed(parts.back())};
    parts.pop_back();
    if (series_.sensors == 0) series_.sensors = static_cast<int>(parts.size());
    if (parts.empty() || std::ssize(parts) != series_.sensors)
      refuse(where_,
             thimble::count_text(std::ssize(parts), "dimension") + ", expected " +
                 std::to_string(series_.sensors),
             "dimensions and then the class, with colons between them");
    require_class(label, class_names_, where_);
    if (series_.length == 0)
      series_.length = static_cast<int>(thimble::split(parts.front(), ',').size());
    // All of it before there is room for a sample, which may be large while the line is no series.
    std::vector<std::vector<float>> values;
    for (const std::string& part : parts) values.push_back(values_of(part));
    const std::size_t begin = series_.values.size();
    const auto sensors = parts.size(), length = static_cast<std::size_t>(series_.length);
    series_.values.resize(begin + sensors * length);
    for (std::size_t sensor = 0; sensor < sensors; ++sensor)
      for (std::size_t time = 0; time < values[sensor].size(); ++time)
        series_.values[begin + time * sensors + sensor] = values[sensor][time];
    series_.begins.push_back(begin);
    series_.labels.push_back(label);
  }

  /// Those of one sensor that a sample has.
  std::vector<float> values_of(const std::string& part) const {
    const auto numbers = thimble::split(part, ',');
    if (!is_fitted_ && std::ssize(numbers) != series_.length)
      refuse(where_,
             thimble::count_text(std::ssize(numbers), "value") + ", expected " +
                 std::to_string(series_.length),
             "'length' cuts long series, and fills short ones up with zeros");
    std::vector<float> values;
    for (const std::string& number : numbers)
      if (std::ssize(values) < series_.length) values.push_back(number_of(number, where_));
    return values;
  }

  bool is_fitted_;
  bool is_data_ = false;
  std::vector<std::string>& class_names_;
  Series& series_;
  thimble::Location where_;
};

}  // namespace

void read_ts_file(const std::filesystem::path& file, int length,
                  std::vector<std::string>& class_names, Series& series) {
  const std::size_t before = series.begins.size();
  TsReader{length, class_names, series}.read(file);
  if (series.begins.size() == before)
    refuse({file.string()}, "no series in it", "they stand behind '@data', one a line");
}

}  // namespace recordings
