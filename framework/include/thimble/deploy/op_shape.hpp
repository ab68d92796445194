#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/export.hpp>
#include <thimble/deploy/int8_network.hpp>

namespace thimble {

/// Everything about a layer that its cost depends on: the key of look-up tables. Scales and values
/// are not part of it, because the kernels' work does not depend on them.
struct OpShape {
  Kernel kernel = Kernel::conv;
  std::vector<Shape> inputs;
  Shape output;
  Extent window;
  Extent stride;
  Extent padding{0, 0};
  int groups = 1;
  /// A pool with a ReLU fused into it. Other layers have a range of their own, which does the work.
  bool has_relu = false;
  bool operator==(const OpShape&) const = default;
};

THIMBLE_EXPORT OpShape op_shape(const Int8Network& network, const Int8Layer& layer);

/// "conv 16x32x32 -> 16x32x32 window 3x3 stride 1x1 padding 1x1 groups 1",
/// "add 16x32x32 16x32x32 -> 16x32x32": channels x height x width, as shapes are written
/// everywhere.
THIMBLE_EXPORT std::string to_string(const OpShape& op);

/// The other way round, of a text that begins at `where`. Throws InputError that names the word
/// which is wrong, and its place: also for what no operator can be, such as a ReLU that changes
/// sizes.
THIMBLE_EXPORT OpShape op_shape_of(std::string_view text, const Location& where = {});

/// A network of this one operator with drawn weights, to be profiled. Throws InputError when no
/// network has such an operator.
THIMBLE_EXPORT Int8Network network_of(const OpShape& op, const std::string& name);

/// The same without weights, biases and factors 0: made at once, however large the operator is.
THIMBLE_EXPORT Int8Network blank_network_of(const OpShape& op);

/// int8 weights, biases aside; 0 where the operator has none.
THIMBLE_EXPORT std::int64_t weights(const OpShape& op);

/// Multiply-accumulates of the operator, as macs() counts them.
THIMBLE_EXPORT std::int64_t macs(const OpShape& op);

}  // namespace thimble
