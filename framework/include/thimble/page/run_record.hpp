#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <thimble/core/csv.hpp>
#include <thimble/core/export.hpp>
#include <thimble/core/value.hpp>

namespace thimble {

/// What the files of a complete run tell of it.
struct RunRecord {
  std::filesystem::path folder;
  Value result;                                 ///< result.yaml
  std::vector<std::filesystem::path> resolved;  ///< experiment files, one a point
  std::string resolved_text;                    ///< of the first point, comments above it included
  std::map<std::string, CsvTable> tables;  ///< by name without ".csv"; "candidates" is among them
  Value timing;                            ///< timing.yaml; null where there is none

  /// nullptr when the run left none of this name.
  const CsvTable* table(const std::string& name) const;
};

/// Throws InputError when the folder is no complete run's, or its files have been damaged.
THIMBLE_EXPORT RunRecord read_run(const std::filesystem::path& folder);

}  // namespace thimble
