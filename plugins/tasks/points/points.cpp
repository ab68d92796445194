// Where things are, without their sizes, from one map: in the manner of FOMO (Edge Impulse, "Faster
// Objects, More Objects", 2022), whose cells are classified. What a cell tells is whether the
// centre of a box of a class lies in it. Made from its description; README.md says what differs.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <ATen/ops/max_pool2d.h>

#include <thimble/core/error.hpp>
#include <thimble/nn/boxes.hpp>
#include <thimble/task.hpp>

namespace {

struct Cell {
  std::int64_t row = 0;
  std::int64_t column = 0;
};

/// How many things were found, found where there are none, and not found.
struct Counts {
  std::int64_t hits = 0;
  std::int64_t wrong = 0;
  std::int64_t missed = 0;
};

std::int64_t place_of(double share, std::int64_t cells) {
  return std::clamp(static_cast<std::int64_t>(std::floor(share * static_cast<double>(cells))),
                    std::int64_t{0}, cells - 1);
}

/// What cells should tell, N x classes x height x width: 1 where a thing is; and how much each
/// counts, nothing where a crowd is.
struct Targets {
  at::Tensor presence;
  at::Tensor weights;

  Targets(const at::Tensor& maps, const at::Tensor& labels, double weight)
      : presence{at::zeros_like(maps)}, weights{at::ones_like(maps)} {
    const std::int64_t rows = maps.size(2), columns = maps.size(3);
    for (std::int64_t i = 0; i < maps.size(0); ++i)
      for (const thimble::LabelledBox& box : thimble::boxes_of(labels, i)) {
        if (!box.is_there()) continue;
        const double x = static_cast<double>(box.x), y = static_cast<double>(box.y);
        const auto label = static_cast<std::int64_t>(box.label);
        if (box.is_one_thing()) {
          presence[i][label][place_of(y, rows)][place_of(x, columns)] = 1;
          continue;
        }
        const double across = static_cast<double>(box.width) / 2,
                     down = static_cast<double>(box.height) / 2;
        weights[i][label]
            .slice(0, place_of(y - down, rows), place_of(y + down, rows) + 1)
            .slice(1, place_of(x - across, columns), place_of(x + across, columns) + 1)
            .zero_();
      }
    weights.masked_fill_(presence.gt(0), weight);
  }
};

/// Cells that are set in a map of one class.
std::vector<Cell> cells_in(const at::Tensor& map) {
  const at::Tensor places = map.nonzero();
  std::vector<Cell> cells;
  for (std::int64_t i = 0; i < places.size(0); ++i)
    cells.push_back({places[i][0].item<std::int64_t>(), places[i][1].item<std::int64_t>()});
  return cells;
}

/// A thing is found in its cell or a neighbour, once, by the surest; in crowds nothing is wrong.
Counts counts_of(const at::Tensor& logits, const at::Tensor& found, const at::Tensor& presence,
                 const at::Tensor& weights) {
  const auto number = [](const at::Tensor& map, const Cell& cell) {
    return map[cell.row][cell.column].item<double>();
  };
  std::vector<Cell> points = cells_in(found), open = cells_in(presence);
  std::ranges::stable_sort(points, std::ranges::greater{},
                           [&](const Cell& cell) { return number(logits, cell); });
  Counts made;
  for (const Cell& point : points) {
    const auto distance = [&](const Cell& truth) {
      return std::max(std::abs(truth.row - point.row), std::abs(truth.column - point.column));
    };
    const auto nearest = std::ranges::min_element(open, {}, distance);
    if (nearest != open.end() && distance(*nearest) <= 1) {
      open.erase(nearest);
      ++made.hits;
    } else if (number(weights, point) > 0) {
      ++made.wrong;
    }
  }
  made.missed = std::ssize(open);
  return made;
}

class Points final : public thimble::Task {
 public:
  struct Params {
    double weight = 20;
    double score = 0.5;

    template <class Describe>
    static void describe(Describe& param) {
      param(&Params::weight, "weight", "how much a cell with a thing counts; others count 1")
          .range(1e-3, 1e6);
      param(&Params::score, "score", "least score of a cell that tells of a thing").range(0, 1);
    }
  };

  explicit Points(Params params) : params_{params} {}

  int outputs(const thimble::DatasetInfo& data) const override {
    if (data.labels == thimble::LabelKind::boxes) return data.classes;
    throw thimble::Error{"dataset '" + data.name + "' has a class of each sample, no boxes",
                         "take a task for classes: task: {use: classification}"};
  }

  bool has_maps() const override { return true; }

  /// Of a sample, the mean of all cells' weighted cross-entropies.
  thimble::Loss loss(const at::Tensor& outputs, const at::Tensor& labels,
                     std::span<const std::int64_t>) const override {
    const at::NoGradGuard no_grad;
    const at::Tensor maps = maps_of(outputs, labels);
    const Targets targets{maps, labels, params_.weight};
    const at::Tensor shares = targets.weights / static_cast<double>(maps.size(2) * maps.size(3));
    const at::Tensor entropies =
        maps.clamp_min(0) - maps * targets.presence + maps.abs().neg().exp().log1p();
    const at::Tensor gradient = shares * (maps.sigmoid() - targets.presence);
    return {(shares * entropies).sum().item<double>(),
            gradient.view(outputs.sizes()).to(outputs.scalar_type())};
  }

  std::vector<std::string> metrics() const override { return {"f1", "precision", "recall"}; }

  /// In per cent, of all images and classes together. Of cells that tell of a thing those count
  /// that have no surer neighbour.
  std::vector<double> measure(const at::Tensor& outputs, const at::Tensor& labels) const override {
    const at::Tensor maps = maps_of(outputs, labels);
    const Targets targets{maps, labels, 1};
    const at::Tensor found =
        maps.eq(at::max_pool2d(maps, 3, 1, 1)) & maps.sigmoid().ge(params_.score);
    Counts all;
    for (std::int64_t i = 0; i < maps.size(0); ++i)
      for (std::int64_t label = 0; label < maps.size(1); ++label) {
        const Counts own = counts_of(maps[i][label], found[i][label], targets.presence[i][label],
                                     targets.weights[i][label]);
        all.hits += own.hits;
        all.wrong += own.wrong;
        all.missed += own.missed;
      }
    const auto share = [&](std::int64_t of) {
      return of == 0 ? 0.0 : 100.0 * static_cast<double>(all.hits) / static_cast<double>(of);
    };
    const std::int64_t told = all.hits + all.wrong, there = all.hits + all.missed;
    return {2 * share(told + there), share(told), share(there)};
  }

 private:
  /// N x classes x height x width; a map of one pixel comes without height and width.
  static at::Tensor maps_of(const at::Tensor& outputs, const at::Tensor& labels) {
    thimble::require_boxes(labels, static_cast<int>(outputs.size(1)));
    const at::Tensor maps = outputs.to(at::kDouble).contiguous();
    return maps.dim() == 4 ? maps : maps.view({maps.size(0), maps.size(1), 1, 1});
  }

  Params params_;
};

}  // namespace

THIMBLE_PLUGIN("points", "1.0.0") {
  plugin.provides<Points>("where things are, without their sizes: in the manner of FOMO");
}
