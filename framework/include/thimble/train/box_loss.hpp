#pragma once

#include <array>

#include <thimble/core/export.hpp>
#include <thimble/train/box_map.hpp>
#include <thimble/train/loss.hpp>

namespace thimble {

/// A number of two boxes, and its gradient by x, y, width and height of the first.
struct BoxTerm {
  double value = 0;
  std::array<double, 4> gradient{};
};

/// Complete intersection over union (Zheng et al., arXiv 1911.08287, equations 8 to 12): that of
/// the boxes, less (distance of the centres / diagonal of what encloses both)^2, less a v with
///
///     v = 4 / pi^2 (atan(w' / h') - atan(w / h))^2,   a = v / (1 - IoU + v)
///
/// The gradient is that of all of it, of a, too.
THIMBLE_EXPORT BoxTerm complete_overlap(const Box& box, const Box& truth);

/// How much the parts of a loss count.
struct BoxLossGains {
  double box = 1;          ///< 1 - complete overlap, the mean over places that tell of a thing
  double presence = 0.02;  ///< whether something is there: cross-entropy, the sum over all places
  double label = 0.5;      ///< which class: cross-entropies, the mean over places and classes
};

/// The loss of maps, N x C x H x W: for each sample the three parts, by the places that
/// places_for() names. Of a sample without things only that of presence counts. Nothing is asked of
/// places in crowds whether something is there, unless they tell of a thing. labels: N x rows x 6.
/// Thread safe.
THIMBLE_EXPORT Loss box_loss(const at::Tensor& maps, const at::Tensor& labels,
                             const BoxDecoder& decoder, const BoxLossGains& gains);

}  // namespace thimble
