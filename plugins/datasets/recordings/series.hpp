#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <thimble/core/error.hpp>

/// The two kinds of files that recordings come in.
namespace recordings {

/// Samples cut out of recordings.
struct Series {
  int sensors = 0;
  int length = 0;                   ///< points in time of a sample
  std::vector<float> values;        ///< time by time, a value a sensor
  std::vector<std::size_t> begins;  ///< of samples, among the values
  std::vector<std::string> labels;  ///< of samples
  std::vector<std::string> groups;  ///< of samples, or none
};

/// How signals lie in CSV files, and how windows are cut out of them.
struct CsvFormat {
  std::vector<std::string> signals;  ///< columns
  std::string label;                 ///< column
  std::string group;                 ///< column; none: each file is a group
  std::string table;                 ///< file with a row a file; none: all files of the folder
  int length = 0;
  int stride = 0;
  std::vector<std::string> class_names;  ///< those that a label may have; none: any
};

/// Windows within stretches of one label and group. Throws InputError with file, line and column.
Series read_csv_files(const std::filesystem::path& folder, const CsvFormat& format);

/// One file of the UEA archive's format: a series a line. Those that are not `length` long are cut,
/// or filled up with zeros; 0: all are as long as the first. Appends to `series`, which further
/// files share. Names of classes, where none are given, become the file's. Throws InputError with
/// file and line.
void read_ts_file(const std::filesystem::path& file, int length,
                  std::vector<std::string>& class_names, Series& series);

/// A number that a 32-bit float can hold.
float number_of(const std::string& word, const thimble::Location& where);

/// Throws InputError unless it is among the names or there are none.
void require_class(const std::string& label, const std::vector<std::string>& names,
                   const thimble::Location& where);

[[noreturn]] void refuse(const thimble::Location& where, std::string message, std::string note);

}  // namespace recordings
