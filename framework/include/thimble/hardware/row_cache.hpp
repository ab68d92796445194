#pragma once

#include <filesystem>
#include <span>

#include <thimble/core/export.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble {

/// Rows kept between runs, in one table file. Several processes may add to it at once, and each may
/// be killed at any time: the file always has whole rows, and all that were added before.
class THIMBLE_EXPORT RowCache {
 public:
  /// The folder need not exist yet.
  explicit RowCache(std::filesystem::path file);
  /// Empty when there is no file, or none can be reached. Throws InputError when it cannot be read.
  LatencyTable read() const;
  /// Throws Error when it cannot be written, InputError when it is there and cannot be read.
  void add(std::span<const OpRow> rows) const;

 private:
  std::filesystem::path file_;
};

}  // namespace thimble
