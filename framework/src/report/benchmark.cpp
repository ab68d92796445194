#include <thimble/report/benchmark.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>

#include <thimble/core/csv.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/graph/counts.hpp>

namespace thimble {
namespace {

/// A table as spreadsheets write it: with blanks around cells, and lines of nothing at its end.
CsvTable read_table(const std::filesystem::path& file) {
  const std::string content = read_file(file);
  std::string_view text = content;
  const auto end = text.find_last_not_of("\r\n");
  text = text.substr(0, end == std::string_view::npos ? 0 : end + 1);
  const std::string_view header = text.substr(0, text.find('\n'));
  const auto separator = header.find_first_of(",;\t");
  CsvTable table = parse_csv(text, file.string(), 1,
                             separator == std::string_view::npos ? ',' : header[separator]);
  trim_cells(table);
  return table;
}

/// NaN for an empty cell.
double accuracy_in(const CsvCell& cell, const std::string& column) {
  if (cell.text.empty()) return kNotANumber;
  const auto accuracy = parse_number(cell.text);
  if (accuracy && *accuracy >= 0 && *accuracy <= 100) return *accuracy;
  throw InputError{Diagnostic{
      cell.where,
      fmt::format("{} in column {} is no accuracy", in_quotes(cell.text), in_quotes(column)),
      "write per cent, 0 to 100, as a plain number, or leave the cell empty"}};
}

bool are_same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

std::size_t architecture_column(const CsvTable& table, const std::string& name) {
  if (!name.empty()) return table.column(name);
  for (const char* const usual : {"arch_str", "arch", "architecture", "arch_string", "net", "cell"})
    if (const auto found = table.find(usual)) return *found;
  throw InputError{Diagnostic{table.header[0].where,
                              "no column has the architectures' usual name (arch_str)",
                              "name it in the experiment: benchmark.architecture"}};
}

/// Says where a column of per cents has what looks like a fraction, or nothing: 0.95 would be among
/// the best as 95 %. What would be far above the best is no fraction, and shows that the column
/// goes down to guesses among many classes, where no number can be told from a fraction.
std::string fraction_among(const CsvTable& table, std::size_t column, double most) {
  std::vector<const CsvCell*> cells;
  for (const auto& row : table.rows) {
    const auto accuracy = parse_number(row[column].text);
    if (!accuracy || *accuracy <= 0 || *accuracy > 1) continue;
    if (100 * *accuracy > 1.1 * most) return "";
    cells.push_back(&row[column]);
  }
  if (cells.empty()) return "";
  const auto& [text, where] = *cells.front();
  return fmt::format("{}:{}:{}: {}{} in column {} may be a fraction: the others go up to {} %",
                     where.file, where.line, where.column, text,
                     cells.size() == 1 ? "" : fmt::format(" and {} more", cells.size() - 1),
                     in_quotes(table.header[column].text), number_text(most));
}

/// As named, or in the data folder.
std::optional<std::filesystem::path> find_benchmark(const BenchmarkSettings& settings,
                                                    const std::filesystem::path& data_folder) {
  for (const std::filesystem::path& path :
       {std::filesystem::path{settings.file}, data_folder / settings.file})
    if (std::filesystem::exists(path)) return path;
  return std::nullopt;
}

/// Of the files that lie where this one would.
std::string similar_file(const BenchmarkSettings& settings,
                         const std::filesystem::path& data_folder) {
  const std::filesystem::path given{settings.file};
  std::vector<std::string> names;
  for (const std::filesystem::path& folder :
       {given.parent_path(), data_folder / given.parent_path()}) {
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{folder, none})
      names.push_back((given.parent_path() / entry.path().filename()).string());
  }
  return did_you_mean(settings.file, names);
}

}  // namespace

Benchmark::Benchmark(const std::filesystem::path& file, const BenchmarkSettings& settings,
                     const SearchSpace& space)
    : space_{space}, columns_{settings.accuracy} {
  columns_.insert(columns_.end(), settings.also.begin(), settings.also.end());
  const CsvTable table = read_table(file);
  const std::size_t architecture = architecture_column(table, settings.architecture);
  std::vector<std::size_t> places;
  for (const std::string& name : columns_) places.push_back(table.column(name));
  for (const auto& row : table.rows) {
    std::vector<double> accuracies;
    for (std::size_t i = 0; i < columns_.size(); ++i)
      accuracies.push_back(accuracy_in(row[places[i]], columns_[i]));
    if (std::ranges::any_of(accuracies, [](double value) { return !std::isnan(value); }))
      add(row[architecture], accuracies);
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    const double most = most_of_column(i, table.header[places[i]].where);
    if (std::string remark = fraction_among(table, places[i], most); !remark.empty())
      remarks_.push_back(std::move(remark));
  }
}

