// Recordings: signals in CSV files, and series of the UEA archive's format. Each input is read as
// both.

#include <numeric>
#include <vector>

#include <thimble/dataset.hpp>

#include "fuzz.hpp"

namespace {

using namespace thimble;

void read(const std::string& yaml) {
  const auto dataset = fuzz::make<Dataset>("recordings", yaml);
  dataset->fingerprint();
  for (const Split split : {Split::train, Split::test}) {
    std::vector<std::int64_t> all(dataset->labels(split).size());
    std::iota(all.begin(), all.end(), 0);
    dataset->batch(split, all);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::file_of("recording", fuzz::text_of(data, size));
  for (const char* const yaml :
       {"{folder: recording, signals: [x, y], label: what, group: who, length: 2, stride: 1}",
        "{folder: '.', train: recording, test: recording}",
        "{folder: '.', train: recording, test: recording, length: 3, layout: rows}"})
    fuzz::succeeds([&] { read(yaml); });
  return 0;
}
