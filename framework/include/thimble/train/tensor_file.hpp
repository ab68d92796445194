#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

#include <thimble/core/export.hpp>

namespace thimble {

/// Named tensors and text about them, as they lie in a file of the safetensors format
/// (github.com/huggingface/safetensors), which many programs read. float, double and int64.
struct TensorFile {
  std::map<std::string, at::Tensor> tensors;
  std::map<std::string, std::string> about;
};

/// Whole or not at all, with a digest of the numbers among the text. Throws Error when it cannot be
/// written.
THIMBLE_EXPORT void write_tensors(const std::filesystem::path& file, const TensorFile& content);

/// Tensors of one's own. Throws InputError that names the file when it is no such file, damaged or
/// truncated, has tensors of another type, or numbers that its digest is not of.
THIMBLE_EXPORT TensorFile read_tensors(const std::filesystem::path& file);

}  // namespace thimble
