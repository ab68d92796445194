#include <thimble/train/box_loss.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// A number with its gradient by four others, which goes along with whatever is computed of it.
struct Dual {
  double value = 0;
  std::array<double, 4> gradient{};

  /// What a function gives that has this value and this slope here.
  Dual mapped(double to, double slope) const {
    Dual made{to, gradient};
    for (double& part : made.gradient) part *= slope;
    return made;
  }
};

Dual joined(double value, const Dual& a, double slope_a, const Dual& b, double slope_b) {
  Dual made{value, {}};
  for (std::size_t i = 0; i < made.gradient.size(); ++i)
    made.gradient[i] = slope_a * a.gradient[i] + slope_b * b.gradient[i];
  return made;
}
Dual operator+(const Dual& a, const Dual& b) { return joined(a.value + b.value, a, 1, b, 1); }
Dual operator-(const Dual& a, const Dual& b) { return joined(a.value - b.value, a, 1, b, -1); }
Dual operator*(const Dual& a, const Dual& b) {
  return joined(a.value * b.value, a, b.value, b, a.value);
}
Dual operator/(const Dual& a, const Dual& b) {
  return joined(a.value / b.value, a, 1 / b.value, b, -a.value / (b.value * b.value));
}
Dual lesser(const Dual& a, const Dual& b) { return a.value < b.value ? a : b; }
Dual greater(const Dual& a, const Dual& b) { return a.value > b.value ? a : b; }
Dual constant(double value) { return {value, {}}; }
Dual variable(double value, std::size_t place) {
  Dual made{value, {}};
  made.gradient[place] = 1;
  return made;
}

/// One side of two boxes.
struct Side {
  Dual common;   ///< that both have, 0 where they are apart
  Dual all;      ///< that encloses both
  Dual between;  ///< from centre to centre
};

Side side_of(const Dual& centre, const Dual& extent, double truth, double length) {
  const Dual half = constant(0.5) * extent;
  const Dual begin = constant(truth - length / 2), end = constant(truth + length / 2);
  return {greater(constant(0), lesser(centre + half, end) - greater(centre - half, begin)),
          greater(centre + half, end) - lesser(centre - half, begin), centre - constant(truth)};
}

Dual angle_of(const Dual& width, const Dual& height) {
  const Dual ratio = width / height;
  return ratio.mapped(std::atan(ratio.value), 1 / (1 + ratio.value * ratio.value));
}

double share_of_logit(double logit) { return 1 / (1 + std::exp(-logit)); }

/// Cross-entropy of a logit, its gradient being the share less the target.
double entropy_of(double logit, double target) {
  return std::max(logit, 0.0) - logit * target + std::log1p(std::exp(-std::abs(logit)));
}

/// Which places of a map tell of what.
struct Match {
  MapPlace place;
  Box truth;
  int label = 0;
};

/// The loss of one sample.
class SampleLoss {
 public:
  SampleLoss(const at::Tensor& map, const at::Tensor& gradient, std::span<const LabelledBox> boxes,
             const BoxDecoder& decoder, const BoxLossGains& gains)
      : decoder_{decoder},
        gains_{gains},
        grid_{static_cast<int>(map.size(1)), static_cast<int>(map.size(2))},
        values_{map.data_ptr<double>()},
        gradient_{gradient.data_ptr<double>()},
        boxes_{boxes} {
    for (const LabelledBox& labelled : boxes) {
      if (!labelled.is_one_thing()) continue;
      const Box truth = box_of(labelled);
      for (const MapPlace& place : places_for(truth, decoder.anchors, grid_))
        matches_.push_back({place, truth, static_cast<int>(labelled.label)});
    }
  }

  double run() {
    double sum = presence();
    const double share = 1 / static_cast<double>(std::max<std::size_t>(1, matches_.size()));
    for (const Match& match : matches_) {
      sum += box(match, gains_.box * share);
      if (decoder_.classes > 1) sum += label(match, gains_.label * share / decoder_.classes);
    }
    return sum;
  }

 private:
  static Box box_of(const LabelledBox& box) {
    return {static_cast<double>(box.x), static_cast<double>(box.y), static_cast<double>(box.width),
            static_cast<double>(box.height)};
  }

  std::size_t index(const MapPlace& place, int number) const {
    const int channel = place.anchor * decoder_.channels_of_anchor() + number;
    return at((std::int64_t{channel} * grid_.rows + place.row) * grid_.columns + place.column);
  }

