// Look-up tables of operators.

#include <thimble/hardware/latency_table.hpp>

#include "fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  fuzz::succeeds([&] {
    const LatencyTable table = parse_latency_table(fuzz::text_of(data, size), "table.csv");
    for (const OpRow* const row : table.rows()) fuzz::require(macs(row->op) >= 0);
    // What could be read can be written, and reads the same again.
    fuzz::require(parse_latency_table(to_csv(table), "written.csv") == table);
  });
  return 0;
}
