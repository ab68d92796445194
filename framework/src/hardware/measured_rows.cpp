#include <thimble/hardware/measured_rows.hpp>

namespace thimble {

std::vector<OpRow> measured_rows(std::span<const OpCycles> ops, const std::string& board,
                                 const std::string& setup) {
  std::vector<OpRow> rows;
  for (const OpCycles& op : ops) {
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
