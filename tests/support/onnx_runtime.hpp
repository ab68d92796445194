#pragma once

#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <thimble/core/error.hpp>
#include <thimble/core/files.hpp>
#include <thimble/core/process.hpp>

namespace thimble::test {

inline std::filesystem::path onnx_runtime_folder() {
  return std::filesystem::path{THIMBLE_TEST_SOURCE} / "data" / "onnxruntime";
}

/// Runs a model in ONNX Runtime. Inputs and outputs are raw tensors, one behind the other in the
/// model's order; `samples` stands for the sizes left open. Throws Error when that fails.
inline std::string run_onnx(const std::string& model, std::int64_t samples,
                            const std::string& inputs) {
  const TemporaryFolder folder;
  write_file(folder.path() / "model.onnx", model);
  write_file(folder.path() / "inputs", inputs);
  const auto node = find_program("node");
  if (!node) throw Error{"there is no node to run ONNX Runtime with"};
  const auto script = std::filesystem::path{THIMBLE_TEST_SOURCE} / "tests/support/run_onnx.mjs";
  const ProcessResult result = run_process(
      *node,
      {script, onnx_runtime_folder(), "model.onnx", std::to_string(samples), "inputs", "outputs"},
      folder.path());
  if (!result.succeeded()) throw Error{failure_text("node", result, {}) + result.errors};
  return read_file(folder.path() / "outputs", std::size_t{1} << 30);
}

}  // namespace thimble::test

/// Skips a test that runs a model.
#define THIMBLE_NEEDS_ONNX_RUNTIME()                                               \
  if (!std::filesystem::exists(thimble::test::onnx_runtime_folder() / ".version")) \
  GTEST_SKIP() << "needs ONNX Runtime: scripts/fetch-onnxruntime gets it"
