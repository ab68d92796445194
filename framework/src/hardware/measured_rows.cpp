#include <thimble/hardware/measured_rows.hpp>

#include <fmt/format.h>

#include <thimble/core/text.hpp>
#include <thimble/hardware/figure_bounds.hpp>

namespace thimble {

std::vector<OpRow> measured_rows(std::span<const OpCycles> ops, const std::string& board,
                                 const std::string& setup) {
  std::vector<OpRow> rows;
  for (const OpCycles& op : ops) {
    if (!kCycles.contain(static_cast<double>(op.most)))
      throw InputError{fmt::format("{} took {} cycles, must be in {}", in_quotes(to_string(op.op)),
                                   op.most, kCycles.text())};
    OpRow& row = rows.emplace_back();
    row.op = op.op;
    row.target = board;
    row.kernels = op.kernels;
    row.compiler = op.compiler;
    row.flags = op.flags;
    row.setup = setup;
    row.cycles = op.median;
    row.n = static_cast<std::int64_t>(op.repeats);
    row.least = static_cast<double>(op.least);
    row.most = static_cast<double>(op.most);
    row.origin = Origin::measured;
    row.constant_bytes = op.constant_bytes;
    row.code_bytes = op.code_bytes;
  }
  return rows;
}

}  // namespace thimble
