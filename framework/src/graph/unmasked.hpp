#pragma once

#include <thimble/graph/transforms.hpp>

namespace thimble {

/// A graph without open choices in which no channel is left that a mask hides. Throws Error when
/// something reads a channel that is hidden elsewhere.
Extracted unmasked(const Graph& graph);

}  // namespace thimble
