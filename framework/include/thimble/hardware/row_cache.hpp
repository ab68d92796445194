#pragma once

#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include <thimble/core/export.hpp>
#include <thimble/hardware/latency_table.hpp>

namespace thimble {

/// Rows kept between runs, in one table file. Several processes may add to it at once, and each may
/// be killed at any time: the file always has whole rows, and all that were added before.
class THIMBLE_EXPORT RowCache {
 public:
  using Warn = std::function<void(const std::string&)>;

  /// The folder need not exist yet.
  explicit RowCache(std::filesystem::path file);
  /// Empty when there is no file, none can be reached, or it is damaged, of which it warns.
  LatencyTable read(const Warn& warn = [](const std::string&) {}) const;
  /// Makes a damaged file anew, and warns of it. Throws Error when it cannot be written.
  void add(
      std::span<const OpRow> rows, const Warn& warn = [](const std::string&) {}) const;

 private:
  std::filesystem::path file_;
};

}  // namespace thimble