void Benchmark::add(const CsvCell& architecture, const std::vector<double>& accuracies) {
  try {
    const std::string text = space_.encode(space_.decode(architecture.text));
    const auto [known, is_new] = accuracies_.try_emplace(text, accuracies);
    if (!is_new && !std::ranges::equal(known->second, accuracies, are_same))
      throw Error{fmt::format("{} a second time, with another accuracy", in_quotes(text)),
                  "keep one of the lines"};
  } catch (const Error& error) {
    const Diagnostic& problem = error.diagnostics().front();
    throw InputError{Diagnostic{architecture.where, problem.message, problem.note}};
  }
}

double Benchmark::most_of_column(std::size_t column, const Location& where) const {
  const std::string name = in_quotes(columns_[column]);
  double most = kNotANumber;
  for (const auto& [architecture, accuracies] : accuracies_)
    most = std::fmax(most, accuracies[column]);
  if (std::isnan(most))
    throw InputError{Diagnostic{where, fmt::format("column {} is empty", name),
                                "name a column that has accuracies"}};
  if (most > 0 && most <= 1)
    throw InputError{Diagnostic{
        where, fmt::format("column {} has fractions, at most {}", name, number_text(most)),
        "accuracies are per cent: multiply the column by 100"}};
  return most;
}

Benchmark::Benchmark(const std::vector<PointOutcome>& outcomes, const std::vector<Study>& studies)
    : space_{*studies.front().space} {
  for (std::size_t point = 0; point < outcomes.size(); ++point) {
    const std::vector<Study::TrainedOn>& trained_on = studies[point].trained_on;
    has_a_first_ &= trained_on.size() < 2;
    for (const Study::TrainedOn& on : trained_on) {
      const std::string name = on.name.empty() ? outcomes[point].trained_metrics.front() : on.name;
      if (std::ranges::find(columns_, name) == columns_.end()) columns_.push_back(name);
    }
  }
  std::map<std::string, std::map<std::string, std::vector<double>>> trained;  // by network, data
  for (const PointOutcome& outcome : outcomes)
    for (const TrainedRow& row : outcome.trained) {
      if (row.last().metrics.empty()) continue;
      const std::string name = row.dataset.empty() ? outcome.trained_metrics.front() : row.dataset;
      trained[row.network.text][name].push_back(row.last().metrics.front());
    }
  for (auto& [arch, by_name] : trained)
    for (const std::string& name : columns_) {
      const std::vector<double>& values = by_name[name];
      accuracies_[arch].push_back(std::accumulate(values.begin(), values.end(), 0.0) /
                                  static_cast<double>(values.size()));
    }
}

std::string Benchmark::title(std::size_t column) const {
  return column == 0 && has_a_first_ ? "accuracy" : "accuracy." + columns_[column];
}

std::optional<double> Benchmark::accuracy(const std::string& architecture,
                                          std::size_t column) const {
  const auto found = accuracies_.find(architecture);
  if (found == accuracies_.end() || std::isnan(found->second[column])) return std::nullopt;
  return found->second[column];
}

std::optional<Benchmark::Standing> Benchmark::standing(const std::string& architecture,
                                                       std::size_t column) const {
  const auto own = accuracy(architecture, column);
  if (!own) return std::nullopt;
  const auto macs_of = [&](const std::string& arch) {
    return macs(space_.build(space_.decode(arch)));
  };
  std::call_once(classes_made_, [&] {
    classes_.resize(columns_.size());
    for (const auto& [arch, values] : accuracies_) {
      const std::int64_t macs = macs_of(arch);
      for (std::size_t i = 0; i < values.size(); ++i)
        if (!std::isnan(values[i])) classes_[i][macs].push_back(values[i]);
    }
  });
  const auto& peers = classes_[column].at(macs_of(architecture));
  Standing standing;
  standing.accuracy = *own;
  standing.class_size = static_cast<int>(peers.size());
  standing.class_best = *std::ranges::max_element(peers);
  standing.rank = 1 + static_cast<int>(
                          std::ranges::count_if(peers, [&](double value) { return value > *own; }));
  return standing;
}

std::unique_ptr<Benchmark> load_benchmark(const Study& study,
                                          const std::filesystem::path& data_folder,
                                          const std::function<void(const std::string&)>& say) {
  if (!study.benchmark || study.benchmark->is_trained) return nullptr;
  const auto file = find_benchmark(*study.benchmark, data_folder);
  if (file) {
    auto benchmark = std::make_unique<Benchmark>(*file, *study.benchmark, *study.space);
    for (const std::string& remark : benchmark->remarks()) say(remark);
    return benchmark;
  }
  const std::string missing =
      fmt::format("no benchmark '{}', neither here nor in '{}'{}", study.benchmark->file,
                  data_folder.string(), similar_file(*study.benchmark, data_folder));
  if (study.benchmark->required)
    throw InputError{
        Diagnostic{study.benchmark_where, missing, "name the folder that has it with --data DIR"}};
  say(missing + "; accuracies are left out (with required: true, nothing would run)");
  return nullptr;
}

}  // namespace thimble
