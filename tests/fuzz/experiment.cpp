// Experiments, as `thimble check` reads them.

#include <thimble/core/random.hpp>
#include <thimble/core/text.hpp>
#include <thimble/experiment/load.hpp>

#include <cli.hpp>

#include "fuzz.hpp"

namespace {

/// No compiler is started for hardware: qemu.
[[maybe_unused]] const int kNoPrograms = ::setenv("PATH", "", 1);

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace thimble;
  const std::string_view text = fuzz::text_of(data, size);
  const auto file = fuzz::file_of("experiment.yaml", text);
  const bool is_good = fuzz::succeeds([&] { load_experiment(file, {}, fuzz::plugins()); });
  // What it prints takes a second more, so only some of the good ones get there.
  constexpr std::uint64_t kOneOf = 16;
  if (!is_good || fingerprint(text) % kOneOf != 0) return 0;
  const cli::World world{installed_prefix(), fuzz::folder(), {}, fuzz::plugins()};
  cli::CheckArguments arguments;
  arguments.experiment = file;
  fuzz::succeeds([&] { cli::check(arguments, world); });
  return 0;
}
