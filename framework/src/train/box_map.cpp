#include <thimble/train/box_map.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <thimble/core/error.hpp>
#include <thimble/core/index.hpp>
#include <thimble/nn/propagation/tensor.hpp>

namespace thimble {
namespace {

/// Of sides, which a place can tell of.
constexpr double kMostRatio = 4;

double share_of(double logit) { return 1 / (1 + std::exp(-logit)); }
double logit_of(double share) { return std::log(share / (1 - share)); }

/// What two sides have in common, each by centre and extent.
double common(double a, double length_a, double b, double length_b) {
  return std::max(0.0, std::min(a + length_a / 2, b + length_b / 2) -
                           std::max(a - length_a / 2, b - length_b / 2));
}

/// A cell along one side, and the neighbour on whose side the centre lies.
struct Cells {
  int own = 0;
  int neighbour = -1;  ///< or none
};

Cells cells_of(double centre, int count) {
  const double place = centre * count;
  const int own = std::clamp(static_cast<int>(std::floor(place)), 0, count - 1);
  const double within = place - own;
  if (within < 0.5 && own > 0) return {own, own - 1};
  if (within > 0.5 && own + 1 < count) return {own, own + 1};
  return {own};
}

bool is_alike(double side, double anchor) {
  return side < kMostRatio * anchor && anchor < kMostRatio * side;
}

double overlap_of_sizes(const BoxDecoder::Anchor& a, const BoxDecoder::Anchor& b) {
  const double both = std::min(a.width, b.width) * std::min(a.height, b.height);
  return both / (a.width * a.height + b.width * b.height - both);
}

double area_of(const BoxDecoder::Anchor& size) { return size.width * size.height; }

std::size_t nearest(const BoxDecoder::Anchor& size, std::span<const BoxDecoder::Anchor> centres) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < centres.size(); ++i)
    if (overlap_of_sizes(size, centres[i]) > overlap_of_sizes(size, centres[best])) best = i;
  return best;
}

/// The means of what is nearest to each; what has nothing stays.
std::vector<BoxDecoder::Anchor> means(std::span<const BoxDecoder::Anchor> sizes,
                                      std::span<const BoxDecoder::Anchor> centres) {
  std::vector<BoxDecoder::Anchor> sums(centres.size());
  std::vector<double> counts(centres.size());
  for (const BoxDecoder::Anchor& size : sizes) {
    const std::size_t own = nearest(size, centres);
    sums[own].width += size.width;
    sums[own].height += size.height;
    ++counts[own];
  }
  for (std::size_t i = 0; i < sums.size(); ++i)
    sums[i] = counts[i] == 0
                  ? centres[i]
                  : BoxDecoder::Anchor{sums[i].width / counts[i], sums[i].height / counts[i]};
  return sums;
}

}  // namespace

double overlap_of(const Box& a, const Box& b) {
  const double both = common(a.x, a.width, b.x, b.width) * common(a.y, a.height, b.y, b.height);
  const double all = a.width * a.height + b.width * b.height - both;
  return all > 0 ? both / all : 0;
}

Box decoded(const std::array<double, 4>& numbers, const MapPlace& place,
            const BoxDecoder::Anchor& anchor, const Grid& grid) {
  const auto centre = [](double number, int cell, int cells) {
    return (2 * share_of(number) - 0.5 + cell) / cells;
  };
  const auto extent = [](double number, double side) {
    return 4 * share_of(number) * share_of(number) * side;
  };
  return {centre(numbers[0], place.column, grid.columns), centre(numbers[1], place.row, grid.rows),
          extent(numbers[2], anchor.width), extent(numbers[3], anchor.height)};
}

std::array<double, 4> encoded(const Box& box, const MapPlace& place,
                              const BoxDecoder::Anchor& anchor, const Grid& grid) {
  const auto centre = [](double share, int cell, int cells) {
    return logit_of((share * cells - cell + 0.5) / 2);
  };
  const auto extent = [](double share, double side) {
    return logit_of(std::sqrt(share / side) / 2);
  };
  return {centre(box.x, place.column, grid.columns), centre(box.y, place.row, grid.rows),
          extent(box.width, anchor.width), extent(box.height, anchor.height)};
}

