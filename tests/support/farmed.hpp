#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <thimble/core/text.hpp>
#include <thimble/run/store.hpp>

#include "program.hpp"

namespace thimble::testing {

/// What farms are tried on: four points with 100 candidates each.
inline constexpr const char* kFarmedSweep = R"(name: sweep
seed: 5
search_space: { use: nasbench201, channels: 4, cells: 1 }
dataset: { use: synthetic, samples: 256 }
proxies:
  - { use: naswot, batch: 8 }
  - { use: snip, batch: 8 }
objectives: [{ maximize: naswot }, { maximize: snip }]
searcher: { use: random, samples: 100 }
sweep: { seed: [1, 2, 3, 4] }
)";

/// But for times, all that a run leaves behind.
inline std::map<std::string, std::string> farmed_results(const std::filesystem::path& run) {
  std::map<std::string, std::string> files;
  for (const char* const name :
       {"result.yaml", "result.csv", "candidates.csv", "agreement.csv", "trained.csv"})
    if (std::filesystem::exists(run / name)) files[name] = content(run / name);
  for (const StoredValue& stored : SqliteStore{run / "store.sqlite"}.values()) {
    std::string& text = files["store " + stored.candidate + " " + stored.proxy];
    text = number_text(stored.value.value) + " " + stored.value.invalid;
    for (const double repeat : stored.value.repeats) text += " " + number_text(repeat);
  }
  return files;
}

}  // namespace thimble::testing
