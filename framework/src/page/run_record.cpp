#include <thimble/page/run_record.hpp>

#include <algorithm>

#include <thimble/core/files.hpp>
#include <thimble/core/yaml.hpp>

namespace thimble {
namespace {

/// The experiments of a run's points, in their order.
std::vector<std::filesystem::path> resolved_files(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "resolved.yaml")) return {folder / "resolved.yaml"};
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_directory(folder / "resolved"))
    for (const auto& entry : std::filesystem::directory_iterator{folder / "resolved"})
      if (entry.path().extension() == ".yaml") files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

bool is_complete_run(const std::filesystem::path& folder) {
  return std::filesystem::exists(folder / "result.yaml") &&
         std::filesystem::exists(folder / "candidates.csv");
}

/// A file that is cut off may be YAML all the same.
std::string whole_text(const std::filesystem::path& file) {
  std::string text = read_file(file);
  if (!text.ends_with('\n'))
    throw InputError{Diagnostic{{file.string()}, "ends within a line", "is the file whole?"}};
  return text;
}

void require_points(const RunRecord& record) {
  const auto file = record.folder / "result.yaml";
  const Value* const points = record.result.find("points");
  if (points == nullptr || !points->is_sequence() || points->items().empty())
    throw InputError{
        Diagnostic{{file.string()}, "no list 'points'", "result.yaml has been changed"}};
  if (points->items().size() != record.resolved.size())
    throw InputError{Diagnostic{{file.string()},
                                std::to_string(points->items().size()) + " points, but " +
                                    std::to_string(record.resolved.size()) +
                                    " resolved experiments beside them",
                                "the folder has been changed"}};
}

}  // namespace

const CsvTable* RunRecord::table(const std::string& name) const {
  const auto found = tables.find(name);
  return found == tables.end() ? nullptr : &found->second;
}

RunRecord read_run(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder) || !is_complete_run(folder))
    throw InputError{Diagnostic{
        {folder.string()},
        "no folder of a complete run: there is no result.yaml or no candidates.csv in it",
        "name the folder that `thimble run` printed last"}};
  RunRecord record;
  record.folder = folder;
  const auto result = folder / "result.yaml";
  record.result = parse_yaml(whole_text(result), result.string());
  record.resolved = resolved_files(folder);
  require_points(record);
  record.resolved_text = read_file(record.resolved.front());
  for (const char* const name : {"candidates", "selected", "trained", "history", "course", "fronts",
                                 "analysis", "agreement", "regret"}) {
    const auto file = folder / (std::string{name} + ".csv");
    if (std::filesystem::exists(file))
      record.tables[name] = parse_csv(read_file(file), file.string());
  }
  if (std::filesystem::exists(folder / "timing.yaml"))
    record.timing = read_yaml(folder / "timing.yaml");
  return record;
}

}  // namespace thimble
