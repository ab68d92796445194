#pragma once

#include <cstdint>
#include <memory>

#include <thimble/core/export.hpp>
#include <thimble/hardware/hardware.hpp>

namespace thimble {

/// What a program has beside its network and the runtime.
struct ExtraCode {
  std::int64_t ram_bytes = 0;
  std::int64_t rom_bytes = 0;
  double relative_error = 0;  ///< of both: half of the interval that holds 95 %
};

/// The same hardware, where every program has this, too. `plain` is kept.
THIMBLE_EXPORT std::shared_ptr<const Hardware> with_extra_code(
    std::shared_ptr<const Hardware> plain, const ExtraCode& code);

}  // namespace thimble
