#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/hardware/board.hpp>
#include <thimble/hardware/counted_rows.hpp>
#include <thimble/hardware/latency_table.hpp>
#include <thimble/hardware/op_fit.hpp>
#include <thimble/hardware/row_cache.hpp>

namespace thimble {

/// What becomes of operators that no table has.
enum class OnMiss : std::uint8_t {
  profile,  ///< they are counted now, and kept
  fit,      ///< they are estimated from the table's other operators of their kind
  refuse,   ///< the network is unsupported
};
THIMBLE_EXPORT const std::vector<std::pair<std::string, OnMiss>>& names_of(OnMiss);

/// Counts operators. Called by one thread at a time.
using CountOps = std::function<CountedRows(std::span<const OpShape>)>;

/// What is known of one operator on a board.
struct KnownOp {
  Figure cycles;
  std::int64_t constant_bytes = 0;
  bool is_constant_exact = false;                  ///< else it is estimated from the shape
  std::map<std::string, std::int64_t> code_bytes;  ///< by kernel that it needs
  std::string unsupported;                         ///< why nothing is known of it, or nothing
};

struct OpCostsOptions {
  OnMiss on_miss = OnMiss::refuse;
  CountOps count{};                 ///< none: nothing can be profiled
  std::optional<RowCache> cache{};  ///< of rows counted on demand
  std::string kernels{};            ///< which rows to take; empty: all must be of one version
  /// Told once what a person should know though it stops nothing. Thread safe.
  std::function<void(const std::string&)> warn = [](const std::string&) {};
};

/// Operators of a table priced for a board: cycles on it, or else instructions times the board's
/// cycles an instruction; of several rows the one of the best origin. const is thread safe;
/// operators counted on demand are kept for all threads.
class THIMBLE_EXPORT OpCosts {
 public:
  /// Throws InputError when the board has no section `counted`, or rows of several kernels,
  /// compilers, flags or setups would be mixed.
  OpCosts(Board board, const LatencyTable& table, OpCostsOptions options);
  ~OpCosts();

  /// One for each layer. What is missing is dealt with in one batch. They stay valid as long as
  /// this object. Throws Error when counting fails.
  std::vector<const KnownOp*> of(const Int8Network& network) const;

  std::size_t size() const;
  /// Whose operators these are: of the rows that were taken, or else asked for.
  std::string kernels() const;

 private:
  struct Hash {
    std::size_t operator()(const OpShape& op) const noexcept;
  };
  using Known = std::unordered_map<OpShape, KnownOp, Hash>;

  /// An estimate for one kind of operator, or why there is none.
  struct KindFit {
    RelativeFit fit;
    double rows_error = 0;           ///< of what was fitted to, on average
    Origin origin = Origin::fitted;  ///< a fit to guesses is a guess
    std::map<std::string, std::int64_t> code_bytes;
    std::string problem;
  };
  struct Samples;

  void take(const LatencyTable& table);
  void take_cache();
  bool is_wanted(const OpRow& row) const;
  bool is_of_board(const OpRow& row) const;
  bool is_of_core(const OpRow& row) const;
  void require_like_table(const OpRow& row) const;
  void keep(std::span<const OpRow> rows) const;
  void warn_once(const std::string& line) const;
  KnownOp known(const OpRow& row) const;
  std::vector<OpShape> look_up(const Int8Network& network,
                               std::vector<const KnownOp*>& found) const;
  void fill(const std::vector<OpShape>& missing) const;
  std::string why_uncounted() const;
  Known profiled(const std::vector<OpShape>& missing) const;
  KnownOp fitted(const OpShape& op) const;
  void take_from_source(const OpShape& op, KnownOp& known) const;
  KnownOp refused(const OpShape& op, const std::string& why) const;

  Board board_;
  OpCostsOptions options_;
  std::map<Kernel, KindFit> fits_;                  ///< with OnMiss::fit only
  std::map<std::string, std::int64_t> code_bytes_;  ///< by kernel, of all rows
  std::optional<OpRow> example_;                    ///< any row of the table that is taken
  std::unordered_map<OpShape, OpRow, Hash> cached_;
  mutable Known known_;
  mutable std::shared_mutex mutex_;         ///< of known_
  mutable std::mutex filling_;              ///< held while misses are dealt with
  mutable std::set<std::string> warnings_;  ///< given already, while misses are dealt with
};

}  // namespace thimble
