#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/search/scoring.hpp>

/// A shard is the file of one worker: what it computed, a line a value, each with a checksum.
/// Nobody else ever writes into it, and it only grows; so it may be read at any time, without
/// locks, also on a network's file system: a line is there and whole, or it is not there yet.
namespace thimble {

struct StoredValue {
  std::string candidate;
  std::string proxy;
  ProxyValue value;
};

/// The same numbers bit for bit, and the same reason; how long it took does not count. Of numbers
/// that are none, the store keeps no more than that.
THIMBLE_EXPORT bool is_same(const ProxyValue& a, const ProxyValue& b);

/// Who fills a shard, for those who read it.
struct Worker {
  std::string part;
  std::string node;
  std::int64_t process = 0;
  std::string arithmetic;
};

/// What a shard says so far.
class THIMBLE_EXPORT ShardReader {
 public:
  explicit ShardReader(std::filesystem::path file) : file_{std::move(file)} {}

  /// Takes in what has been added. What cannot be opened is not there yet.
  void read_on();

  const std::filesystem::path& file() const { return file_; }
  const Worker& worker() const { return worker_; }
  const std::vector<StoredValue>& values() const { return values_; }
  /// Epochs of a training that are complete.
  std::int64_t steps() const { return steps_; }
  /// The part is complete, and nothing of the file is damaged.
  bool is_done() const { return is_done_ && damaged_ == 0; }
  /// The worker ended by itself: it was done, was told to stop, or failed and said why.
  bool is_closed() const { return is_closed_; }
  const std::string& failure() const { return failure_; }
  /// That killed it, or 0 where nobody could tell.
  int signal() const { return signal_; }
  /// Candidates that it was busy with at the end.
  std::set<std::string> in_flight() const;

 private:
  bool read_line(std::string_view line);

  std::filesystem::path file_;
  std::size_t offset_ = 0;
  Worker worker_;
  std::vector<StoredValue> values_;
  std::map<std::string, std::string> begun_;  ///< by thread
  std::int64_t steps_ = 0, damaged_ = 0;
  bool is_done_ = false, is_closed_ = false;
  int signal_ = 0;
  std::string failure_;
};

/// RUN/farm/shards, whose files are named by their parts.
THIMBLE_EXPORT std::filesystem::path folder_of_shards(const std::filesystem::path& run);
/// Of one part, or of all. By listing the folder: where file systems are shared by a network, a
/// file may be in the list before it can be asked for.
THIMBLE_EXPORT std::vector<std::filesystem::path> shards_of(const std::filesystem::path& run,
                                                            const std::string& part = "");
/// Values for workers to begin with, as a file that is made at once.
THIMBLE_EXPORT void write_known(const std::filesystem::path& run,
                                const std::vector<StoredValue>& values);

/// All shards of a run, as far as they have been read.
class THIMBLE_EXPORT Shards {
 public:
  explicit Shards(std::filesystem::path run) : run_{std::move(run)} {}

  /// Takes in what has been added.
  void look();
  const std::map<std::filesystem::path, ShardReader>& all() const { return shards_; }
  bool is_done(const std::string& part) const { return done_.contains(part); }
  /// Each value once, and in one call only. Throws Error where two shards differ, naming both
  /// workers.
  std::vector<StoredValue> new_values();

 private:
  std::filesystem::path run_;
  std::map<std::filesystem::path, ShardReader> shards_;
  std::set<std::string> done_;                          ///< parts
  std::map<std::filesystem::path, std::size_t> taken_;  ///< how many of a shard's values
  /// Where a candidate's value of a proxy was found first.
  std::map<std::pair<std::string, std::string>, std::pair<const ShardReader*, std::size_t>> known_;
};

/// A worker's shard, and the values that are known before: those of earlier workers at the same
/// part, and what the run had. What is put is in the file when put() returns. Thread safe.
class THIMBLE_EXPORT Shard final : public ProxyStore {
 public:
  /// Throws Error when nothing can be written there.
  Shard(const std::filesystem::path& run, const Worker& worker);
  ~Shard() override;

  std::optional<ProxyValue> find(const std::string& candidate, const std::string& proxy) override;
  void put(const std::string& candidate, const std::string& proxy,
           const ProxyValue& value) override;

  /// So many epochs are complete.
  void note_step(std::int64_t done);
  void note_done();
  void note_stopped();
  void note_failure(const std::string& message);

  /// For a handler of signals, which may do no more than write.
  int descriptor() const { return descriptor_; }
  static std::string death_line(int signal);

 private:
  void take_known(const std::filesystem::path& file);
  void write(const std::vector<std::string>& words);

  std::mutex mutex_;
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::map<std::pair<std::string, std::string>, ProxyValue> known_;
  std::map<std::thread::id, std::size_t> threads_;
};

}  // namespace thimble
