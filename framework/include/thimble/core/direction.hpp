#pragma once

namespace thimble {

/// Which way is better.
enum class Direction { minimize, maximize };

}  // namespace thimble
