#include <algorithm>

#include <fmt/format.h>

#include <thimble/core/files.hpp>
#include <thimble/page/run_page.hpp>

#include "cli.hpp"

namespace thimble::cli {
namespace {

namespace fs = std::filesystem;

/// The experiments of a run's points. Plugins and boards may have gone since it was made: then
/// there are none, and `why_not` says so.
std::vector<Study> studies_of(const RunRecord& record, PluginLoader& loader, std::string& why_not) {
  std::vector<Study> studies;
  try {
    for (const fs::path& file : record.resolved)
      studies.push_back(std::move(load_experiment(file, {}, loader).studies.front()));
  } catch (const Error& error) {
    why_not =
        "Its experiment cannot be loaded here, so there are no drawings, no memory plans and "
        "none of the board's limits: " +
        error.diagnostics().front().message + ". Data sets lie where --data says.";
    return {};
  }
  return studies;
}

fs::path write_again(const fs::path& run, PluginLoader& loader) {
  std::string why_not;
  const std::vector<Study> studies = studies_of(read_run(run), loader, why_not);
  if (!why_not.empty()) fmt::print(stderr, "remark: {}: {}\n", run.string(), why_not);
  return write_page(run, studies, why_not);
}

/// FOLDER/NAME/TIME-IDENTITY, whole or not, the newest first.
std::vector<fs::path> runs_in(const fs::path& folder) {
  if (!fs::is_directory(folder))
    throw InputError{Diagnostic{{folder.string()}, "no folder", "name the folder of run folders"}};
  std::vector<fs::path> runs;
  for (const auto& experiment : fs::directory_iterator{folder}) {
    if (!experiment.is_directory()) continue;
    for (const auto& run : fs::directory_iterator{experiment})
      if (fs::exists(run.path() / "experiment.yaml")) runs.push_back(run.path());
  }
  if (runs.empty())
    throw InputError{
        Diagnostic{{folder.string()}, "no run in it", "name the folder of run folders"}};
  std::ranges::sort(runs, [](const fs::path& a, const fs::path& b) {
    return std::pair{b.filename(), b} < std::pair{a.filename(), a};
  });
  return runs;
}

fs::path write_index(const fs::path& folder) {
  std::vector<PageData> runs;
  for (const fs::path& run : runs_in(folder)) {
    try {
      runs.push_back(page_data(read_run(run), {}));
    } catch (const Error& error) {  // one damaged folder hides no other
      fmt::print(stderr, "remark: left out: {}\n", error.what());
    }
  }
  fs::path file = folder / "index.html";
  write_file(file, index_page(runs, folder));
  return file;
}

}  // namespace

int report(const ReportArguments& arguments, const World& world) {
  if (arguments.runs.empty() && !arguments.index)
    throw InputError{"no run is named", "name folders of runs, or --index for the page over all"};
  std::vector<Diagnostic> refused;  // a bad folder keeps no other from its page
  const auto print = [&](const auto& write) {
    try {
      fmt::print("{}\n", write().string());
    } catch (const Interrupted&) {
      throw;
    } catch (const Error& error) {
      refused.insert(refused.end(), error.diagnostics().begin(), error.diagnostics().end());
    }
  };
  for (const std::string& run : arguments.runs)
    print([&] { return write_again(run, world.loader); });
  if (arguments.index)
    print([&] { return write_index(arguments.index->empty() ? "runs" : *arguments.index); });
  if (!refused.empty()) throw InputError{std::move(refused)};
  return 0;
}

}  // namespace thimble::cli
