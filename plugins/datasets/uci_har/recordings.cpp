#include "recordings.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>
#include <thimble/nn/npy.hpp>

namespace uci_har {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWindow = kSensors * kLength;
constexpr std::array kParts{"train", "test"};

constexpr const char* kUnpack = "unpack the data again; other files cannot be read";

[[noreturn]] void refuse(const thimble::Location& where, std::string message,
                         std::string note = kUnpack) {
  throw thimble::InputError{thimble::Diagnostic{where, std::move(message), std::move(note)}};
}

[[noreturn]] void refuse(const fs::path& file, std::string message, std::string note = kUnpack) {
  refuse(thimble::Location{file.string()}, std::move(message), std::move(note));
}

/// A whole number from `least` to `most`.
std::int64_t label(double read, std::int64_t least, std::int64_t most,
                   const thimble::Location& where) {
  if (read < static_cast<double>(least) || read > static_cast<double>(most) ||
      std::floor(read) != read)
    refuse(where, thimble::number_text(read) + " is none of " + std::to_string(least) + " to " +
                      std::to_string(most));
  return static_cast<std::int64_t>(read);
}

void append(const std::vector<std::int64_t>& from, std::vector<std::int64_t>& to) {
  to.insert(to.end(), from.begin(), from.end());
}

// --- Text: a window a line, a file for each sensor ---

float number_of(std::string_view word, const thimble::Location& where) {
  float number = 0;
  const auto [end, problem] = std::from_chars(word.data(), word.data() + word.size(), number);
  const bool is_number = problem != std::errc::invalid_argument && end == word.data() + word.size();
  if (is_number && problem == std::errc::result_out_of_range)
    refuse(where, thimble::in_quotes(word) + " is out of range for a number of 32 bits");
  if (!is_number || !std::isfinite(number))
    refuse(where, thimble::in_quotes(word) + " is no number");
  return number;
}

/// Calls `take` with each number of a line, and its place. Returns how many there are.
template <class Take>
std::size_t take_numbers(std::string_view line, thimble::Location where, const Take& take) {
  constexpr std::string_view kBlanks = " \t\r";
  std::size_t found = 0;
  for (std::size_t begin = line.find_first_not_of(kBlanks); begin != std::string_view::npos;
       ++found) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    where.column = 1 + static_cast<int>(begin);
    take(number_of(line.substr(begin, end - begin), where), where);
    begin = line.find_first_not_of(kBlanks, end);
  }
  return found;
}

/// Calls `take` with each number of a file, and its place: lines of `columns` numbers with blanks
/// between them.
template <class Take>
void read_text(const fs::path& file, std::size_t columns, const Take& take) {
  const std::string bytes = thimble::read_file(file);
  std::string_view rest = thimble::plain_text(bytes, file.string(), kUnpack);
  for (thimble::Location where{file.string(), 1, 1}; !rest.empty(); ++where.line) {
    const std::size_t length = std::min(rest.find('\n'), rest.size() - 1);
    std::string_view line = rest.substr(0, length + 1);
    if (line.ends_with('\n')) line.remove_suffix(1);
    const std::size_t found = take_numbers(line, where, take);
    if (found != columns)
      refuse(where,
             std::to_string(found) + " numbers in a line, expected " + std::to_string(columns));
    rest.remove_prefix(length + 1);
  }
}

/// A label a line, from 1 to `most`.
std::vector<std::int64_t> read_text_labels(const fs::path& file, std::int64_t most) {
  std::vector<std::int64_t> labels;
  read_text(file, 1, [&](float number, const thimble::Location& where) {
    labels.push_back(label(number, 1, most, where));
  });
  return labels;
}