std::vector<ScoredBox> boxes_in(const at::Tensor& map, const BoxDecoder& decoder,
                                double least_score) {
  const auto value = map.accessor<double, 3>();
  const Grid grid{static_cast<int>(map.size(1)), static_cast<int>(map.size(2))};
  std::vector<ScoredBox> boxes;
  std::vector<std::int64_t> places;
  for (int row = 0; row < grid.rows; ++row)
    for (int column = 0; column < grid.columns; ++column)
      for (std::size_t a = 0; a < decoder.anchors.size(); ++a) {
        const auto first = static_cast<std::int64_t>(a) * decoder.channels_of_anchor();
        const auto number = [&](std::int64_t i) { return value[first + i][row][column]; };
        ScoredBox found{{}, share_of(number(4) + decoder.prior), 0};
        if (decoder.classes > 1) {
          for (int c = 1; c < decoder.classes; ++c)
            if (number(5 + c) > number(5 + found.label)) found.label = c;
          found.score *= share_of(number(5 + found.label));
        }
        if (found.score < least_score) continue;
        found.box = decoded({number(0), number(1), number(2), number(3)},
                            {static_cast<int>(a), row, column}, decoder.anchors[a], grid);
        places.push_back(std::ssize(places));
        boxes.push_back(found);
      }
  return suppressed(boxes, places, decoder.most_overlap);
}

std::vector<ScoredBox> suppressed(std::span<const ScoredBox> boxes,
                                  std::span<const std::int64_t> places, double most_overlap) {
  std::vector<std::size_t> order(boxes.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return boxes[a].score != boxes[b].score ? boxes[a].score > boxes[b].score
                                            : places[a] < places[b];
  });
  std::vector<ScoredBox> kept;
  for (const std::size_t i : order) {
    const ScoredBox& box = boxes[i];
    const bool is_known = std::ranges::any_of(kept, [&](const ScoredBox& better) {
      return better.label == box.label && overlap_of(better.box, box.box) > most_overlap;
    });
    if (!is_known) kept.push_back(box);
  }
  return kept;
}

std::vector<MapPlace> places_for(const Box& box, std::span<const BoxDecoder::Anchor> anchors,
                                 const Grid& grid) {
  const Cells columns = cells_of(box.x, grid.columns), rows = cells_of(box.y, grid.rows);
  std::vector<MapPlace> places;
  for (int a = 0; a < std::ssize(anchors); ++a) {
    if (!is_alike(box.width, anchors[at(a)].width) || !is_alike(box.height, anchors[at(a)].height))
      continue;
    places.push_back({a, rows.own, columns.own});
    if (columns.neighbour >= 0) places.push_back({a, rows.own, columns.neighbour});
    if (rows.neighbour >= 0) places.push_back({a, rows.neighbour, columns.own});
  }
  return places;
}

std::vector<BoxDecoder::Anchor> typical_sizes(std::vector<BoxDecoder::Anchor> sizes, int count) {
  constexpr int kMostRounds = 100;
  const auto smaller = [](const BoxDecoder::Anchor& a, const BoxDecoder::Anchor& b) {
    return area_of(a) != area_of(b) ? area_of(a) < area_of(b) : a.width < b.width;
  };
  std::ranges::sort(sizes, smaller);
  std::vector<BoxDecoder::Anchor> different = sizes;
  different.erase(std::unique(different.begin(), different.end()), different.end());
  const auto wanted = std::min(at(count), different.size());
  std::vector<BoxDecoder::Anchor> centres;
  for (std::size_t i = 0; i < wanted; ++i)
    centres.push_back(different[(2 * i + 1) * different.size() / (2 * wanted)]);
  for (int round = 0; round < kMostRounds; ++round) {
    auto next = means(sizes, centres);
    if (next == centres) break;
    centres = std::move(next);
  }
  std::ranges::sort(centres, smaller);
  return centres;
}

}  // namespace thimble
