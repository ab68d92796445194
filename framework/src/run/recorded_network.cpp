#include <thimble/run/recorded_network.hpp>

#include <algorithm>
#include <cstring>
#include <fstream>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/run/result_files.hpp>
#include <thimble/run/run_folder.hpp>

namespace thimble {
namespace {

CsvTable read_table(const std::filesystem::path& file) {
  return parse_csv(read_file(file), file.string());
}

/// From 0.
std::size_t point_in(const CsvCell& point) {
  const auto number = parse_integer(point.text);
  if (!number || *number < 1)
    throw InputError{Diagnostic{point.where, in_quotes(point.text) + " is no point",
                                "candidates.csv has been changed"}};
  return static_cast<std::size_t>(*number) - 1;
}

std::vector<RecordedTraining> trainings_of(const std::filesystem::path& run, std::size_t number) {
  std::vector<RecordedTraining> trainings;
  const auto file = run / "trained.csv";
  if (!std::filesystem::exists(file)) return trainings;
  const CsvTable table = read_table(file);
  const std::size_t network = table.column("network"), seed = table.column("seed");
  const auto names = table.find("dataset");
  for (const auto& row : table.rows) {
    const auto value = parse_integer(row[seed].text);
    if (row[network].text != std::to_string(number) || !value) continue;
    RecordedTraining training{names ? row[*names].text : "", static_cast<std::uint64_t>(*value)};
    training.weights = run / weights_file(number, training.dataset, training.seed);
    if (std::filesystem::exists(training.weights)) trainings.push_back(std::move(training));
  }
  return trainings;
}

/// What stands behind the beginning of a comment above the resolved experiment.
std::string comment_of(const std::filesystem::path& run, const char* begin) {
  std::ifstream stream{resolved_file(run, 0)};
  for (std::string line; std::getline(stream, line) && line.starts_with('#');)
    if (line.starts_with(begin)) return line.substr(std::strlen(begin));
  return "";
}

}  // namespace

std::filesystem::path resolved_file(const std::filesystem::path& run, std::size_t point) {
  const auto one = run / "resolved.yaml";
  return std::filesystem::exists(one) ? one
                                      : run / "resolved" / fmt::format("{:03}.yaml", point + 1);
}

std::string recorded_arithmetic(const std::filesystem::path& run) {
  return comment_of(run, kArithmeticLine);
}

std::string recorded_device(const std::filesystem::path& run) {
  return comment_of(run, kDeviceLine);
}

RecordedNetwork find_network(const std::filesystem::path& run, std::size_t number) {
  const auto file = run / "candidates.csv";
  if (!std::filesystem::is_directory(run) || !std::filesystem::exists(file))
    throw InputError{Diagnostic{{run.string()},
                                "no folder of a complete run: there is no candidates.csv in it",
                                "name the folder that `thimble run` printed last"}};
  const CsvTable table = read_table(file);
  const std::size_t network = table.column("network"), arch = table.column("arch"),
                    point = table.column("point");
  const std::string name = std::to_string(number);
  for (const auto& row : table.rows)
    if (row[network].text == name) {
      const std::size_t of = point_in(row[point]);
      return {number, row[arch].text, resolved_file(run, of), found_weights(run, of),
              trainings_of(run, number)};
    }
  throw InputError{Diagnostic{{file.string()},
                              fmt::format("no network {}", number),
                              fmt::format("they have the numbers 1 to {}", table.rows.size())}};
}

}  // namespace thimble
