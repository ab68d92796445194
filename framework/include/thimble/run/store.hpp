#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/farm/shard.hpp>
#include <thimble/search/scoring.hpp>

namespace thimble {

/// The SQLite file of a run. What was put is there after the process is killed. Table
/// `proxy_values` (candidate, proxy, value, repeats, seconds, invalid) has one row for each value;
/// `proxy` carries a fingerprint of all that the value depends on. Thread safe.
class THIMBLE_EXPORT SqliteStore final : public ProxyStore {
 public:
  /// Opens or creates it. Throws Error when the file is no such store, or a newer one.
  explicit SqliteStore(const std::filesystem::path& file);
  ~SqliteStore() override;

  std::optional<ProxyValue> find(const std::string& candidate, const std::string& proxy) override;
  void put(const std::string& candidate, const std::string& proxy,
           const ProxyValue& value) override;
  /// Takes in what others have computed, all or nothing. Throws Error where it has another value.
  void merge(const std::vector<StoredValue>& values);
  std::vector<StoredValue> values();
  /// Values in the store.
  std::int64_t size();

 private:
  struct Database;
  std::mutex mutex_;
  std::unique_ptr<Database> database_;
};

}  // namespace thimble
