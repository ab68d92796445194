#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/deploy/op_shape.hpp>
#include <thimble/hardware/hardware.hpp>

/// Look-up tables: what single operators take on a core or a board, as CSV files whose rows say
/// where they come from. docs/latency-tables.md has the format.
namespace thimble {

/// One operator, counted or measured under stated conditions.
struct OpRow {
  OpShape op;
  std::string target;    ///< a core where instructions were counted, a board's id where cycles were
  std::string kernels;   ///< whose, and which version of them
  std::string compiler;  ///< "gcc 12.2.1"
  std::string flags;     ///< "-O2"
  std::string setup;     ///< of a board: clock, wait states, placement; empty: none was stated
  std::optional<double> instructions;
  std::optional<double> cycles;
  std::int64_t n = 1;           ///< repeats behind the figure, which is their median
  std::optional<double> least;  ///< of the repeats
  std::optional<double> most;   ///< of the repeats
  Origin origin = Origin::guessed;
  std::optional<std::int64_t> constant_bytes;      ///< weights and what else lies in flash for it
  std::map<std::string, std::int64_t> code_bytes;  ///< by kernel that it needs
  std::map<std::string, std::int64_t> classes;     ///< of the executed instructions
  bool operator==(const OpRow&) const = default;

  /// What was measured, or else counted.
  double figure() const { return cycles ? *cycles : *instructions; }
  /// What was compiled, and how: "thimble af68621c (gcc 12.2.1 -O2)".
  THIMBLE_EXPORT std::string build() const;
};

/// Rows by operator and conditions (target, kernels, compiler, flags, setup), sorted by these.
class THIMBLE_EXPORT LatencyTable {
 public:
  /// Adds a row. Of two under the same conditions the one of better origin stays; of the same
  /// origin the one that was there first.
  void add(OpRow row);
  /// Adds all of another table's rows.
  void merge(const LatencyTable& other);
  /// The row under the same operator and conditions, or nullptr.
  const OpRow* find(const OpRow& like) const;

  std::vector<const OpRow*> rows() const;
  std::size_t size() const { return rows_.size(); }
  bool operator==(const LatencyTable&) const = default;

 private:
  std::map<std::vector<std::string>, OpRow> rows_;
};

/// Throws InputError when the rows are of several setups.
THIMBLE_EXPORT void require_one_setup(std::span<const OpRow* const> rows);

/// Reads a table. Throws InputError with everything that is wrong, by line and column.
THIMBLE_EXPORT LatencyTable read_latency_table(const std::filesystem::path& file);
THIMBLE_EXPORT LatencyTable parse_latency_table(std::string_view text, const std::string& file);

/// The table as parse_latency_table() reads it back: sorted, so that equal tables are equal files.
THIMBLE_EXPORT std::string to_csv(const LatencyTable& table);

/// Replaces the file at once: no reader sees half of it.
THIMBLE_EXPORT void write_latency_table(const std::filesystem::path& file,
                                        const LatencyTable& table);

}  // namespace thimble
