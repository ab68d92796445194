#pragma once

#include <filesystem>
#include <string>

#include <thimble/core/export.hpp>
#include <thimble/hardware/latency_table.hpp>

/// Measurements in others' formats, as tables.
namespace thimble {

/// What the rows of an imported file have in common.
struct ImportConditions {
  std::string board;     ///< id of the board that cycles were measured on
  std::string core;      ///< that instructions were counted on
  std::string kernels;   ///< whose, and which version of them
  std::string compiler;  ///< may be empty: unknown
  std::string flags;     ///< may be empty: unknown
};

/// A CSV with a row for each convolution: h, w, ci (input), co, kh, kw, sh, sw (stride), oh, ow
/// (output), padded as TensorFlow's SAME. `cycles` and `instructions` name columns, or are empty;
/// empty cells are left out. Throws InputError.
THIMBLE_EXPORT LatencyTable import_convolutions(const std::filesystem::path& file,
                                                const std::string& cycles,
                                                const std::string& instructions,
                                                const ImportConditions& conditions);

/// records.json as MicroNAS writes it: a Keras layer and cycle counter readings each. Convolutions
/// are taken, other layers left out. Throws InputError.
THIMBLE_EXPORT LatencyTable import_micronas_records(const std::filesystem::path& file,
                                                    const ImportConditions& conditions);

}  // namespace thimble
