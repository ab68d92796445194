#include <thimble/deploy/processor.hpp>

#include <algorithm>

namespace thimble {

const char* name_of(Core core) {
  switch (core) {
    case Core::m3: return "m3";
    case Core::m4: return "m4";
    case Core::m7: return "m7";
    case Core::m33: return "m33";
    case Core::m55: return "m55";
  }
  return "";
}

std::optional<Core> core_of(std::string_view name) {
  const auto found = std::ranges::find(kCores, name, [](Core core) { return name_of(core); });
  return found == kCores.end() ? std::nullopt : std::optional{*found};
}

}  // namespace thimble
