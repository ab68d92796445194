#pragma once

#include <functional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/experiment/load.hpp>
#include <thimble/report/benchmark.hpp>
#include <thimble/run/run.hpp>

namespace thimble {

/// Takes a line for the person who waits.
using Say = std::function<void(const std::string&)>;

/// The file that is written last: a folder that has it is complete.
inline constexpr const char* kResultFile = "result.yaml";

/// Where the weights of a trained network are, in the folder of its run. `dataset` is its name in
/// `train.datasets`, or nothing.
THIMBLE_EXPORT std::filesystem::path weights_file(std::size_t network, const std::string& dataset,
                                                  std::uint64_t seed);

/// Compares the points of a run with each other, makes its report, and writes all that came of it
/// into its folder: tables, documents and pictures. `remarks` are all that were made so far, and
/// grow with what is said meanwhile.
THIMBLE_EXPORT void write_results(RunOutcome& outcome, const LoadedExperiment& experiment,
                                  const Benchmark* benchmark,
                                  const std::vector<std::string>& remarks, const Say& say);

}  // namespace thimble