void read_text_part(const fs::path& folder, const std::string& part, Recordings& recordings) {
  const fs::path activity_file = folder / part / ("y_" + part + ".txt");
  const fs::path person_file = folder / part / ("subject_" + part + ".txt");
  auto activities = read_text_labels(activity_file, kActivities);
  for (std::int64_t& activity : activities) --activity;
  append(activities, recordings.activities);
  append(read_text_labels(person_file, kPeople), recordings.people);
  const std::size_t first = recordings.signals.size() / kWindow;
  recordings.signals.resize(recordings.activities.size() * kWindow);
  std::size_t sensor = 0;
  for (const char* const quantity : {"body_acc_", "body_gyro_", "total_acc_"})
    for (const char* const axis : {"x_", "y_", "z_"}) {
      const fs::path file =
          folder / part / "Inertial Signals" / (std::string{quantity} + axis + part + ".txt");
      std::vector<float> read;
      read_text(file, kLength,
                [&](float number, const auto& /*where*/) { read.push_back(number); });
      const std::size_t windows = activities.size();
      if (read.size() != windows * kLength)
        refuse(file, std::to_string(read.size() / kLength) + " windows, and " +
                         std::to_string(windows) + " labels in " + activity_file.string());
      for (std::size_t i = 0; i < windows; ++i)
        std::copy_n(read.data() + i * kLength, kLength,
                    recordings.signals.data() + (first + i) * kWindow + sensor * kLength);
      ++sensor;
    }
}

// --- Arrays: int16 with a scale for each sensor ---

std::vector<std::int64_t> read_array_labels(const fs::path& file, std::int64_t least,
                                            std::int64_t most) {
  auto labels = thimble::Npy{file}.whole_numbers();
  for (const std::int64_t read : labels)
    label(static_cast<double>(read), least, most, {file.string()});
  return labels;
}

void read_array_part(const fs::path& folder, const std::string& part, Recordings& recordings) {
  const fs::path signal_file = folder / ("X_" + part + "_i16.npy");
  const fs::path activity_file = folder / ("y_" + part + "_u8.npy");
  const fs::path person_file = folder / ("subject_" + part + "_u8.npy");
  append(read_array_labels(activity_file, 0, kActivities - 1), recordings.activities);
  append(read_array_labels(person_file, 1, kPeople), recordings.people);
  const thimble::Npy signals{signal_file};
  if (signals.type() != "<i2" || signals.shape().size() != 3 || signals.shape()[1] != kSensors ||
      signals.shape()[2] != kLength)
    refuse(signal_file, "not an array of <i2 of the shape (N, 9, 128)");
  constexpr float kAcceleration = 1.0F / 8192, kVelocity = 1.0F / 4096;
  std::vector<float> window(kWindow);
  for (std::int64_t row = 0; row < signals.rows(); ++row) {
    signals.read(row, window);
    for (std::size_t i = 0; i < kWindow; ++i) {
      const std::size_t quantity = i / (3 * kLength);
      recordings.signals.push_back(window[i] * (quantity == 1 ? kVelocity : kAcceleration));
    }
  }
  if (recordings.signals.size() != recordings.activities.size() * kWindow)
    refuse(signal_file, std::to_string(signals.rows()) + " windows, not as many as labels in " +
                            activity_file.string());
}

}  // namespace

Recordings read_recordings(const fs::path& folder) {
  std::error_code ignored;
  const bool is_text = fs::exists(folder / "train", ignored);
  if (!is_text && !fs::exists(folder / "X_train_i16.npy", ignored))
    refuse(folder, "neither 'train/' nor 'X_train_i16.npy' is there",
           "unpack 'UCI HAR Dataset.zip' of archive.ics.uci.edu/dataset/240 there; --data DIR says "
           "where the folder lies");
  Recordings recordings;
  for (const char* const part : kParts) {
    is_text ? read_text_part(folder, part, recordings) : read_array_part(folder, part, recordings);
    if (recordings.people.size() != recordings.activities.size())
      refuse(folder, "as many people as labels are expected for '" + std::string{part} +
                         "', found " + std::to_string(recordings.people.size()) + " and " +
                         std::to_string(recordings.activities.size()));
  }
  return recordings;
}

}  // namespace uci_har
