#pragma once

#include <cstddef>
#include <functional>

#include <thimble/core/export.hpp>

namespace thimble {

/// Runs work(0), ..., work(count - 1) on `jobs` threads, the caller's among them, begins them in
/// this order, and returns when all have ended. What one of them throws ends it, once those that
/// run have ended. More jobs than cores are honoured: results must not depend on the machine.
///
/// Called from within such work, it takes no more threads than there are: `jobs` says how many of
/// them may help, and who waits for their help begins no other work of the outer call meanwhile.
THIMBLE_EXPORT void in_parallel(int jobs, std::size_t count,
                                const std::function<void(std::size_t)>& work);

}  // namespace thimble
