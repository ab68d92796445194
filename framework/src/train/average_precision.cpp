#include <thimble/train/average_precision.hpp>

#include <algorithm>
#include <numeric>

#include <thimble/core/index.hpp>

namespace thimble {
namespace {

constexpr std::size_t kMostOfImage = 100;
constexpr int kRecalls = 100;

Box box_of_label(const LabelledBox& box) {
  return {static_cast<double>(box.x), static_cast<double>(box.y), static_cast<double>(box.width),
          static_cast<double>(box.height)};
}

/// Of a crowd, how much of a box is in it.
double fit_of(const Box& found, const LabelledBox& truth) {
  const Box box = box_of_label(truth);
  const double overlap = overlap_of(found, box);
  if (truth.is_one_thing()) return overlap;
  const double own = found.width * found.height;
  return own > 0 ? overlap * (own + box.width * box.height) / (1 + overlap) / own : 0;
}

struct Judged {
  double score = 0;
  bool is_right = false;
};

/// The boxes of one image and class.
class ImageJudge {
 public:
  ImageJudge(const ImageBoxes& image, int label, double least_overlap)
      : least_overlap_{least_overlap} {
    for (const ScoredBox& box : image.found)
      if (box.label == label) found_.push_back(&box);
    std::ranges::stable_sort(
        found_, [](const ScoredBox* a, const ScoredBox* b) { return a->score > b->score; });
    found_.resize(std::min(found_.size(), kMostOfImage));
    for (const LabelledBox& truth : image.truths)
      if (truth.is_there() && static_cast<int>(truth.label) == label)
        (truth.is_one_thing() ? things_ : crowds_).push_back(&truth);
    is_taken_.resize(things_.size());
  }

  std::size_t things() const { return things_.size(); }

  void judge(std::vector<Judged>& all) {
    for (const ScoredBox* const box : found_) {
      const bool is_right = takes(box->box);
      if (is_right || !is_in_crowd(box->box)) all.push_back({box->score, is_right});
    }
  }

 private:
  bool takes(const Box& found) {
    std::size_t best = things_.size();
    double most = least_overlap_;
    for (std::size_t i = 0; i < things_.size(); ++i) {
      const double overlap = fit_of(found, *things_[i]);
      if (is_taken_[i] || overlap < most) continue;
      most = overlap;
      best = i;
    }
    if (best == things_.size()) return false;
    is_taken_[best] = true;
    return true;
  }

  bool is_in_crowd(const Box& found) const {
    return std::ranges::any_of(
        crowds_, [&](const LabelledBox* crowd) { return fit_of(found, *crowd) >= least_overlap_; });
  }

  double least_overlap_;
  std::vector<const ScoredBox*> found_;
  std::vector<const LabelledBox*> things_;
  std::vector<const LabelledBox*> crowds_;
  std::vector<bool> is_taken_;
};

}  // namespace

std::optional<std::vector<CurvePoint>> precision_curve(std::span<const ImageBoxes> images,
                                                       int label, double least_overlap) {
  std::vector<Judged> all;
  std::size_t things = 0;
  for (const ImageBoxes& image : images) {
    ImageJudge judge{image, label, least_overlap};
    things += judge.things();
    judge.judge(all);
  }
  if (things == 0) return {};
  std::ranges::stable_sort(all, [](const Judged& a, const Judged& b) { return a.score > b.score; });
  std::vector<CurvePoint> curve;
  double right = 0;
  for (const Judged& box : all) {
    right += box.is_right ? 1 : 0;
    curve.push_back({box.score, right / static_cast<double>(curve.size() + 1),
                     right / static_cast<double>(things)});
  }
  return curve;
}

double average_precision(std::span<const CurvePoint> curve) {
  constexpr double kRounding = 1e-12;  // of recalls, which are quotients of whole numbers
  std::vector<double> highest(curve.size() + 1);
  for (std::size_t i = curve.size(); i > 0; --i)
    highest[i - 1] = std::max(highest[i], curve[i - 1].precision);
  double sum = 0;
  std::size_t place = 0;
  for (int i = 0; i <= kRecalls; ++i) {
    const double wanted = static_cast<double>(i) / kRecalls - kRounding;
    while (place < curve.size() && curve[place].recall < wanted) ++place;
    sum += highest[place];
  }
  return sum / (kRecalls + 1);
}

double mean_average_precision(std::span<const ImageBoxes> images, int classes,
                              double least_overlap) {
  double sum = 0;
  int present = 0;
  for (int label = 0; label < classes; ++label)
    if (const auto curve = precision_curve(images, label, least_overlap)) {
      sum += average_precision(*curve);
      ++present;
    }
  return present == 0 ? 0 : sum / present;
}

}  // namespace thimble
