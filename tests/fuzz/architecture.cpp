// Texts of architectures, as --arch has them, of spaces that read them each in their own way.

#include <vector>

#include <thimble/search_space.hpp>

#include "fuzz.hpp"

namespace {

using namespace thimble;

std::vector<std::unique_ptr<SearchSpace>> make_spaces() {
  std::vector<std::unique_ptr<SearchSpace>> made;
  made.push_back(fuzz::make<SearchSpace>("nasbench201", "{channels: 2, cells: 1}"));
  made.push_back(fuzz::make<SearchSpace>("superblocks", "{height: 32, width: 32}"));
  made.push_back(fuzz::make<SearchSpace>(
      "superblocks",
      "{families: [mbednet_1d, inception_time, cnn_1d], channels: 1, height: 64, width: 3}"));
  return made;
}

void read(const SearchSpace& space, std::string_view text) {
  const Genotype genotype = space.decode(text);
  const std::string written = space.encode(genotype);
  fuzz::require(space.decode(written) == genotype);
  const Genotype canonical = space.canonical(genotype);
  fuzz::require(space.canonical(canonical) == canonical);
  space.build(genotype);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kSpaces = make_spaces();
  for (const auto& space : kSpaces)
    fuzz::succeeds([&] { read(*space, fuzz::text_of(data, size)); });
  return 0;
}
