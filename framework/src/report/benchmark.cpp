#include <thimble/report/benchmark.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>

#include <fmt/format.h>
#include <boost/tokenizer.hpp>

#include <thimble/core/files.hpp>
#include <thimble/core/text.hpp>
#include <thimble/core/utf8.hpp>
#include <thimble/experiment/study.hpp>
#include <thimble/graph/counts.hpp>

namespace thimble {
namespace {

std::vector<std::string> cells_of(const std::string& line, char separator) {
  using Separator = boost::escaped_list_separator<char>;
  const boost::tokenizer<Separator> cells{line, Separator{"", std::string{separator}, "\""}};
  std::vector<std::string> trimmed_cells;
  for (const std::string& cell : cells) trimmed_cells.emplace_back(trimmed(cell));
  return trimmed_cells;
}

char separator_of(const std::string& header) {
  for (const char separator : {',', ';', '\t'})
    if (header.find(separator) != std::string::npos) return separator;
  return ',';
}

std::size_t column_of(const std::vector<std::string>& header, const std::string& name,
                      const Location& where) {
  const auto found = std::ranges::find(header, name);
  if (found == header.end())
    throw InputError{Diagnostic{
        where, fmt::format("no column {}{}", in_quotes(name), did_you_mean(name, header)),
        "columns are " + join(header)}};
  if (std::count(found, header.end(), name) > 1)
    throw InputError{
        Diagnostic{where, "a second column " + in_quotes(name), "rename or remove one of them"}};
  return static_cast<std::size_t>(found - header.begin());
}

/// NaN for an empty cell.
double accuracy_in(const std::string& cell, const std::string& column, const Location& where) {
  if (cell.empty()) return std::numeric_limits<double>::quiet_NaN();
  const auto accuracy = parse_number(cell);
  if (accuracy && *accuracy >= 0 && *accuracy <= 100) return *accuracy;
  throw InputError{Diagnostic{
      where, fmt::format("{} in column {} is no accuracy", in_quotes(cell), in_quotes(column)),
      "write per cent, 0 to 100, as a plain number, or leave the cell empty"}};
}

bool are_same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

std::string architecture_column(const std::vector<std::string>& header, const Location& where) {
  for (const char* const usual : {"arch_str", "arch", "architecture", "arch_string", "net", "cell"})
    if (std::ranges::find(header, usual) != header.end()) return usual;
  throw InputError{Diagnostic{where, "no column has the architectures' usual name (arch_str)",
                              "name it in the experiment: benchmark.architecture"}};
}

/// As named, or in the data folder.
std::optional<std::filesystem::path> find_benchmark(const BenchmarkSettings& settings,
                                                    const std::filesystem::path& data_folder) {
  for (const std::filesystem::path& path :
       {std::filesystem::path{settings.file}, data_folder / settings.file})
    if (std::filesystem::exists(path)) return path;
  return std::nullopt;
}

}  // namespace

Benchmark::Benchmark(const std::filesystem::path& file, const BenchmarkSettings& settings,
                     const SearchSpace& space)
    : space_{space} {
  const std::string bytes = read_file(file);
  std::istringstream text{std::string{plain_text(bytes, file.string())}};
  std::string line;
  std::getline(text, line);
  if (line.ends_with('\r')) line.pop_back();
  const Location head{file.string(), 1};
  const char separator = separator_of(line);
  const auto header = cells_of(line, separator);
  const std::string arch_name =
      settings.architecture.empty() ? architecture_column(header, head) : settings.architecture;
  const std::size_t arch_column = column_of(header, arch_name, head);
  columns_ = {settings.accuracy};
  for (const std::string& column : settings.also)  // naming one again says nothing new
    if (std::ranges::find(columns_, column) == columns_.end()) columns_.push_back(column);
  std::vector<std::size_t> value_columns;
  for (const std::string& name : columns_) value_columns.push_back(column_of(header, name, head));
  for (int number = 2; std::getline(text, line); ++number) {
    if (trimmed(line).empty()) continue;
    const Location where{file.string(), number};
    const auto cells = cells_of(line, separator);
    if (cells.size() != header.size())
      throw InputError{
          Diagnostic{where, fmt::format("{} cells, the header has {}", cells.size(), header.size()),
                     cells.size() < header.size()
                         ? "is the file whole?"
                         : "a number with a decimal comma needs a point, or the cell quotes"}};
    std::vector<double> accuracies;
    for (const std::size_t column : value_columns)
      accuracies.push_back(accuracy_in(cells[column], header[column], where));
    if (std::ranges::all_of(accuracies, [](double value) { return std::isnan(value); })) continue;
    try {
      const std::string arch = space.encode(space.decode(cells[arch_column]));
      const auto [known, is_new] = accuracies_.try_emplace(arch, accuracies);
      if (!is_new && !std::ranges::equal(known->second, accuracies, are_same))
        throw Error{fmt::format("{} a second time, with another accuracy", in_quotes(arch)),
                    "keep one of the lines"};
    } catch (const Error& error) {
      throw InputError{
          Diagnostic{where, error.diagnostics().front().message, error.diagnostics().front().note}};
    }
  }
  for (std::size_t i = 0; i < columns_.size(); ++i)
    if (std::ranges::all_of(accuracies_,
                            [&](const auto& row) { return std::isnan(row.second[i]); }))
      throw InputError{Diagnostic{head, fmt::format("column {} is empty", in_quotes(columns_[i])),
                                  "columns are " + join(header)}};
}

std::optional<double> Benchmark::accuracy(const std::string& architecture,
                                          std::size_t column) const {
  const auto found = accuracies_.find(architecture);
  if (found == accuracies_.end() || std::isnan(found->second[column])) return std::nullopt;
  return found->second[column];
}

std::optional<Benchmark::Standing> Benchmark::standing(const std::string& architecture) const {
  const auto own = accuracy(architecture);
  if (!own) return std::nullopt;
  const auto macs_of = [&](const std::string& arch) {
    return macs(space_.build(space_.decode(arch)));
  };
  if (classes_.empty())
    for (const auto& [arch, values] : accuracies_)
      if (!std::isnan(values[0])) classes_[macs_of(arch)].push_back(values[0]);
  const auto& peers = classes_.at(macs_of(architecture));
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
  if (!study.benchmark) return nullptr;
  const auto file = find_benchmark(*study.benchmark, data_folder);
  if (file) return std::make_unique<Benchmark>(*file, *study.benchmark, *study.space);
  const std::string missing = fmt::format("no benchmark '{}', neither here nor in '{}'",
                                          study.benchmark->file, data_folder.string());
  if (study.benchmark->required)
    throw InputError{
        Diagnostic{study.benchmark_where, missing, "name the folder that has it with --data DIR"}};
  say(missing + "; accuracies are left out");
  return nullptr;
}

}  // namespace thimble