  /// In cells, which are square where the image's shares need not be.
  Box in_cells(Box box) const {
    box.x *= grid_.columns;
    box.width *= grid_.columns;
    box.y *= grid_.rows;
    box.height *= grid_.rows;
    return box;
  }

  double box(const Match& match, double weight) {
    std::array<double, 4> numbers{};
    for (int i = 0; i < 4; ++i) numbers[at(i)] = values_[index(match.place, i)];
    const auto& anchor = decoder_.anchors[at(match.place.anchor)];
    const Box found = in_cells(decoded(numbers, match.place, anchor, grid_));
    const BoxTerm term = complete_overlap(found, in_cells(match.truth));
    for (int i = 0; i < 4; ++i) {
      const double share = share_of_logit(numbers[at(i)]);
      const double extent = i == 2 ? found.width : found.height;
      const double slope = i < 2 ? 2 * share * (1 - share) : 2 * extent * (1 - share);
      gradient_[index(match.place, i)] -= weight * term.gradient[at(i)] * slope;
    }
    return weight * (1 - term.value);
  }

  double label(const Match& match, double weight) {
    double sum = 0;
    for (int c = 0; c < decoder_.classes; ++c)
      sum += entropy(index(match.place, 5 + c), 0, c == match.label ? 1 : 0, weight);
    return sum;
  }

  double entropy(std::size_t at_place, double prior, double target, double weight) {
    const double logit = values_[at_place] + prior;
    gradient_[at_place] += weight * (share_of_logit(logit) - target);
    return weight * entropy_of(logit, target);
  }

  double presence() {
    double sum = 0;
    for (int a = 0; a < std::ssize(decoder_.anchors); ++a)
      for (int row = 0; row < grid_.rows; ++row)
        for (int column = 0; column < grid_.columns; ++column) {
          const MapPlace place{a, row, column};
          const bool is_there = std::ranges::find(matches_, place, &Match::place) != matches_.end();
          if (is_there || !is_in_crowd(place))
            sum += entropy(index(place, 4), decoder_.prior, is_there ? 1 : 0, gains_.presence);
        }
    return sum;
  }

  bool is_in_crowd(const MapPlace& place) const {
    const auto is_within = [](int cell, int cells, float centre, float extent) {
      return std::abs((cell + 0.5) / cells - static_cast<double>(centre)) <=
             static_cast<double>(extent) / 2;
    };
    return std::ranges::any_of(boxes_, [&](const LabelledBox& box) {
      return box.is_there() && !box.is_one_thing() &&
             is_within(place.column, grid_.columns, box.x, box.width) &&
             is_within(place.row, grid_.rows, box.y, box.height);
    });
  }

  const BoxDecoder& decoder_;
  const BoxLossGains& gains_;
  Grid grid_;
  const double* values_;
  double* gradient_;
  std::span<const LabelledBox> boxes_;
  std::vector<Match> matches_;
};

}  // namespace

BoxTerm complete_overlap(const Box& box, const Box& truth) {
  const Dual width = variable(box.width, 2), height = variable(box.height, 3);
  const Side across = side_of(variable(box.x, 0), width, truth.x, truth.width);
  const Side down = side_of(variable(box.y, 1), height, truth.y, truth.height);
  const Dual both = across.common * down.common;
  const Dual overlap = both / (width * height + constant(truth.width * truth.height) - both);
  const Dual distance = across.between * across.between + down.between * down.between;
  const Dual diagonal = across.all * across.all + down.all * down.all;
  const Dual turn = constant(std::atan(truth.width / truth.height)) - angle_of(width, height);
  const Dual v = constant(4 / (std::numbers::pi * std::numbers::pi)) * turn * turn;
  const Dual rest = constant(1) - overlap + v;
  const Dual shape = rest.value > 0 ? v / rest * v : constant(0);  // equal boxes
  const Dual made = overlap - distance / diagonal - shape;
  return {made.value, made.gradient};
}

Loss box_loss(const at::Tensor& maps, const at::Tensor& labels, const BoxDecoder& decoder,
              const BoxLossGains& gains) {
  const at::NoGradGuard no_grad;
  const at::Tensor values = maps.to(at::kDouble).contiguous();
  const at::Tensor gradient = at::zeros_like(values);
  double sum = 0;
  for (std::int64_t i = 0; i < values.size(0); ++i)
    sum += SampleLoss{values[i], gradient[i], boxes_of(labels, i), decoder, gains}.run();
  return {sum, gradient.to(maps.scalar_type())};
}

}  // namespace thimble
