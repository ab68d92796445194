#pragma once

#include <cstdint>
#include <vector>

#include <thimble/core/export.hpp>
#include <thimble/nn/dataset.hpp>
#include <thimble/nn/pass.hpp>

namespace thimble {

/// The batches that a pass feeds to a network. They depend on the seed, the pass, the repeat and
/// the input shape, never on the candidate: every candidate sees the same ones. The first ones are
/// the same however many follow.
///
/// Augmentation is a horizontal flip by chance and a shift of at most 1/8 of the size (zeros move
/// in), as NAS-Bench-201 trains; with Fit::crop, a window at random. A network with fewer input
/// channels than the data gets channels drawn at random for each sample. Labels of inputs that
/// are not data are uniform over `classes`, boxes one a sample. Throws what
/// require_fit() throws.
THIMBLE_EXPORT std::vector<Samples> draw_batches(const Dataset& dataset, const Pass& pass,
                                                 const Shape& input, int repeat,
                                                 std::uint64_t seed);

/// Throws Error when a pass cannot feed a network with this input from such a data set.
THIMBLE_EXPORT void require_fit(const DatasetInfo& info, const Pass& pass, const Shape& input);

}  // namespace thimble
